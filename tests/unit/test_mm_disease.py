"""Reclaim and the disease of pinned memory: what it looks at, what it gets, when it gives up; and what a client with notifiers
changes."""

from __future__ import annotations

import errno

import pytest
from mm_context import AREA, RW, Scene, at, stage
from mm_rig import PAGE

from sw_stack.drivers.kvm import Kvm, KvmPolicy
from sw_stack.drivers.pinned import Access, PinnedAdapter, PinnedMr
from sw_stack.mm import MmError
from sw_stack.mm.reclaim import Scan

FRAMES = 64
PAGES = 48
GUEST = 1 << 30


async def fill(s: Scene, pages: int = PAGES) -> None:
    await s.mm.mmap(AREA, pages * PAGE, RW, fixed=True)
    for page in range(pages):
        await s.mm.store(at(page), bytes([page + 1]) * 8)


async def looks_per_page(s: Scene, wanted: int) -> float:
    """How many pages reclaim looks at for each it frees."""
    s.machine.reclaimer.scan = Scan()
    freed = await s.machine.reclaim(wanted)
    scan = s.machine.reclaimer.scan
    assert freed == scan.reclaimed
    return (scan.aged + scan.scanned) / max(freed, 1)


@pytest.mark.parametrize("hold", ["pinned", "mlocked"])
def test_the_more_is_held_the_more_is_looked_at_in_vain(hold: str) -> None:
    costs = []
    for held in (0, 16, 32, 40):

        async def body(s: Scene, held: int = held) -> None:
            await fill(s)
            adapter, mr = PinnedAdapter(s.machine), None
            if held and hold == "pinned":
                mr = await adapter.reg_mr(s.mm, AREA, held * PAGE, Access.READ)
            elif held:
                await s.mm.mlock(AREA, held * PAGE)
            costs.append(await looks_per_page(s, PAGES - held))
            scan = s.machine.reclaimer.scan
            assert scan.in_vain >= held and (scan.pinned if hold == "pinned" else scan.mlocked) >= held
            if mr is not None:
                await adapter.dereg_mr(mr)

        stage(body, frames=FRAMES, memory=False)
    assert costs == sorted(costs) and costs[-1] > 3 * costs[0], costs


def test_mlocked_pages_move_and_pinned_pages_do_not() -> None:
    async def body(s: Scene) -> None:
        await fill(s, 4)
        adapter = PinnedAdapter(s.machine)
        await s.mm.mlock(at(0), 2 * PAGE)
        mr = await adapter.reg_mr(s.mm, at(2), 2 * PAGE, Access.READ)
        moved = [await s.machine.migrate_page(s.mm, at(page)) for page in range(4)]
        assert moved == [True, True, False, False] and s.machine.statistic("migrate_pinned") == 2
        for page, movable in enumerate((True, True, False, False)):
            frame = s.frame(page)
            if movable:
                await s.machine.offline(frame.pfn, 1)
                s.machine.online(frame.pfn, 1)
            else:
                with pytest.raises(MmError, match="references beside its mappings") as caught:
                    await s.machine.offline(frame.pfn, 1)
                assert caught.value.errno == errno.EBUSY
        await adapter.dereg_mr(mr)

    stage(body, frames=FRAMES, memory=False)


def test_all_pinned_ends_in_the_verdict_and_the_killer_cannot_help() -> None:
    """The killed process's pages stay where they are: its adapter holds them."""

    async def body(s: Scene) -> None:
        await fill(s, FRAMES - 8)
        adapter = PinnedAdapter(s.machine)
        await adapter.reg_mr(s.mm, AREA, (FRAMES - 8) * PAGE, Access.READ)
        other = s.machine.new_mm("other")
        other.oom_exempt = True
        await other.mmap(AREA, 32 * PAGE, RW, fixed=True)
        await other.mlock(AREA, 6 * PAGE)
        with pytest.raises(MmError, match="out of memory for 1 frames") as caught:
            for page in range(32):
                await other.store(at(page), b"x")
                await other.mlock(at(page), PAGE)
        assert "pinned" in caught.value.text and "mlocked" in caught.value.text
        assert s.mm.oom_victim and s.machine.statistic("oom_kill") == 1
        await adapter.close(s.mm)
        await other.store(at(8), b"x")  # what was pinned has come back
        await other.exit()

    stage(body, frames=FRAMES, memory=False, oom_killer=True)


@pytest.mark.parametrize("client", ["adapter", "guest", "guest that holds references"])
def test_notifiers_are_the_cure(client: str) -> None:
    """The same memory in the hands of a client that hears of it: reclaim gets all of it, at the cost of memory nobody holds."""

    async def body(s: Scene) -> None:
        await fill(s)
        pinned: tuple[PinnedAdapter, PinnedMr] | None = None
        kvm = None
        if client == "adapter":
            adapter = PinnedAdapter(s.machine)
            pinned = adapter, await adapter.reg_mr(s.mm, AREA, PAGES * PAGE, Access.READ)
        else:
            kvm = await Kvm.create(s.mm, KvmPolicy(style="2008" if client.endswith("references") else "modern"))
            await kvm.add_slot(0, GUEST, PAGES * PAGE, AREA)
            vcpu = kvm.create_vcpu()
            for page in range(PAGES):
                assert await vcpu.read(GUEST + page * PAGE, 8) == bytes([page + 1]) * 8
        cost = await looks_per_page(s, PAGES)
        freed = s.machine.reclaimer.scan.reclaimed
        assert (freed == 0 and cost >= PAGES) if client == "adapter" else (freed == PAGES and cost < 8), (freed, cost)
        if pinned is not None:
            await pinned[0].dereg_mr(pinned[1])
        if kvm is not None:
            assert await vcpu.read(GUEST, 8) == b"\1" * 8  # back from swap, by a fault of the guest
            await kvm.destroy()

    stage(body, frames=FRAMES, memory=False)


def test_pages_that_stay_do_not_hide_the_others() -> None:
    """Most of memory is mlocked: the active list never gets shorter than the other, which has to have its turn all the same."""

    async def body(s: Scene) -> None:
        await fill(s, 40)
        await s.mm.mlock(AREA, 40 * PAGE)
        other = s.machine.new_mm("other")
        await other.mmap(AREA, 40 * PAGE, RW, fixed=True)
        for page in range(40):
            await other.store(at(page), b"x")
        assert s.machine.statistic("swapped_out") >= 40 - (FRAMES - 40)
        await other.exit()

    stage(body, frames=FRAMES, memory=False)
