"""A read-only translation is cached, and the page becomes writable.

A device that has read a page holds a read-only translation. When the program may write it (mprotect, or copy-on-write after a
fork), nobody invalidates: an upgrade takes nothing away. A device that keeps answering "read-only" from its cache faults for ever
(Linux 6bbd42e2, secondary TLBs left with stale permissions). Here it must look again and find the writable entry, in one fault at
most (SD-7).
"""

from hwif.gen.hca import WcStatus
from sw_stack.mm import PROT_READ
from sw_stack.workloads.hca_stage import BASE, PAGE, RW, HcaNeeds, HcaStage, pattern

ROUNDS = 12
NEEDS = HcaNeeds()


async def play(stage: HcaStage) -> None:
    program, remote = await stage.process(0, 2), await stage.process(1, 2, tag=9)
    theirs, mine = await program.region(length=2 * PAGE), await remote.region(length=2 * PAGE)
    port, _ = await stage.connect(remote, program)
    for offset in stage.sweep(-2500, 2500, ROUNDS):
        await program.mm.store(BASE, pattern(1))
        await program.mm.mprotect(BASE, PAGE, PROT_READ)
        stage.check(await port.read(mine, BASE, 64, theirs, BASE) is WcStatus.SUCCESS, "read of a read-only page", BASE)
        faults = stage.drivers[0].stats.fault_records

        async def write() -> WcStatus:
            while (status := await port.write(mine, BASE + PAGE, 64, theirs, BASE)) is not WcStatus.SUCCESS:
                stage.saw("refused")  # the program may not write yet: the device must not either
                await stage.up(port, _)
            return status

        await stage.meet(offset, write(), program.mm.mprotect(BASE, PAGE, RW), device_cpu=remote.cpu)
        await stage.holds(program.mm, BASE, pattern(10, 64), what="what the device wrote")
        stage.saw("faults_of_an_upgrade", stage.drivers[0].stats.fault_records - faults)
    stage.expect("during")
    stage.expect("after")
    stage.expect("refused")
