"""Drivers broken on purpose: for each a scene that is clean with the driver as it is, and is not with the mutant."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import get_args

import pytest
from support.hca_rig import BASE, LOCAL, ODP, PAGE, REMOTE, RW, Nodes, Rig, fan_out, open_end, pair, rdma
from support.hca_scenes import Churn, Stream

from hwif.gen.events import TraceEvent
from hwif.gen.hca import Advice, CmdOp, FaultDir, WcStatus, WrOpcode
from hwif.loop import StalledError
from hwif.port import NodesDevice
from pymodels.hca import HcaModel, HcaModelOptions
from sw_stack.drivers.hca import DriverPolicy, HcaError, Sge
from sw_stack.drivers.hca.faults import FaultRecord, page_fault
from sw_stack.drivers.hca.policy import MUTANT_TEXT, Mutant
from sw_stack.drivers.hca.prefetch import FLAG_FLUSH
from sw_stack.mm import MmError
from sw_stack.mm.frames import FrameError
from sw_stack.notifier import NotifierError

Scene = Callable[[Mutant | None], str]
"""Plays it; what caught the mutant, or nothing."""


def verdict(rig: Rig, body: Callable[[Rig], Awaitable[None]]) -> str:
    """What the checks say of a run: the oracle, the driver's and the VM's own rules, liveness, or the scene's expectations."""

    async def awaited() -> None:
        await body(rig)

    try:
        rig.run(awaited())
    except (HcaError, NotifierError, FrameError) as error:
        return f"{type(error).__name__}: {error}"
    except StalledError:
        return "stall"
    except AssertionError as error:
        return f"expectation: {error}"
    violations = rig.device.violations()
    return violations[0].reason.name if violations else ""


def slow_memory(places: Nodes) -> NodesDevice:
    return HcaModel(places, HcaModelOptions(bytes_per_cycle=4))


def stream(opcode: WrOpcode) -> Scene:
    """At several times relative to the traffic: which of them falls into the window is the device's affair."""

    def play(mutant: Mutant | None) -> str:
        for phase in range(0, 1200, 170):
            rig = Rig(DriverPolicy(mutant=mutant), frames=512, device=slow_memory)
            found = verdict(rig, lambda rig, phase=phase: Stream(rig, opcode=opcode, phase=phase).body())  # type: ignore[misc]
            if found:
                return f"phase {phase}: {found}"
        return ""

    return play


def churn(seeds: Sequence[int], *, implicit: bool) -> Scene:
    def play(mutant: Mutant | None) -> str:
        for seed in seeds:
            rig = Rig(DriverPolicy(mutant=mutant), frames=512, seed=seed)
            found = verdict(rig, lambda rig, seed=seed: Churn(rig, seed, implicit=implicit).body())  # type: ignore[misc]
            if found:
                return f"seed {seed}: {found}"
        return ""

    return play


def one_fault(mutant: Mutant | None) -> str:
    """A page not there, one access: one record, one resume."""
    rig = Rig(DriverPolicy(mutant=mutant), slow_task="hca_pf1", liveness=400_000)

    async def body(rig: Rig) -> None:
        left, right = await pair(rig)
        for end in (left, right):
            await end.mm.mmap(BASE, PAGE, RW, fixed=True)
        mine, theirs = await left.region(BASE, 1, LOCAL | ODP), await right.region(BASE, 1, REMOTE | ODP)
        await left.driver.post_send(left.qp, rdma(WrOpcode.RDMA_WRITE, BASE, PAGE, mine, BASE, theirs))
        await left.driver.req_notify(left.cq)
        await left.driver.wait_cq_event(left.cq)
        assert rig.b.driver.stats.fault_records == 1, "faulted again for want of a table entry"

    return verdict(rig, body)


def shared_page(mutant: Mutant | None) -> str:
    """A page shared with a child is read, then written from afar: the write must come to a copy."""
    rig = Rig(DriverPolicy(mutant=mutant))

    async def body(rig: Rig) -> None:
        left, right = await pair(rig)
        for end in (left, right):
            await end.mm.mmap(BASE, PAGE, RW, fixed=True)
        await right.mm.store(BASE, b"parent")
        mine, theirs = await left.region(BASE, 1, LOCAL | ODP), await right.region(BASE, 1, REMOTE | ODP)
        child = await right.mm.fork("child")
        await left.do(rdma(WrOpcode.RDMA_READ, BASE, 8, mine, BASE, theirs))
        await left.mm.store(BASE, b"device")
        await left.do(rdma(WrOpcode.RDMA_WRITE, BASE, 6, mine, BASE, theirs))
        assert await child.load(BASE, 6) == b"parent"
        assert await right.mm.load(BASE, 6) == b"device"

    return verdict(rig, body)


def locked_memory(mutant: Mutant | None) -> str:
    """Two registrations of which the limit allows one."""
    rig = Rig(DriverPolicy(mutant=mutant, memlock=4), nodes=1)

    async def body(rig: Rig) -> None:
        end = await open_end(rig.a, "program")
        await end.mm.mmap(BASE, 6 * PAGE, RW, fixed=True)
        await end.region(BASE, 3, LOCAL)
        with pytest.raises(MmError):
            await end.region(BASE + 3 * PAGE, 3, LOCAL)

    try:
        return verdict(rig, body)
    except pytest.fail.Exception:
        return "pinned past the limit"


def pinned_goes(mutant: Mutant | None) -> str:
    """A pinned region is deregistered under traffic."""
    rig = Rig(DriverPolicy(mutant=mutant), device=slow_memory)

    async def body(rig: Rig) -> None:
        left, right = await pair(rig)
        for end in (left, right):
            await end.mm.mmap(BASE, 2 * PAGE, RW, fixed=True)
        mine, theirs = await left.region(BASE, 2, LOCAL), await right.region(BASE, 2, REMOTE)
        await left.driver.post_send(left.qp, *(rdma(WrOpcode.RDMA_WRITE, BASE, PAGE, mine, BASE, theirs) for _ in range(8)))
        await rig.sched.sleep(4000)
        assert not await left.driver.poll_cq(left.cq), "the traffic is over"
        await right.driver.dereg_mr(theirs)
        await right.mm.munmap(BASE, 2 * PAGE)
        statuses = {(await left.completion()).status for _ in range(8)}
        assert statuses <= {WcStatus.SUCCESS, WcStatus.REM_ACCESS_ERR, WcStatus.WR_FLUSH_ERR}

    return verdict(rig, body)


def old_key(mutant: Mutant | None) -> str:
    """The holder of a key that was given up comes again when its index is somebody else's."""
    rig = Rig(DriverPolicy(mutant=mutant))

    async def body(rig: Rig) -> None:
        left, right = await pair(rig)
        for end in (left, right):
            await end.mm.mmap(BASE, 2 * PAGE, RW, fixed=True)
        mine = await left.region(BASE, 1, LOCAL | ODP)
        old = await right.region(BASE, 2, REMOTE | ODP)
        await right.driver.dereg_mr(old)
        await right.region(BASE, 2, REMOTE | ODP)
        done = await left.do(rdma(WrOpcode.RDMA_WRITE, BASE, 8, mine, BASE, old))
        assert done.status is WcStatus.REM_ACCESS_ERR, "an old key was served"

    return verdict(rig, body)


def few_items(mutant: Mutant | None) -> str:
    """More faults than work items."""
    rig = Rig(DriverPolicy(mutant=mutant, work_items=1), slow_task="hca_pf1", liveness=400_000)

    async def body(rig: Rig) -> None:
        left, right = await open_end(rig.a, "A"), await open_end(rig.b, "B")
        for end in (left, right):
            await end.mm.mmap(BASE, 4 * PAGE, RW, fixed=True)
        mine, theirs = await left.region(BASE, 4, LOCAL | ODP), await right.region(BASE, 4, REMOTE | ODP)
        await left.driver.advise_mr(left.pd, Advice.PREFETCH, FLAG_FLUSH, [Sge(BASE, 4 * PAGE, mine.lkey)])
        ends = await fan_out(left, right, 4)
        for n, end in enumerate(ends):
            await end.driver.post_send(end.qp, rdma(WrOpcode.RDMA_WRITE, BASE, 64, mine, BASE + n * PAGE, theirs))
        for _ in ends:
            await left.driver.req_notify(left.cq)
            await left.driver.wait_cq_event(left.cq)
            while await left.driver.poll_cq(left.cq):
                pass
            if rig.b.driver.stats.fault_records == len(ends):
                break

    return verdict(rig, body)


def nobody(mutant: Mutant | None) -> str:
    """A record of a queue pair that is gone."""
    rig = Rig(DriverPolicy(mutant=mutant), nodes=1)

    async def body(rig: Rig) -> None:
        await page_fault(rig.a.driver, FaultRecord(77, FaultDir.RESPONDER, True, 0x101, BASE, 8, 8, 0x104D))

    found = verdict(rig, body)
    if any(event[3] == CmdOp.RESUME for event in rig.seen(TraceEvent.HCA_COMMAND)):
        return "resumed"
    return found


SCENES: dict[Mutant, Scene] = {
    "free_before_fence": stream(WrOpcode.RDMA_READ),
    "no_invalidate": churn(range(2), implicit=False),
    "invalidate_short": churn(range(4), implicit=False),
    "table_after_invalidate": stream(WrOpcode.RDMA_WRITE),
    "fence_before_invalidate": stream(WrOpcode.RDMA_WRITE),
    "ignore_sequence": churn(range(2), implicit=False),
    "resume_before_table": one_fault,
    "forget_implicit": churn(range(2), implicit=True),
    "map_writable": shared_page,
    "pin_uncounted": locked_memory,
    "unpin_early": pinned_goes,
    "stale_key": old_key,
    "token_before": one_fault,
    "lost_wakeup": few_items,
    "missing_qp_resumed": nobody,
}


@pytest.mark.parametrize("mutant", get_args(Mutant))
def test_a_broken_driver_is_caught_and_the_whole_one_is_not(mutant: Mutant) -> None:
    scene = SCENES[mutant]
    assert scene(None) == ""
    found = scene(mutant)
    print(f"{mutant}: {found}")
    assert found, f"not caught: {MUTANT_TEXT[mutant]}"


def test_every_mutant_is_described() -> None:
    assert set(MUTANT_TEXT) == set(get_args(Mutant))
