"""The bench of the mirrored hmm-tests: one machine, its processes, their devices and files, and the checks at the end.

Promises: when a test is over every device is closed, every address space has exited, every file is gone; then no frame is lost,
the oracle has no record left and has seen no violation, and the VM's accounts agree (mm.check.audit).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from mirrored.hmm_gru import GruDevice

from hwif.gen import timing
from hwif.loop import drive
from hwif.port import Device
from hwif.trace import Trace
from sw_stack.drivers.gru.driver import GruDriver
from sw_stack.drivers.gru.policy import DriverPolicy
from sw_stack.drivers.hmm import Mirror, Mutant
from sw_stack.drivers.hmm.values import Refused
from sw_stack.mm import PROT_READ, PROT_WRITE, Machine, Mm
from sw_stack.mm.check import audit
from sw_stack.mm.filemap import truncate
from sw_stack.mm.files import File
from sw_stack.mm.types import PAGE_SIZE
from sw_stack.notifier import IntervalSubscriptions
from sw_stack.sched import Scheduler, SeededChooser, Task

__all__ = ["BASE", "FRAMES", "LARGE_FRAMES", "NPAGES", "PAGE", "RW", "SEED", "Bench", "Body", "Broken", "pattern"]

Body = Callable[["Bench"], Awaitable[None]]

PAGE = PAGE_SIZE
RW = PROT_READ | PROT_WRITE
BASE = 0x1000_0000_0000
NPAGES = 16
"""Pages of a buffer (HMM_BUFFER_SIZE: 1024)."""
FRAMES = 256
LARGE_FRAMES = 4096
SEED = 7


def pattern(pages: int, tag: int = 0) -> bytes:
    """Bytes that name their place, as the original's ptr[i] = i + tag."""
    words = np.arange(pages * PAGE // 4, dtype=np.uint32) + np.uint32(tag)
    return words.tobytes()


@dataclass(frozen=True)
class Broken:
    """What is broken on purpose: the mirror or the GRU's driver."""

    mirror: Mutant | None = None
    driver: DriverPolicy | None = None


class Bench:
    """One run of one test. `gru`: the device of `open` is the GRU, else the software mirror."""

    def __init__(self, device: Device, *, gru: bool, seed: int = SEED, broken: Broken | None = None) -> None:
        self.device = device
        self.gru = gru
        self.broken = broken if broken is not None else Broken()
        self.sched = Scheduler(SeededChooser(seed, preempt_odds=4))
        self.trace = Trace()
        self.trace.current_cpu = self.sched.current_cpu
        self.machine = Machine(self.sched, device.memory, device.shadow, self.trace)
        self.driver: GruDriver | None = None
        if gru:
            self.driver = GruDriver(self.sched, self.trace, device.shadow, policy=self.broken.driver)
            self.driver.start()
        self._intervals: dict[int, IntervalSubscriptions] = {}
        self._devices: list[Mirror | GruDevice] = []
        self._mms: list[Mm] = []
        self._files: list[File] = []

    # ---- what a test uses ------------------------------------------------------------------------------------------

    async def open(self, mm: Mm) -> Mirror | GruDevice:
        """The device under test, open for `mm`."""
        if self.driver is None:
            return await self.mirror(mm)
        device = await GruDevice.open(self.driver, mm)
        self._devices.append(device)
        return device

    async def mirror(self, mm: Mm, unit: int = 0) -> Mirror:
        """The software mirror, whatever the device under test."""
        intervals = self._intervals.setdefault(mm.id, IntervalSubscriptions(self.sched, mm))
        device = await Mirror.open(mm, intervals, unit=unit, mutant=self.broken.mirror)
        self._devices.append(device)
        return device

    async def close(self, device: Mirror | GruDevice) -> None:
        """Before the test is over."""
        self._devices.remove(device)
        await device.close()

    def process(self, name: str = "program") -> Mm:
        """A new address space."""
        return self.adopt(self.machine.new_mm(name))

    def adopt(self, mm: Mm) -> Mm:
        """One made otherwise (fork)."""
        self._mms.append(mm)
        return mm

    async def buffer(self, mm: Mm, pages: int = NPAGES, *, prot: int = RW, base: int = BASE, data: bytes = b"", **how: Any) -> int:
        """A mapping of `pages` pages at `base`, holding `data`; its address. `how`: as Mm.mmap."""
        await mm.mmap(base, pages * PAGE, prot, fixed=True, **how)
        if data:
            await mm.store(base, data)
        return base

    def file(self, pages: int, *, xip: bool = False) -> File:
        """A temporary file."""
        return self.keep(self.machine.new_file("file", pages, xip=xip))

    def keep(self, file: File) -> File:
        """A file that goes away with the test."""
        self._files.append(file)
        return file

    async def pwrite(self, file: File, data: bytes) -> None:
        """Another process writes the file."""
        other = await self._mapped(file)
        await other.store(BASE, data)
        await other.exit()

    async def pread(self, file: File) -> bytes:
        """What another process reads from it."""
        other = await self._mapped(file)
        data = await other.load(BASE, file.size * PAGE)
        await other.exit()
        return data

    async def _mapped(self, file: File) -> Mm:
        other = self.machine.new_mm("file user")
        await other.mmap(BASE, file.size * PAGE, RW, fixed=True, file=file, shared=True)
        return other

    def spawn(self, body: Any, name: str, cpu: int = 1) -> Task:
        """A task on a processor."""
        return self.sched.spawn(body, name, cpu)

    async def refused(self, command: Awaitable[Any], code: int) -> None:
        """The command fails: with `code`, or, on the GRU, which has no codes, with the exception that no translation is for."""
        failed = self.driver.stats.tlb_dropin_fail_invalid if self.driver is not None else 0
        try:
            await command
        except Refused as error:
            assert error.errno in (code, None), f"errno {error.errno}, not {code}: {error}"
            if error.errno is None:
                assert self.driver is not None and self.driver.stats.tlb_dropin_fail_invalid > failed, "nobody asked the driver"
            return
        raise AssertionError("the device was not refused")

    # ---- running ---------------------------------------------------------------------------------------------------

    def play(self, body: Body) -> str:
        """Run the test to its end; the digest of the run."""
        self.sched.spawn(self._whole(body), "test", 0)
        device = self.device
        loop = drive(self.sched, device.submit, lambda: device.cycle, timing.LIVENESS_BOUND, lambda: bool(device.violations()))
        try:
            until = next(loop)
            while True:
                until = loop.send(device.advance(until))
        except StopIteration:
            pass
        finally:
            self.trace.flush()
            self.trace.feed_device(device.drain_trace())
            digest = self.trace.digest()
            self.sched.close()
        assert not device.violations(), device.violations()[0]
        self._nothing_left()
        return digest

    async def _whole(self, body: Body) -> None:
        await body(self)
        for device in self._devices:
            await device.close()
        for mm in self._mms:
            if mm.alive:
                await mm.exit()
        for file in self._files:
            await truncate(file, 0)

    def _nothing_left(self) -> None:
        machine = self.machine
        audit(machine, quiet=True)
        zeros = sum(file.sparse is not None for file in self._files)  # an execute-in-place file keeps its page of zeros
        assert machine.frames.free + zeros == machine.frames.count, f"{machine.frames.free} of {machine.frames.count} frames free"
        assert machine.swap.used == 0
        assert not self.device.shadow.words.any(), "the oracle has records of nobody"
