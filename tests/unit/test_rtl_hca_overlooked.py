"""What other tests of the HCA's memory side passed over, as mutants of its RTL showed: switched off in the middle, nothing to
wait for, who comes first when walkers are short.
"""

from __future__ import annotations

from support import hca_mmu_rig
from support.hca_mmu_rig import Make

from hwif.gen import hca as h
from tb.hca_xlt.checked import Ask
from tb.hca_xlt.rig import KEY, page_shoot, rig, uses
from tb.hca_xlt.world import PAGE
from tb.hil.hca_lines import word_of

SLOTS, WALKERS = 8, 32
NEVER = (1 << 64) - 1
make = hca_mmu_rig.make


def test_invalidations_end_with_the_block() -> None:
    """Every slot is busy with a sweep; after off and on all are free in the first cycle and nothing goes on."""
    with rig() as it:
        for number in range(SLOTS):
            assert it.cycle(shoot=page_shoot(0, 1 << 20, tag=number)).inv_ready
        assert not it.cycle(shoot=page_shoot(5, tag=9)).inv_ready
        it.cycle(enable=False)
        assert it.cycle().quiescent
        assert all(it.cycle(shoot=page_shoot(5, tag=number)).inv_ready for number in range(SLOTS))
        assert not it.cycle().quiescent, "these are swept"
        it.idle(300)
        assert it.cycle().quiescent


def test_who_found_no_walker_is_served_in_turn() -> None:
    """Three times as many misses as walkers, each walk as long as the others: answers come in the order of the questions."""
    pages = [page * 8 for page in range(1, 3 * WALKERS)]
    with rig(latency=(100, 100)) as it:
        for page in (0, *pages):
            it.map(page)
        it.lookup(0, use=uses(128)[-1])
        answers = it.stream([Ask(use, KEY, page * PAGE) for use, page in zip(uses(len(pages)), pages)])
        times = [answer.answered for answer in answers]
        assert times == sorted(times)


def test_no_deadline_while_no_line_is_timed(make: Make) -> None:
    """A record waits: whether the block has to be woken depends on enable, delay and count."""
    mmu = make()

    def deadline(*, enable: int, count: int, delay: int) -> int:
        mmu.write(h.FqCoalesceReg.offset, word_of(h.FqCoalesceReg, count=count, delay=delay))
        mmu.write(h.IrqEnableReg.offset, enable)
        return int(mmu.settle().deadline)

    mmu.fault(0, h.FaultDir.REQUESTER)
    mmu.settle()
    due = mmu.when("record") + 100_000
    for enable in (1, 0, 6, 7):
        found = deadline(enable=enable, count=3, delay=100_000)
        assert found == NEVER if not enable & 1 else abs(found - due) <= 2
    assert deadline(enable=1, count=3, delay=0) == NEVER, "0: never"
    assert mmu.idle(50).irq == 0
    assert deadline(enable=1, count=1, delay=100_000) == NEVER, "enough wait"
    assert mmu.step().irq == 1
