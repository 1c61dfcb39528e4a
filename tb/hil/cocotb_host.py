"""The cocotb host: the same harness, model and C++ as the native one, its clock driven by cocotb inside the simulator.

`run_under_cocotb("module:function", arguments)` starts the simulator, awaits `function(simulator, arguments)` in it and returns its
result. `simulator.device(memory, shadow, options)` gives a CocotbDevice: a hwif.port.Device whose `advance` is awaited;
`simulator.hca(nodes, options)`, in a simulator of `nodes=1` or `2` HCAs, the same for them.

    async def session(simulator, arguments):
        device = simulator.device(HostMemory(64), Shadow(64), HarnessOptions())
        events = await device.advance(1000)

A session of synchronous code is `await simulator.synchronous(device, function)`: `function` is called, in a thread of its own, with
a device that advances at once.

Promises: the same seed gives the same trace as the native host. Python sleeps until the harness has an event. What the session
raises, the launcher raises; a simulator that dies or hangs is a CocotbError with the end of its log.
Needs: the session awaits nothing but `device.advance`, or the clock runs on without it: the harness then reports an error.
Costs: half a second to start the simulator.
"""

from __future__ import annotations

import pickle
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hwif.memory import HostMemory
from hwif.port import Event, NodesDevice, Request, Violation
from hwif.shadow import Shadow
from tb.cocotb_environment import cocotb_environment
from tb.hil.abi import MAX_EVENTS, NEVER, Harness, HarnessOptions, HcaOptions, load
from tb.hil.build import HARNESS, HCA_HARNESS, BuildOptions, build_cocotb

__all__ = ["SESSION_VARIABLE", "CocotbDevice", "CocotbError", "Simulator", "SyncDevice", "run_under_cocotb"]

Result = TypeVar("Result")
SESSION_VARIABLE = "SHOOTDOWN_SESSION"
CLOCK_NS = 2
LOG_LINES = 15
INTERRUPT_SECONDS = 30.0  # for an interrupted session to write its result


class CocotbError(Exception):
    """The simulator died, hung or left no result; the message has the end of its log."""


class CocotbDevice:
    """The RTL under cocotb."""

    def __init__(self, simulator: Simulator, nodes: Sequence[tuple[HostMemory, Shadow]], options: HarnessOptions) -> None:
        self.memory, self.shadow = nodes[0]
        self.memories: Sequence[HostMemory] = tuple(memory for memory, _shadow in nodes)
        self.shadows: Sequence[Shadow] = tuple(shadow for _memory, shadow in nodes)
        self._simulator = simulator
        self._dut = simulator.dut
        self._harness = Harness(load(None), nodes, options)
        self._stopped: Any = None

    @property
    def cycle(self) -> int:
        """Last complete cycle."""
        return self._harness.cycle

    def reset(self) -> None:
        """Power-on state: what a new simulation is in; it cannot go back."""
        if self._stopped is not None:
            raise CocotbError("a simulation is reset by starting a new one")
        self._harness.reset()

    def submit(self, request: Request) -> None:
        """Queue a request."""
        self._harness.submit(request)

    async def advance(self, until: int) -> Sequence[Event]:
        """Run to the end of the first cycle with an event, or to `until`. Raises KeyboardInterrupt after Ctrl-C."""
        if self._simulator.interrupted:
            raise KeyboardInterrupt
        harness = self._harness
        if harness.idle(until):
            return ()
        harness.flush()
        if harness.lib.hil_arm(harness.handle, min(until, NEVER)) < 0:
            harness.decode(-1)
        if until > harness.status[0]:
            if self._stopped is None:
                await self._power_on()
            await self._stopped
        return harness.decode(harness.lib.hil_take(harness.handle, harness.events, MAX_EVENTS))

    async def _power_on(self) -> None:
        from cocotb.clock import Clock  # noqa: PLC0415 - only exists inside a simulator
        from cocotb.triggers import FallingEdge, ValueChange  # noqa: PLC0415

        self._dut.rst_ni.value = 0
        Clock(self._dut.clk_i, CLOCK_NS, unit="ns", impl="gpi").start(start_high=False)
        for _ in range(4):
            await FallingEdge(self._dut.clk_i)
        self._dut.rst_ni.value = 1  # the next edge is cycle 1; the harness is armed
        self._stopped = ValueChange(self._dut.stop_toggle_o)

    def configure(self, name: str, value: int) -> None:
        """Change a setting of the harness (HarnessOptions)."""
        self._harness.configure(name, value)

    def drain_trace(self) -> NDArray[np.uint64]:
        """Trace records since the last call."""
        return self._harness.drain_trace()

    def drain_lookups(self) -> NDArray[np.uint64]:
        """Lookups since the last call, while log_lookups is set."""
        return self._harness.drain_lookups()

    def violations(self) -> Sequence[Violation]:
        """All violations kept so far."""
        return self._harness.violations()

    def statistics(self) -> Mapping[str, int]:
        """Counters by name."""
        return self._harness.statistics()

    def close(self) -> None:
        """The simulator owns the model until it ends, so nothing is freed here."""


class Simulator:
    """What a session is given: the simulation it runs in."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.interrupted = False
        self._opened = False
        # A signal may arrive in any frame of the simulator's interpreter; only between two advances is a session whole.
        signal.signal(signal.SIGINT, self._interrupt)

    def _interrupt(self, _number: int, _frame: object) -> None:
        self.interrupted = True

    def device(self, memory: HostMemory, shadow: Shadow, options: HarnessOptions | None = None) -> CocotbDevice:
        """The GRU, in power-on state. One device per simulation."""
        return self._open([(memory, shadow)], options or HarnessOptions())

    def hca(self, nodes: Sequence[tuple[HostMemory, Shadow]], options: HarnessOptions | None = None) -> CocotbDevice:
        """The HCAs, in power-on state."""
        return self._open(nodes, options or HcaOptions())

    async def synchronous(self, device: CocotbDevice, function: Callable[[SyncDevice], Result]) -> Result:
        """What `function` returns, called in a thread of its own with the device; the simulation stands while it computes."""
        import cocotb.task  # noqa: PLC0415 - only exists inside a simulator

        answer: Result = await cocotb.task.bridge(function)(SyncDevice(device, cocotb.task.resume(device.advance)))
        return answer

    def _open(self, nodes: Sequence[tuple[HostMemory, Shadow]], options: HarnessOptions) -> CocotbDevice:
        if self._opened:
            raise CocotbError("one device per simulation: start another one with run_under_cocotb")
        self._opened = True
        return CocotbDevice(self, nodes, options)


class SyncDevice:
    """A CocotbDevice for code that does not await: hwif.port.NodesDevice."""

    def __init__(self, device: CocotbDevice, advance: Callable[[int], Sequence[Event]]) -> None:
        self.memory, self.memories = device.memory, device.memories
        self.shadow, self.shadows = device.shadow, device.shadows
        self.reset, self.submit, self.close = device.reset, device.submit, device.close
        self.drain_trace, self.violations, self.statistics = device.drain_trace, device.violations, device.statistics
        self.configure = device.configure
        self._device = device
        self._advance = advance

    @property
    def cycle(self) -> int:
        """Last complete cycle."""
        return self._device.cycle

    def advance(self, until: int) -> Sequence[Event]:
        """Run to the end of the first cycle with an event, or to `until`."""
        return self._advance(until)


_NODES: type[NodesDevice] = SyncDevice  # the type checker compares the class with the port


def run_under_cocotb(
    entry: str,
    arguments: object = None,
    *,
    timeout: float = 600.0,
    build: BuildOptions | None = None,
    waves: Path | None = None,
    simulator: Path | None = None,
    toplevel: str = "hil_top",
    nodes: int = 0,
) -> Any:
    """Run `entry` ("module:function") in a simulator; its result, and `arguments`, must survive pickling.

    `timeout` in seconds of wall clock. `nodes`: how many HCAs, 0: the GRU. `waves` names an FST file for the whole run (the build
    must have waves). `simulator` and `toplevel` name another design's simulator; the session then has its `dut` alone.
    """
    options = build or BuildOptions(waves=waves is not None)
    design = HCA_HARNESS[nodes] if nodes else HARNESS
    if nodes:
        toplevel = design.top.stem
    command = [
        str(simulator or build_cocotb(options, design)),
        f"+verilator+rand+reset+{options.random_reset}",
        "+verilator+seed+1",
    ]
    if waves is not None:
        command += ["--trace", "--trace-file", str(Path(waves).resolve())]
    with tempfile.TemporaryDirectory(prefix="shootdown-cocotb-") as name:
        folder = Path(name)
        order, answer, log = folder / "order.pickle", folder / "answer.pickle", folder / "simulator.log"
        order.write_bytes(pickle.dumps({"entry": entry, "arguments": arguments, "answer": str(answer)}))
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                env=cocotb_environment(toplevel, "tb.hil.cocotb_session", folder / "results.xml", {SESSION_VARIABLE: str(order)}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                status = _outcome(process, timeout)
            except subprocess.TimeoutExpired:
                raise CocotbError(f"the simulator did not finish within {timeout:.0f} s\n{_tail(log)}") from None
            finally:
                process.kill()
                process.wait()
        if not answer.exists():
            raise CocotbError(f"the simulator ended with status {status} and left no result\n{_tail(log)}")
        received = pickle.loads(answer.read_bytes())
    if "traceback" in received:
        if received["error"] is None:
            raise CocotbError(f"the session failed\n{received['traceback']}")
        received["error"].add_note(f"raised under cocotb:\n{received['traceback']}")
        raise received["error"]
    return received["result"]


def _outcome(process: subprocess.Popen[bytes], timeout: float) -> int:
    """Wait for the simulator; its exit status. Ctrl-C is passed on, so that the session can leave what it has; a second one is
    for the launcher itself."""
    try:
        return process.wait(timeout)
    except KeyboardInterrupt:
        process.send_signal(signal.SIGINT)  # from a terminal it has had one already; twice is harmless
        return process.wait(INTERRUPT_SECONDS)


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return "\n".join(f"  | {line}" for line in lines[-LOG_LINES:]) if lines else "  (no output)"
