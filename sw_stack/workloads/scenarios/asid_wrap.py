"""ASIDs wrap while contexts are live.

The driver has room for seven blocks of ASIDs. Three programs keep their contexts loaded and copy without pause; others come, run,
and go, and one lets its mapping change while it is unloaded, which costs it its ASID. So a free block is wanted all the time, the
search passes the end, and the generation counts up. A block in use is not given out again, and one that is comes without old
entries: the TLB is emptied first (SD-6). All programs use the same addresses with bytes of their own, so a translation of another
address space shows at once.
"""

from sw_stack.drivers.gru.policy import DriverPolicy
from sw_stack.workloads.stage import BASE, PAGE, RW, Needs, Stage, pattern

LIVE = 3
COMERS = 24
NEEDS = Needs(cbrs=2, frames=256, policy=DriverPolicy(max_asid=0x40))


async def play(stage: Stage) -> None:
    stop = False

    async def live(index: int) -> None:
        mm = await stage.program(pages=2, name=f"live {index}", tag=10 * index + 1)
        user = await stage.user(mm)
        while not stop:
            stage.check(await user.copy(0, BASE, BASE + PAGE, 1024), "copy", BASE, "ended in an exception")
            await stage.holds(mm, BASE + PAGE, pattern(10 * index + 1, 1024), what=f"copy of live {index}")
            await stage.sched.sleep(4000)

    async def passing(number: int) -> None:
        mm = await stage.program(pages=1, name=f"comer {number}", tag=1000 + number)
        user = await stage.user(mm)
        stage.same(f"load of comer {number}", BASE, await user.load(0, BASE, 64), pattern(1000 + number, 64))
        await stage.driver.close(user.gts)
        await mm.exit()

    async def restless() -> None:
        mm = await stage.program(name="restless")
        user = await stage.user(mm)
        turn = 0
        while not stop:
            turn += 1
            await mm.mmap(BASE, PAGE, RW, fixed=True)
            await mm.store(BASE, pattern(5000 + turn))
            stage.same("load of restless", BASE, await user.load(1, BASE, 64), pattern(5000 + turn, 64))
            await stage.driver.gru_user_unload_context(user.gts)
            await mm.munmap(BASE, PAGE)

    tasks = [stage.spawn(1, live(index), f"live {index}") for index in range(LIVE)]
    tasks.append(stage.spawn(0, restless(), "restless"))
    for number, delay in enumerate(stage.sweep(0, 4000, rounds=COMERS)):
        await stage.sched.sleep(delay)
        await passing(number)
    stop = True
    await stage.join(*tasks)

    stage.expect("asid_wrap", at_least=3)
    stage.expect("asid_new", at_least=COMERS)
    stage.expect("flush_tlb_gru_zero_asid", at_least=5)
