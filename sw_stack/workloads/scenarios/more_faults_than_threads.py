"""More control blocks fault at once than the driver has threads.

Ninety-six control blocks miss within a few hundred cycles; the driver has two interrupt handlers and, for the half of them whose
misses go to the user, three threads that answer one at a time. No miss is lost, none is answered twice (FQ-1); those that wait do
not hold the others up (FQ-3, SD-4); a shootdown of everything, and a migration, come in the middle of it. Every load ends, with its
page's bytes.
"""

from sw_stack.workloads.device_user import DeviceUser
from sw_stack.workloads.stage import BASE, PAGE, Needs, Stage, pattern

PER_THREAD = 16
THREADS = 3  # of each of the two users
CBS = PER_THREAD * THREADS
NEEDS = Needs(cbrs=CBS, frames=256)


async def play(stage: Stage) -> None:
    mm = await stage.program(pages=2 * CBS)
    users = [await stage.user(mm, option="FMM_INTR"), await stage.user(mm, option="USER_POLL")]

    def page(which: int, cb: int) -> int:
        return which * CBS + cb

    async def thread(which: int, user: DeviceUser, first: int) -> None:
        cbs = range(first, first + PER_THREAD)
        for cb in cbs:
            await user.issue(cb, user.loading(cb, BASE + page(which, cb) * PAGE, 64))
        for cb in cbs:
            place = page(which, cb)
            stage.same("load", BASE + place * PAGE, await user.collect(cb, 64), pattern(1 + place, 64))

    async def load_all() -> None:
        await stage.join(
            *(
                stage.spawn(index % 2, thread(which, user, index * PER_THREAD), f"thread {which}.{index}")
                for which, user in enumerate(users)
                for index in range(THREADS)
            )
        )

    async def disturb(number: int) -> None:
        await users[0].forget(BASE, 2 * CBS * PAGE)
        await stage.machine.migrate_page(mm, BASE + number * 5 % (2 * CBS) * PAGE)

    for number, offset in enumerate(stage.sweep(-3000, 40_000, rounds=9)):
        await users[0].forget(BASE, 2 * CBS * PAGE)
        await stage.meet(offset, load_all(), disturb(number))

    stage.expect("during")
    stage.expect("migrated", at_least=5)
    stage.expect("peak_misses", at_least=CBS)
    stage.expect("intr_fmm", at_least=6 * CBS)
    stage.expect("call_os", at_least=6 * CBS)
