"""The GRU's stage: one machine, its driver, and users with contexts open on the device (stage_base.py has the rest)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from sw_stack.drivers.gru.driver import GruDriver
from sw_stack.drivers.gru.policy import DriverPolicy, UserOption
from sw_stack.drivers.gru.state import GruError
from sw_stack.mm.machine import Machine
from sw_stack.mm.mm import Mm
from sw_stack.sched import Scheduler
from sw_stack.workloads.device_user import SLICE_BYTES, DeviceUser
from sw_stack.workloads.stage_base import BASE, DEVICE_CPU, PAGE, PROGRAM_CPU, RW, StageBase, pattern

__all__ = ["BASE", "DEVICE_CPU", "PAGE", "PROGRAM_CPU", "RW", "Needs", "Stage", "pattern"]


@dataclass(frozen=True)
class Needs:
    """What a scenario needs: `frames` of memory, `cbrs` control blocks in each context, and how the driver is set up."""

    frames: int = 128
    cbrs: int = 2
    policy: DriverPolicy = field(default_factory=DriverPolicy)


class Stage(StageBase):
    """One run of one scenario. `build(...).start()` sets it going; the run is over when the scheduler has finished."""

    broken_by = (*StageBase.broken_by, GruError)

    def __init__(
        self,
        play: Callable[[Stage], Coroutine[Any, Any, None]],
        sched: Scheduler,
        machine: Machine,
        driver: GruDriver,
        seed: int,
        *,
        cbrs: int,
    ) -> None:
        super().__init__(sched, (machine,), seed)
        self.machine = machine
        self.driver = driver
        self._play = play
        self._cbrs = cbrs
        self._users: list[DeviceUser] = []

    async def user(
        self, mm: Mm, *, cbrs: int | None = None, option: UserOption | None = None, cpu: int | None = None
    ) -> DeviceUser:
        """A context open on the device, with a slice of the data segment for each control block."""
        count = self._cbrs if cbrs is None else cbrs
        gts = await self.driver.open(mm, cbrs=count, dsr_bytes=count * SLICE_BYTES, user_option=option, cpu=cpu)
        user = DeviceUser(self.driver, gts, self.fail)
        self._users.append(user)
        return user

    async def _run_play(self) -> None:
        await self._play(self)

    async def _close_users(self) -> None:
        for user in self._users:
            await self.driver.close(user.gts)

    def _driver_counts(self) -> Mapping[str, int]:
        return self.driver.statistics()

    def _operations(self) -> int:
        return sum(user.operations for user in self._users)
