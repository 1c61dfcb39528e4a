"""Pinned pages: reclaim and migration cannot move them, and the limit of locked memory holds.

A dumb adapter's region keeps its frames under memory pressure and under traffic: neither reclaim nor migration livelocks over them,
other pages go instead, and the process and the device see the same bytes throughout. More than RLIMIT_MEMLOCK is refused, also
when two registrations come at once. Given up, the pages can be moved again.
"""

import errno

from hwif.gen.hca import WcStatus
from sw_stack.drivers.hca import DriverPolicy, Mr
from sw_stack.mm import MmError
from sw_stack.workloads.hca_stage import ALL, BASE, PAGE, HcaNeeds, HcaStage, pattern

PAGES = 6
PINNED = 4
ROUNDS = 10
NEEDS = HcaNeeds(policies=(DriverPolicy(memlock=PINNED + 1), DriverPolicy()))


async def play(stage: HcaStage) -> None:
    program, remote = await stage.process(0, PAGES), await stage.process(1, PINNED, tag=9)
    mine = await remote.region(length=PINNED * PAGE, access=ALL)
    port, _ = await stage.connect(remote, program)
    machine, places = stage.machines[0], [BASE + page * PAGE for page in range(PINNED)]

    async def pin(number: int) -> Mr | None:
        await stage.sched.sleep(number * stage.rng.randrange(600))
        try:
            return await program.region(length=PINNED * PAGE, access=ALL)
        except MmError as error:
            stage.check(error.errno == errno.ENOMEM, "refusal of a registration", BASE, str(error))
            stage.saw("refused")
            return None

    async def use(theirs: Mr) -> None:
        for _ in range(4):
            status = await port.write(mine, BASE, PINNED * PAGE, theirs, BASE)
            stage.check(status is WcStatus.SUCCESS, "write", BASE, status.name)

    async def press() -> None:
        for _ in range(2):
            await machine.reclaim(PAGES)
            for place in places:
                stage.check(not await machine.migrate_page(program.mm, place), "migration of a pinned page", place, "it moved")

    for offset in stage.sweep(-40_000, 15_000, ROUNDS):
        for page in range(PAGES):
            await program.mm.store(BASE + page * PAGE, pattern(1 + page))
        tasks = [stage.spawn(program.cpu + n, pin(n), f"registration {n}") for n in range(2)]
        made = [mr for mr in await stage.join(*tasks) if mr is not None]
        if not stage.check(len(made) == 1, "registrations within the limit", BASE, f"{len(made)} of 2, one fits"):
            return
        (theirs,) = made
        frames = [stage.frame(program.mm, place) for place in places]
        await stage.meet(offset, use(theirs), press(), device_cpu=remote.cpu)
        for place in places:
            await program.mm.touch(place, write=False)  # reclaim may have unmapped it, in vain
        stage.check([stage.frame(program.mm, place) for place in places] == frames, "frames of pinned pages", BASE, "changed")
        for page, place in enumerate(places):
            await stage.holds(program.mm, place, pattern(9 + page))
        await program.driver.dereg_mr(theirs)
        for place in places:
            await program.mm.touch(place, write=False)
            stage.saw("moved_after", int(await machine.migrate_page(program.mm, place)))
    stage.expect_orders()
    stage.expect("refused", at_least=ROUNDS)
    stage.expect("swapped_out", at_least=ROUNDS)
    stage.expect("moved_after", at_least=ROUNDS)
