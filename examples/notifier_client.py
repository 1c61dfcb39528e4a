"""A client of the MMU notifiers on a machine without a device: prints every callback with its context.

    .venv/bin/python examples/notifier_client.py

Copy it to try a driver's invalidation before there is hardware: put your device's table into Client, and let it read and write
through sw_stack.mm.secondary, where the oracle looks at every access.
"""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from hwif.memory import HostMemory
from hwif.shadow import Shadow
from hwif.trace import Trace
from sw_stack.mm import PROT_READ, PROT_WRITE, Machine, Mm
from sw_stack.mm.filemap import truncate, writeback
from sw_stack.notifier import MmuNotifier
from sw_stack.sched import Scheduler, SeededChooser, run_alone

PAGE = 4096
RW = PROT_READ | PROT_WRITE
BASE = 0x10_0000_0000
FRAMES = 256


class Client(MmuNotifier):
    """Writes down what it is told."""

    def __init__(self, sched: Scheduler) -> None:
        self.sched = sched
        self.during = ""
        self.rows: list[tuple[str, ...]] = []

    def note(self, what: str, pages: str = "") -> None:
        task = self.sched.task()
        locks = ", ".join(lock.lock_class.removesuffix("_lock") for lock in task.held)
        if self.rows and self.rows[-1][1:3] == (self.during, what) and what == "age_page":
            return  # the first says it
        self.rows.append((f"{self.sched.now:,}", self.during, what, pages, locks, "no" if task.atomic else "yes"))

    async def release(self, mm: Mm) -> None:
        self.note("release")

    async def age_page(self, mm: Mm, address: int) -> bool:
        self.note("age_page", pages(address, address + PAGE))
        return False

    async def invalidate_page(self, mm: Mm, address: int) -> None:
        self.note("invalidate_page", pages(address, address + PAGE))

    async def invalidate_range_begin(self, mm: Mm, start: int, end: int, atomic: bool) -> None:
        self.note("invalidate_range_begin", pages(start, end))

    async def invalidate_range_end(self, mm: Mm, start: int, end: int, atomic: bool) -> None:
        self.note("invalidate_range_end", pages(start, end))


def pages(start: int, end: int) -> str:
    """A range in pages of the area."""
    return f"{(start - BASE) // PAGE} to {(end - BASE) // PAGE - 1}"


async def life(machine: Machine, client: Client) -> None:
    """A short one, with something of everything."""
    mm = machine.new_mm("program")
    file = machine.new_file("data", 4)
    async with mm.mmap_lock.writing():
        mm.notifiers.register(client)
    await mm.mmap(BASE, 8 * PAGE, RW, fixed=True)
    await mm.mmap(BASE + 8 * PAGE, 4 * PAGE, RW, fixed=True, file=file, shared=True)
    for page in range(12):
        await mm.store(BASE + page * PAGE, b"content")

    client.during = "mprotect"
    await mm.mprotect(BASE, 2 * PAGE, PROT_READ)
    client.during = "fork"
    child = await mm.fork("child")
    client.during = "copy-on-write"
    await mm.store(BASE + 3 * PAGE, b"mine")
    await child.exit()
    client.during = "migration"
    await machine.migrate_page(mm, BASE + 4 * PAGE)
    client.during = "writeback"
    await writeback(file)
    client.during = "truncate"
    await truncate(file, 2)
    client.during = "reclaim"
    await machine.reclaim(1)
    client.during = "munmap"
    await mm.munmap(BASE, 2 * PAGE)
    client.during = "exit"
    await mm.exit()


def main() -> None:
    """Run it and show the table."""
    sched = Scheduler(SeededChooser(seed=1))
    machine = Machine(sched, HostMemory(FRAMES), Shadow(FRAMES), Trace())
    client = Client(sched)
    sched.spawn(life(machine, client), "program", cpu=0)
    run_alone(sched)
    table = Table("cycle", "during", "callback", "pages", "locks", "sleep", title="What a client is told")
    table.columns[2].no_wrap = True
    for row in client.rows:
        table.add_row(*row)
    Console().print(table)


if __name__ == "__main__":
    main()
