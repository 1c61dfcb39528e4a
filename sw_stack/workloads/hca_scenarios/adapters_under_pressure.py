"""A smart adapter and a dumb one under the same memory pressure.

Both serve a buffer larger than memory. On demand all of it can be registered, and written from afar page after page: what was used
longest ago goes to swap meanwhile, also by faults of the region's own, which hold nothing that reclaim needs (Linux, June 2025:
a fill that reclaims its own region). Pinned, the whole is refused and gives back what it had taken; a part that fits is served
without one fault, and keeps its frames while everything else pays; and there may be no hole in it.
"""

import errno

from hwif.gen.hca import WcStatus
from sw_stack.drivers.hca import DriverPolicy
from sw_stack.mm import MmError
from sw_stack.workloads.hca_stage import ALL, BASE, ODP, PAGE, RW, HcaNeeds, HcaStage, pattern

FRAMES = 112
PAGES = 128
PART = 6
HOLE = BASE + 0x1000_0000
NEEDS = HcaNeeds(frames=(FRAMES, 768), policies=(DriverPolicy(keys=64), DriverPolicy()))


async def play(stage: HcaStage) -> None:
    program, remote = await stage.process(0), await stage.process(1, 1, tag=1)
    mm, stats, machine = program.mm, stage.drivers[0].stats, stage.machines[0]
    await mm.mmap(BASE, PAGES * PAGE, RW, fixed=True)
    mine = await remote.region(access=ALL)
    port, _ = await stage.connect(remote, program)

    async def refused(start: int, pages: int, wanted: int) -> None:
        free = machine.frames.free
        try:
            await program.region(start, pages * PAGE, ALL)
            stage.fail("a registration", start, "was not refused")
        except MmError as error:
            stage.check(error.errno == wanted, "refusal of a registration", start, str(error))
            stage.saw("refused")
        pinned = stats.pages_pinned - stats.pages_unpinned
        stage.check(pinned == 0, "pins after a refusal", start, f"{pinned} left, {free} frames were free")

    stage.announce(PAGES)
    await refused(BASE, PAGES, errno.ENOMEM)
    await mm.mmap(HOLE, PAGE, RW, fixed=True)
    await mm.mmap(HOLE + 2 * PAGE, PAGE, RW, fixed=True)
    await refused(HOLE, 3, errno.EFAULT)
    smart = await program.region(length=PAGES * PAGE, access=ODP)
    dumb = await program.region(length=PART * PAGE, access=ALL)
    places = [BASE + page * PAGE for page in range(PART)]
    frames, faults = [stage.frame(mm, place) for place in places], stats.fault_records
    for page in range(PAGES):
        await remote.mm.store(BASE, pattern(1 + page))
        region = dumb if page < PART else smart
        status = await port.write(mine, BASE, PAGE, region, BASE + page * PAGE)
        stage.check(status is WcStatus.SUCCESS, "write", BASE + page * PAGE, status.name)
        if page == PART - 1:
            stage.check(stats.fault_records == faults, "faults of the dumb adapter", BASE, f"{stats.fault_records - faults}")
        stage.round()
    for place in places:
        await mm.touch(place, write=False)  # reclaim may have unmapped it, in vain
    stage.check([stage.frame(mm, place) for place in places] == frames, "frames of pinned pages", BASE, "changed under pressure")
    for page in range(PAGES):
        await stage.holds(mm, BASE + page * PAGE, pattern(1 + page))
    stage.expect("refused", at_least=2)
    stage.expect("swapped_out", at_least=PAGES - FRAMES)
    stage.expect("fault_records", at_least=PAGES - PART)
    stage.expect("invalidate_page", at_least=PAGES - FRAMES)
