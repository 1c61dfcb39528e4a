"""Every kind of client on one address space, with the device below it.

Two control blocks of the GRU, a guest with today's notifiers and one that holds references, a GPU, an adapter behind a registration
cache and an attached process all count in the same pages, while the program has them moved, swapped out, protected, written back,
locked and copied by fork. Every client hears of everything (MN-1, MN-3), each gives up what it holds in its own way, and no
addition of anybody is lost (MN-6).
"""

from sw_stack.mm.filemap import truncate, writeback
from sw_stack.mm.types import PROT_READ
from sw_stack.workloads.company import Company
from sw_stack.workloads.stage import BASE, PAGE, RW, Needs, Stage

ANON, FILE = 3, 2  # pages of each kind
PAGES = ANON + FILE
ADDS = 10  # by each client in a round
ROUNDS = 10
NEEDS = Needs(cbrs=2, frames=128)


async def play(stage: Stage) -> None:
    machine = stage.machine
    mm = await stage.program()
    file = machine.new_file("file", FILE)
    await mm.mmap(BASE, ANON * PAGE, RW, fixed=True)
    await mm.mmap(BASE + ANON * PAGE, FILE * PAGE, RW, fixed=True, file=file, shared=True)
    user = await stage.user(mm)
    company = Company(stage, mm, BASE, PAGES, (machine,), cpu=2)
    await company.open()
    totals = [[0] * PAGES for _ in range(2)]

    async def device() -> None:
        await stage.join(*(stage.spawn(1, count(cb), f"control block {cb}") for cb in range(2)))

    async def count(cb: int) -> None:
        for _ in range(ADDS):
            page = stage.rng.randrange(PAGES)
            while await user.add(cb, BASE + page * PAGE + 8 * cb, 1) is None:
                await stage.sched.sleep(stage.rng.randrange(1, 3000))  # the right to write was taken away
            totals[cb][page] += 1

    async def disturb(number: int) -> None:
        for page in range(PAGES):
            place = BASE + page * PAGE
            await mm.mprotect(place, PAGE, PROT_READ)
            await mm.mprotect(place, PAGE, RW)
            stage.saw("moved", int(await machine.migrate_page(mm, place)))
        await machine.reclaim(3)
        await writeback(file)
        await mm.mlock(BASE, PAGE)
        await mm.munlock(BASE, PAGE)
        if number % 3 == 0:
            await company.fork(20_000)

    for number, offset in enumerate(stage.sweep(-30_000, 30_000, rounds=ROUNDS)):
        tasks = company.start(ADDS)
        await stage.meet(offset, device(), disturb(number))
        await stage.join(*tasks)
        await company.check()
        for cb, counts in enumerate(totals):
            for page, total in enumerate(counts):
                await stage.holds(mm, BASE + page * PAGE + 8 * cb, total.to_bytes(8, "little"), what="count of the device")
    await company.close()
    await truncate(file, 0)
    stage.expect("during")
    company.expect(at_least=ROUNDS * ADDS)
    for name in ("moved", "fault_cow", "written_back", "swapped_out", "pinned"):
        stage.expect(name)
