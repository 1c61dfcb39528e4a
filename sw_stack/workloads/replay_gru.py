"""The GRU at work on a replayed program's pages: workers with a control block and a slice of the data segment each.

Promises and needs: as device_side.py. Every operation ends in IDLE, or in the architected exception when the VM changed the
mapping under it; any other exception is a finding.
"""

from __future__ import annotations

from hwif.gen.gru import PAGE_SHIFT, CbEcause, CbIstatus
from sw_stack.drivers.gru.driver import GruDriver
from sw_stack.drivers.gru.user import CbResult, GruUser
from sw_stack.workloads.device_ops import SLICE_BYTES, DeviceOp, draw_operation
from sw_stack.workloads.device_side import DeviceSide, Ground
from sw_stack.workloads.golden import Operation

__all__ = ["GruSide"]

DEVICE_CPU = 1
MIN_CBRS = 2


class GruSide(DeviceSide[DeviceOp]):
    """One context of the program's address space."""

    def __init__(self, ground: Ground, driver: GruDriver, workers: int) -> None:
        super().__init__(ground, workers, "gru user", DEVICE_CPU)
        self._driver = driver
        self._slices = workers

    async def open(self) -> None:
        """A context with a control block for each worker."""
        self._gts = await self._driver.open(
            self.ground.mm, cbrs=max(MIN_CBRS, self._slices), dsr_bytes=max(1, self._slices) * SLICE_BYTES
        )
        self._user = GruUser(self._driver, self._gts)

    async def close(self) -> None:
        """Close the context."""
        await self._driver.close(self._gts)

    def draw(self) -> DeviceOp | None:
        """An instruction over recent pages."""
        return draw_operation(self.ground.rng, self)

    async def perform(self, index: int, operation: DeviceOp) -> None:
        """Play one instruction on control block `index`."""
        user, golden = self._user, self.ground.golden
        base = index * SLICE_BYTES
        for offset, data in operation.dsr:
            await user.write_dsr(base + offset, data)
        flight = golden.begin(operation.reads, operation.writes)
        # The mapping may have changed since the operation was drawn; then an exception is a legal end.
        if not self.still_allowed(operation.reads, operation.writes):
            flight.unmapped = flight.racy = True
        before = operation.expect(golden)
        failed = self.ground.machine.statistic("alloc_failed")
        await user.issue(index, operation.instruction(base))
        result = await user.wait(index)
        if self.ground.machine.statistic("alloc_failed") != failed:  # no memory for the page: an exception is a legal end too
            flight.unmapped = flight.racy = True
        loaded = b""
        if operation.result is not None and result.istatus == CbIstatus.IDLE:
            loaded = await user.read_dsr(base + operation.result[0], operation.result[1])
        self.operations += 1
        try:
            await self._settle(operation, flight, result, before, loaded)
        finally:
            golden.end(flight)

    async def _settle(self, operation: DeviceOp, flight: Operation, result: CbResult, before: bytes, loaded: bytes) -> None:
        findings, golden = self.ground.findings, self.ground.golden
        address = min(operation.reads | operation.writes) << PAGE_SHIFT
        if result.istatus != CbIstatus.IDLE:
            self.faulted += 1
            if not flight.unmapped or result.ecause != 1 << CbEcause.OS_FATAL_TLB_FAULT:
                findings.fail(operation.name, address, f"exception, ecause {result.ecause:#x}, with the mapping unchanged")
        if flight.racy or result.istatus != CbIstatus.IDLE:
            self.racy += 1
            await self.adopt(operation.writes)
            return
        self.verified += 1
        if operation.result is not None:
            findings.compare(f"{operation.name} result", address, before, loaded)
        elif operation.name == "add":
            findings.compare("atomic's old value", address, before, result.avalue.to_bytes(8, "little"))
        for target, data in operation.apply(golden, before):
            golden.write(target, data, flight)
            self.check_written(operation.name, target, data)
