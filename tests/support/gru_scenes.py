"""Scenes that drive VM, driver and device against each other: for the fake GRU and for the RTL alike."""

from __future__ import annotations

import contextlib

from support.gru_rig import BASE, PAGE, RW, DeviceFactory, Rig, open_user

from hwif.gen.gru import CbEcause, CbIstatus, CbXtype
from sw_stack.drivers.gru.policy import DriverPolicy, Dropin, Mutant
from sw_stack.drivers.gru.user import GruError, GruUser, gru_bcopy, gru_nop, gru_vload, gru_vset
from sw_stack.mm import Mm


async def mapped(rig: Rig, pages: int, name: str = "program") -> Mm:
    """An address space with `pages` pages at BASE, page n full of n + 1."""
    mm = rig.machine.new_mm(name)
    await mm.mmap(BASE, pages * PAGE, RW, fixed=True)
    for page in range(pages):
        await mm.store(BASE + page * PAGE, bytes([page + 1]) * PAGE)
    return mm


def storm(policy: DriverPolicy, seed: int, device: DeviceFactory | None = None) -> Rig:
    """A device that copies and stores without pause while the program unmaps, protects, forks and migrates under it."""
    rig = Rig(policy, seed=seed, frames=256, device=device)
    pages, turns = 8, 25

    async def worker(mm: Mm, index: int) -> None:
        user = users[0]
        for turn in range(3 * turns):
            if rig.device.violations():
                return
            source, target = BASE + (turn + index) % pages * PAGE, BASE + (turn * 3 + index + 1) % pages * PAGE
            if index % 2 and source != target:
                await user.execute(index, gru_bcopy(source, target, 512 * index, CbXtype.CL, 24, 4))
            else:
                await user.execute(index, gru_vset(target + 8, turn, CbXtype.DW, 20, 3))

    async def program() -> None:
        mm = await mapped(rig, pages)
        users.append(await open_user(rig, mm, cbrs=4, dsr_bytes=4096))
        tasks = [rig.sched.spawn(worker(mm, index), f"worker {index}", 1) for index in range(4)]
        for turn in range(turns):
            page = BASE + turn * 5 % pages * PAGE
            kind = turn % 5
            if kind == 0:
                await mm.munmap(page, 2 * PAGE)
                await rig.sched.sleep(3000)
                await mm.mmap(page, 2 * PAGE, RW, fixed=True)
            elif kind == 1:
                await rig.machine.migrate_page(mm, page)
            elif kind == 2:
                await mm.madvise_dontneed(page, PAGE)
            elif kind == 3:
                child = await mm.fork("child")
                await mm.store(page, b"parent")
                await child.exit()
            else:
                await rig.driver.gru_user_unload_context(users[0].gts)
                await mm.munmap(page, PAGE)
                await mm.mmap(page, PAGE, RW, fixed=True)
            for number in range(pages):
                await mm.touch(BASE + number * PAGE, True)
            await rig.sched.sleep(2500)
        for task in tasks:
            await rig.sched.join(task)
        await rig.driver.close(users[0].gts)
        await mm.exit()

    users: list[GruUser] = []
    rig.run(program())
    return rig


def asid_kept_over_a_flush(mutant: Mutant | None, device: DeviceFactory | None = None) -> Rig:
    """The mapping changes while the context is unloaded."""
    rig = Rig(DriverPolicy(mutant=mutant), device=device)

    async def body() -> None:
        mm = await mapped(rig, 1)
        user = await open_user(rig, mm)
        await user.execute(0, gru_vload(BASE, 0, CbXtype.DW, 1))
        await rig.driver.gru_user_unload_context(user.gts)
        await mm.munmap(BASE, PAGE)
        await mm.mmap(BASE - PAGE, 2 * PAGE, RW, fixed=True)
        await mm.store(BASE - PAGE, b"takes the old frame")
        await mm.store(BASE, b"takes another")
        await user.execute(0, gru_vload(BASE, 0, CbXtype.DW, 1))

    rig.run(body())
    return rig


def drop_in_inside_a_range(mutant: Mutant | None, device: DeviceFactory | None = None) -> Rig:
    """A miss between begin and end, with the old pte still in the table."""
    rig = Rig(DriverPolicy(mutant=mutant), device=device)

    async def body() -> None:
        mm = await mapped(rig, 1)
        user = await open_user(rig, mm)
        await user.execute(0, gru_nop())
        async with mm.mmap_lock.reading():
            active = await mm.notifiers.range_begin(BASE, BASE + PAGE, False)
        await user.issue(0, gru_vload(BASE, 0, CbXtype.DW, 1))
        await rig.sched.sleep(20_000)
        await mm.notifiers.range_end(active)
        assert (await user.wait(0)).istatus == CbIstatus.IDLE

    rig.run(body())
    return rig


def migration_during_a_drop_in(offset: int, device: DeviceFactory | None = None) -> Rig:
    """The handler has read the pte and is slow to write it; the page moves meanwhile. Migration takes no lock the handler knows."""
    rig = Rig(slow_task="gru_intr", device=device)

    async def body() -> None:
        mm = await mapped(rig, 1)
        user = await open_user(rig, mm)
        await user.execute(0, gru_nop())
        await user.issue(0, gru_vload(BASE, 0, CbXtype.DW, 1))
        await rig.sched.sleep(offset)
        await rig.machine.migrate_page(mm, BASE)
        await user.wait(0)
        assert rig.device.violations() or await user.read_dsr(0, 8) == bytes([1]) * 8

    rig.run(body())
    return rig


def exit_against_reclaim(offset: int, device: DeviceFactory | None = None) -> Rig:
    """An address space exits, slowly, while its device runs and reclaim takes its pages."""
    rig = Rig(slow_task="exit", frames=128, device=device)

    async def worker(user: GruUser, index: int) -> None:
        with contextlib.suppress(GruError):
            while True:
                await user.execute(index, gru_bcopy(BASE, BASE + PAGE, 512 * index, CbXtype.CL, 60, 4))

    async def leave(mm: Mm) -> None:
        await mm.exit()

    async def program() -> None:
        mm = await mapped(rig, 2)
        user = await open_user(rig, mm)
        tasks = [rig.sched.spawn(worker(user, index), f"worker {index}", 1) for index in range(4)]
        await rig.sched.sleep(30_000)
        tasks.append(rig.sched.spawn(leave(mm), "exit", 1))
        await rig.sched.sleep(offset)
        await rig.machine.reclaim(2)
        for task in tasks:
            await rig.sched.join(task)

    rig.run(program())
    return rig


def unload_during_a_copy(offset: int, device: DeviceFactory | None = None) -> Rig:
    """A context is unloaded `offset` cycles into a copy that faults, and goes on with other control blocks."""
    rig = Rig(slow_task="gru_intr" if offset % 1400 == 0 else None, device=device)

    async def body() -> None:
        mm = await mapped(rig, 4)
        user = await open_user(rig, mm)
        await user.write_dsr(3000, b"stays with the context")
        await user.issue(1, gru_bcopy(BASE, BASE + 2 * PAGE, 0, CbXtype.CL, 2 * PAGE // 64, 4))
        await rig.sched.sleep(offset)
        await rig.driver.gru_user_unload_context(user.gts)
        assert not rig.shadow.ctx_mm.any()
        other = await open_user(rig, mm, cbrs=6, dsr_bytes=2048)  # takes the place
        await other.execute(5, gru_nop())
        assert (await user.wait(1)).istatus == CbIstatus.IDLE
        assert user.gts.cbrs()[0] == 6
        assert await user.read_dsr(3000, 22) == b"stays with the context"
        assert await mm.load(BASE + 2 * PAGE, 2 * PAGE) == bytes([1]) * PAGE + bytes([2]) * PAGE

    rig.run(body())
    return rig


def theft(seed: int, device: DeviceFactory | None = None) -> Rig:
    """Six users of half a chiplet's control blocks each: two fit, all finish."""
    rig = Rig(DriverPolicy(assign_delay=2000, steal_delay=5000), seed=seed, frames=512, device=device)

    async def program(index: int) -> int:
        mm = await mapped(rig, 4, f"user {index}")
        user = await open_user(rig, mm, cbrs=64, dsr_bytes=2048)
        for turn in range(3):
            await user.write_dsr(8 * turn, bytes([index]) * 8)
            result = await user.execute(turn, gru_bcopy(BASE, BASE + 2 * PAGE, 1024, CbXtype.CL, 2 * PAGE // 64, 4))
            assert result.istatus == CbIstatus.IDLE
            await user.execute(turn, gru_vset(BASE, index + turn, CbXtype.W, 8))
        assert await user.read_dsr(0, 24) == bytes([index]) * 24
        assert await mm.load(BASE + 3 * PAGE, PAGE) == bytes([2]) * PAGE
        await rig.driver.close(user.gts)
        await mm.exit()
        return index

    done = rig.run(*(program(index) for index in range(6)))
    assert done == list(range(6)) or rig.stopped_early
    return rig


def huge_pages(dropin: Dropin, device: DeviceFactory | None = None) -> Rig:
    """A 2 MiB page beside a small one; then one program unmaps the big one under the device."""
    rig = Rig(DriverPolicy(dropin=dropin), frames=2048, device=device)
    huge = 1 << 21

    async def body() -> None:
        mm = rig.machine.new_mm("program")
        await mm.mmap(BASE, huge, RW, fixed=True, huge=21)
        await mm.store(BASE + 5 * PAGE, b"\x77" * 8)
        await mm.mmap(BASE + huge, PAGE, RW, fixed=True)
        await mm.store(BASE + huge, b"\x55" * 8)
        user = await open_user(rig, mm)
        for address, byte in ((BASE + huge, 0x55), (BASE + 5 * PAGE, 0x77), (BASE + 5 * PAGE, 0x77)):
            result = await user.execute(0, gru_vload(address, 0, CbXtype.DW, 1))
            assert result.istatus == CbIstatus.IDLE
            assert await user.read_dsr(0, 8) == bytes([byte]) * 8
        assert user.gts.ts_sizeavail == 0b100001
        assert not user.gts.ts_force_cch_reload
        await mm.munmap(BASE, huge)
        result = await user.execute(0, gru_vload(BASE + 5 * PAGE, 0, CbXtype.DW, 1))
        assert result.ecause == 1 << CbEcause.OS_FATAL_TLB_FAULT

    rig.run(body())
    return rig


def preloaded_copy(preload: int, device: DeviceFactory | None = None) -> Rig:
    """A copy of four pages."""
    rig = Rig(DriverPolicy(preload_pages=preload), device=device)

    async def body() -> None:
        mm = await mapped(rig, 8)
        user = await open_user(rig, mm)
        await user.execute(0, gru_bcopy(BASE, BASE + 4 * PAGE, 0, CbXtype.CL, 4 * PAGE // 64, 4))
        assert await mm.load(BASE + 4 * PAGE, 4 * PAGE) == await mm.load(BASE, 4 * PAGE)

    rig.run(body())
    return rig
