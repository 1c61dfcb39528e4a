"""Machines without a device, for experiments of the software stack alone.

Promises: what a run leaves behind is audited; a broken rule of the VM, of the notifiers, of lockdep or of the oracle is a
RuleBrokenError. The same seed gives the same cycles. Needs: `close` at the end, or a `with`.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final

from hwif.loop import StalledError
from hwif.memory import HostMemory
from hwif.shadow import Shadow
from hwif.trace import Trace
from shootdown.claims.base import RuleBrokenError
from shootdown.rules import BREAKS, broken
from sw_stack.mm import Machine, Mm
from sw_stack.mm.check import audit
from sw_stack.sched import Scheduler, SeededChooser, run_alone
from sw_stack.workloads.stage_base import BASE, PAGE, RW

__all__ = ["BASE", "PAGE", "RW", "Alone", "fill", "rules"]

RECORDS: Final = 8
"""Records of the oracle a frame may have, on average."""


@contextmanager
def rules() -> Iterator[None]:
    """Turns what breaks a rule into RuleBrokenError."""
    try:
        yield
    except BREAKS as error:
        raise RuleBrokenError(*broken(error)) from error
    except StalledError as error:
        raise RuleBrokenError("STALL", str(error)) from error


class Alone:
    """One machine of `frames`, and as many more as `another` is asked for: one clock, one trace."""

    def __init__(self, frames: int, seed: int, *, swap: int | None = None, oom_killer: bool = False) -> None:
        self.sched = Scheduler(SeededChooser(seed))
        self.trace = Trace()
        shadow = Shadow(frames, RECORDS * frames + 64)
        self.machine = Machine(self.sched, HostMemory(frames), shadow, self.trace, swap_slots=swap, oom_killer=oom_killer)
        self.machines = [self.machine]

    def another(self, frames: int) -> Machine:
        """A further machine, another instance of the operating system."""
        machine = Machine(self.sched, HostMemory(frames), Shadow(frames, RECORDS * frames + 64), self.trace, node=1)
        self.machines.append(machine)
        return machine

    def run(self, *bodies: Coroutine[Any, Any, Any]) -> list[Any]:
        """Run these together, each on a processor of its own, to their ends; their results."""
        tasks = [self.sched.spawn(body, f"task {number}", number) for number, body in enumerate(bodies)]
        with rules():
            run_alone(self.sched)
        return [task.result for task in tasks]

    def end(self) -> None:
        """Everybody has exited: every account must balance."""
        with rules():
            for machine in self.machines:
                for mm in list(machine.mms.values()):
                    self.run(mm.exit())
                audit(machine, quiet=True)

    def __enter__(self) -> Alone:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.sched.close()


async def fill(mm: Mm, pages: int, base: int = BASE) -> None:
    """Map pages and store to each."""
    if not pages:
        return
    await mm.mmap(base, pages * PAGE, RW, fixed=True)
    for page in range(pages):
        await mm.store(base + page * PAGE, (page + 1).to_bytes(8, "little"))
