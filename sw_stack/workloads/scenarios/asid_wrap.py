"""ASIDs wrap while contexts are live.

Three programs keep their contexts loaded and copy. One lets its mapping change while its context is unloaded, over and over, which
costs it its ASID each time; others come, run, and go. So new ASIDs are wanted all the time: the search passes the end, skips those
in use, and the generation counts up. A block that is given out again comes without old entries: the TLB is emptied first (SD-6).

All programs use the same addresses with bytes of their own, and there are enough ASIDs that some share a set of the TLB with those
of the live ones: a translation of another address space shows at once.
"""

from sw_stack.drivers.gru.policy import DriverPolicy
from sw_stack.workloads.stage import BASE, DEVICE_CPU, PAGE, RW, Needs, Stage, pattern

LIVE = 3
ROUNDS = 260
COMER_EVERY = 10
NEEDS = Needs(policy=DriverPolicy(max_asid=0x430))  # 133 blocks; one in 128 falls into the same set


async def play(stage: Stage) -> None:
    stop = False

    async def live(index: int) -> None:
        mm = await stage.program(pages=2, name=f"live {index}", tag=10 * index + 1)
        user = await stage.user(mm)
        while not stop:
            stage.check(await user.copy(0, BASE, BASE + PAGE, 256), "copy", BASE, "ended in an exception")
            await stage.holds(mm, BASE + PAGE, pattern(10 * index + 1, 256), what=f"copy of live {index}")
            await stage.sched.sleep(60_000)

    async def comer(number: int) -> None:
        mm = await stage.program(pages=1, name=f"comer {number}", tag=1000 + number)
        user = await stage.user(mm)
        stage.same(f"load of comer {number}", BASE, await user.load(0, BASE, 64), pattern(1000 + number, 64))
        await stage.driver.close(user.gts)
        await mm.exit()

    tasks = [stage.spawn(DEVICE_CPU, live(index), f"live {index}") for index in range(LIVE)]
    mm = await stage.program(name="restless")
    user = await stage.user(mm)
    for number, delay in enumerate(stage.sweep(0, 1000, ROUNDS)):
        await stage.sched.sleep(delay)
        if number % COMER_EVERY == 0:
            await comer(number)
        await mm.mmap(BASE, 2 * PAGE, RW, fixed=True)
        for page in (BASE, BASE + PAGE):  # in this order each gets the frame the other had
            await mm.store(page, pattern(5000 + number, 64))
        stage.same("load of restless", BASE, await user.load(1, BASE, 64), pattern(5000 + number, 64))
        await stage.driver.gru_user_unload_context(user.gts)
        await mm.munmap(BASE, 2 * PAGE)
    stop = True
    await stage.join(*tasks)

    stage.expect("asid_wrap", at_least=2)
    stage.expect("asid_new", at_least=ROUNDS)
    stage.expect("flush_tlb_gru_zero_asid", at_least=ROUNDS // 2)
