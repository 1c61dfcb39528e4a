"""A process exits while its device's faults are outstanding.

Control blocks have missed, or are about to; some misses wait for the interrupt handler, some for a user who sleeps, one for a page
in swap; then the process exits. release comes first: the contexts are unloaded, which answers or abandons every miss, and nothing
is called afterwards (MN-4). The users are told that the context is gone. The frames go to another process at once: no access of the
dead one reaches them (SD-1, SD-2), and another user of the device notices nothing.
"""

from sw_stack.drivers.gru.state import GruError
from sw_stack.mm import Mm
from sw_stack.workloads.device_user import DeviceUser
from sw_stack.workloads.stage import BASE, PAGE, RW, Needs, Stage, pattern

CBS = 4
NEEDS = Needs(cbrs=CBS)


async def play(stage: Stage) -> None:
    bystander = await stage.program(pages=1, name="bystander", tag=90)
    witness = await stage.user(bystander)

    async def use(user: DeviceUser) -> None:
        for cb in range(CBS):
            try:
                await user.issue(cb, user.filling(BASE + cb * PAGE, 7, 64))
            except GruError:
                stage.saw("refused")
                return
        for cb in range(CBS):
            try:
                stage.saw("written", int(user.completed(await user.wait(cb), BASE + cb * PAGE)))
            except GruError:
                stage.saw("abandoned")

    async def leave(mm: Mm, heir: Mm) -> None:
        await mm.exit()
        for page in range(CBS):
            await heir.store(BASE + page * PAGE, pattern(50 + page))

    for number, offset in enumerate(stage.sweep(-8000, 12_000, rounds=40)):
        mm = await stage.program(pages=CBS, name=f"process {number}")
        heir = await stage.program(name="heir")
        await heir.mmap(BASE, CBS * PAGE, RW, fixed=True)
        user = await stage.user(mm, option="USER_POLL" if number % 2 else "FMM_INTR")
        await user.load(0, BASE)  # the context is loaded
        await user.forget(BASE, PAGE)
        if number % 4 == 0:
            await stage.machine.reclaim(CBS)
        await stage.meet(offset, use(user), leave(mm, heir))
        stage.same("load of the bystander", BASE, await witness.load(0, BASE, 64), pattern(90, 64))
        for page in range(CBS):
            await stage.holds(heir, BASE + page * PAGE, pattern(50 + page), what="page of the next owner")
        await heir.exit()

    stage.expect("during", at_least=5)
    stage.expect("before")
    stage.expect("written", at_least=10)
    stage.expect("abandoned", at_least=10)
    stage.expect("refused")
    stage.expect("swapped_out", at_least=10)
