"""What a play is made of: the stage under it, and how it says that something is wrong.

A play is prepared once and then played round after round on the same machine: `actors` makes the tasks of a round, `settle` checks
what came of them and restores what `prepare` left. A round that fails ends the machine; the next begins on a new one.

Promises: a play that keeps to its contract plays the same whether it is the first round of a machine or the thousandth.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, get_args

from hwif.memory import HostMemory
from hwif.shadow import Shadow
from hwif.trace import Trace
from sw_stack.drivers.gru.driver import GruDriver
from sw_stack.drivers.gru.handles import tgh_flush_all, tgh_wait
from sw_stack.drivers.gru.policy import DriverPolicy, Mutant, Race
from sw_stack.mm import PROT_READ, PROT_WRITE
from sw_stack.mm.historical import Historical
from sw_stack.mm.machine import Machine
from sw_stack.mm.mm import Mm
from sw_stack.sched import Scheduler
from sw_stack.sched.steered import LIMIT, SteeredScheduler
from sw_stack.workloads.device_user import SLICE_BYTES, DeviceUser

__all__ = ["BASE", "PAGE", "RW", "Actor", "GruPlay", "Planted", "Play", "PlayError"]

PAGE = 4096
BASE = 0x10_0000
RW = PROT_READ | PROT_WRITE


class PlayError(Exception):
    """Something does not hold that a play says must hold."""


class Actor(NamedTuple):
    """A task of a round. `name`: one word."""

    name: str
    cpu: int
    body: Coroutine[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Planted:
    """A defect that can be switched on. `rows`: its numbers in the project's list of races real systems had. `text`: what is
    wrong. `steps`: of the shortest schedule known that shows it. `switch`: what the play is to set, e.g. a driver's mutant."""

    rows: tuple[int, ...]
    text: str
    steps: int
    switch: str


class Play:
    """Software alone, on one machine."""

    DEVICE: ClassVar[str | None] = None
    FRAMES: ClassVar[int] = 48
    LIMIT: ClassVar[int | None] = None
    """Points after which what is in a `hurry` has no end, several times what it needs; None: the scheduler's limit, far more."""
    PLANTED: ClassVar[Mapping[str, Planted]] = {}

    def __init__(self, sched: Scheduler, trace: Trace, planted: str | None = None) -> None:
        self.sched = sched
        self.trace = trace
        self.planted = planted
        memory, shadow = HostMemory(self.FRAMES), Shadow(self.FRAMES, 16 * self.FRAMES)
        self.nodes: Sequence[tuple[HostMemory, Shadow]] = ((memory, shadow),)
        self.machine = Machine(sched, memory, shadow, trace, historical=self.historical())

    @property
    def switch(self) -> str | None:
        """What the planted defect sets."""
        return None if self.planted is None else self.PLANTED[self.planted].switch

    def switched(self, *choices: Any) -> Any:
        """What the planted defect sets, if it is a choice of one of these Literals; else None."""
        return self.switch if any(self.switch in get_args(choice) for choice in choices) else None

    def historical(self) -> Historical:
        """Mistakes of the virtual memory and its notifiers, if the planted defect is one."""
        return Historical(**{self.switch: True}) if self.switch in Historical.names() else Historical()

    async def prepare(self) -> None:
        """Once, before the first round."""

    def actors(self) -> Sequence[Actor]:
        """Who plays a round."""
        raise NotImplementedError

    async def settle(self) -> None:
        """After a round: check, and go back to the beginning."""

    def hurry(self, hurry: bool) -> None:
        """Hold what is played to LIMIT from here on, or no longer: what goes round for ever is found out sooner."""
        if self.LIMIT is not None and isinstance(self.sched, SteeredScheduler):
            self.sched.limit = self.LIMIT if hurry else LIMIT

    def check(self, condition: bool, what: str) -> None:
        """PlayError unless it holds."""
        if not condition:
            raise PlayError(what)

    async def program(self, name: str, pages: int = 1, base: int = BASE) -> Mm:
        """An address space with pages at `base`, page n full of the byte n + 1."""
        mm = self.machine.new_mm(name)
        await mm.mmap(base, pages * PAGE, RW, fixed=True)
        for page in range(pages):
            await mm.store(base + page * PAGE, bytes([page + 1]) * 8)
        return mm


class GruPlay(Play):
    """A GRU below, and its driver."""

    DEVICE: ClassVar[str | None] = "gru"

    def __init__(self, sched: Scheduler, trace: Trace, planted: str | None = None) -> None:
        super().__init__(sched, trace, planted)
        self.driver = GruDriver(sched, trace, self.nodes[0][1], policy=self.policy())
        self.driver.start()

    def policy(self) -> DriverPolicy:
        """How the driver is set up; a planted defect may be a mistake of its own."""
        return DriverPolicy(mutant=self.switched(Mutant, Race))

    async def user(self, mm: Mm, cbs: int = 1, cpu: int | None = None) -> DeviceUser:
        """A context open on the device."""
        gts = await self.driver.open(mm, cbrs=cbs, dsr_bytes=cbs * SLICE_BYTES, cpu=cpu)
        return DeviceUser(self.driver, gts, self._failed)

    async def purge(self) -> None:
        """Empty the device's TLB, past the driver and whatever is wrong with it."""
        port = self.driver.grus[0].gs_port
        await tgh_flush_all(port, 0)
        await tgh_wait(port, 0)

    def _failed(self, what: str, address: int, detail: str) -> None:
        raise PlayError(f"{what} at {address:#x}: {detail}")
