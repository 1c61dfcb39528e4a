"""A miss is answered twice, the second time too late.

The interrupt handler and the user may both come to answer one miss (the driver's TFH protocol keeps them apart; a driver under
development need not). Here the second answer is written when the miss is long over and its page has gone to another frame. A
fault handle without a pending miss takes no drop-in: what would enter has not been compared with the shootdowns since (SD-3), and
the next access would go through a dead translation (SD-1).
"""

from hwif.gen.gru import PAGE_SHIFT, REGION_LSB
from sw_stack.drivers.gru.handles import gru_pagesize, tfh_write_restart
from sw_stack.workloads.stage import BASE, PAGE, RW, Needs, Stage, pattern

ROUNDS = 16
NEEDS = Needs(cbrs=2)


async def play(stage: Stage) -> None:
    mm = await stage.program(pages=1)
    user = await stage.user(mm)
    stage.announce(ROUNDS)
    for number in range(ROUNDS):
        await mm.store(BASE, pattern(1))
        stage.same("load", BASE, await user.load(0, BASE, 64), pattern(1, 64))
        stage.same("load by another", BASE, await user.load(1, BASE, 64), pattern(1, 64))
        old = stage.frame(mm, BASE)

        await mm.munmap(BASE, PAGE)
        other = await mm.mmap(None, PAGE, RW)
        await mm.store(other, pattern(3))  # the old frame has a new owner
        await mm.mmap(BASE, PAGE, RW, fixed=True)
        await mm.store(BASE, pattern(2))
        stage.check(old is not None and stage.frame(mm, BASE) != old, "remapped", BASE, "to the same frame")

        gru, asid = user.gts.ts_gru, user.gts.ts_gms.ms_asids[0].mt_asid + (BASE >> REGION_LSB)
        if stage.check(gru is not None, "context", BASE, "is not loaded") and gru is not None and old is not None:
            cbr = user.gts.thread_cbr_number(number % 2)
            line = await gru.gs_port.read_line(gru.gs_port.tfh(cbr))
            await tfh_write_restart(gru.gs_port, cbr, line, BASE, asid, old, True, gru_pagesize(PAGE_SHIFT))
            stage.saw("late_answers")
        stage.same("load afterwards", BASE, await user.load(0, BASE, 64), pattern(2, 64))
        await user.fill(1, BASE, number, 8)
        await stage.holds(mm, other, pattern(3), what="the old frame's new owner")
        stage.round()

    stage.expect("late_answers", at_least=ROUNDS)
