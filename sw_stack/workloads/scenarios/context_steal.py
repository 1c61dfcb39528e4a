"""Contexts are stolen with faults pending.

Twenty-four processes want a context and the device has sixteen. Each starts loads that miss and looks at them only later: by then a
thief has unloaded the context with the misses in it. What a control block was doing, its fault included, is saved with the context
and goes on wherever it is loaded next. The pages migrate in between, so the translation that was right before the theft is wrong
after it (SD-1, SD-3). A context whose misses go to the interrupt handler cannot be unloaded before they are answered.

Every load ends with the bytes of its page and its address space, and the data segment comes back as it was.
"""

from sw_stack.drivers.gru.policy import DriverPolicy
from sw_stack.workloads.stage import BASE, PAGE, Needs, Stage, pattern

USERS = 24
LOADS = 2
TURNS = 6
KEPT = 512  # place in the data segment that no load uses
NEEDS = Needs(cbrs=LOADS, frames=256, policy=DriverPolicy(assign_delay=2000, steal_delay=5000))


async def play(stage: Stage) -> None:
    async def life(index: int) -> None:
        mm = await stage.program(pages=LOADS, name=f"user {index}", tag=10 * index + 1)
        polls = index % 3 > 0
        user = await stage.user(mm, option="USER_POLL" if polls else "FMM_INTR")
        await user.write_dsr(KEPT, pattern(1000 + index, 64))
        for turn in range(TURNS):
            await user.forget(BASE, LOADS * PAGE)
            for cb in range(LOADS):
                await user.issue(cb, user.loading(cb, BASE + cb * PAGE, 64))
            await stage.sched.sleep(stage.rng.choice((0, 500, 2000, 10_000, 30_000)))
            stage.saw("stolen_with_faults_pending", int(polls and user.gts.ts_gru is None))
            await stage.machine.migrate_page(mm, BASE + turn % LOADS * PAGE)
            for cb in range(LOADS):
                found = await user.collect(cb, 64)
                stage.same(f"load of user {index}", BASE + cb * PAGE, found, pattern(10 * index + 1 + cb, 64))
            stage.round()
        stage.same("data segment", 0, await user.read_dsr(KEPT, 64), pattern(1000 + index, 64))

    stage.announce(USERS * TURNS)
    await stage.join(*(stage.spawn(index % 2, life(index), f"user {index}") for index in range(USERS)))

    stage.expect("steal_user_context", at_least=20)
    stage.expect("stolen_with_faults_pending", at_least=6)
