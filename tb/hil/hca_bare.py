"""HCAs without an operating system: queues, keys, tables and queue pairs through the port alone. For benches and tests.

    bare = Bare(device)                       # sets up and enables every node
    a, b = bare.node(0), bare.node(1)
    key_a, key_b = a.region(1, 0x10000, 4), b.region(1, 0x20000, 4)
    qa, qb = bare.pair(a, b)                  # two connected queue pairs, each with a completion queue
    qa.write(key_a, 0x10000, key_b, 0x20000, 4096)
    done = bare.wait(qa)                      # its completion

Promises: runs on every hwif.port.NodesDevice, synchronously (under cocotb: `SyncDevice` of cocotb_host.py). The oracle is told
what software must tell it: kernel frames of queues and tables, regions, queue pairs, pages. A violation raises, unless
`stop_on_violation` is off; so does a wait that nothing comes of for `patience` cycles.
Needs: frames enough: 70 a node for itself (with a full key table) and what the program asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hwif.fields import Line
from hwif.gen import hca as h
from hwif.gen.gru import PAGE_SHIFT
from hwif.memory import FRAME_BYTES, HostMemory
from hwif.port import Event, Irq, MmioDone, MmioRead, MmioWrite, OracleStop, Request, Violation
from hwif.shadow import Shadow
from tb.hil.abi import LinkFault
from tb.hil.hca_bare_qp import BareQp
from tb.hil.hca_lines import Entry, entry_of, layout, line_of, raw_of, word_of
from tb.hil.hca_tables import PD, BareError, Tables

__all__ = ["Bare", "BareError", "BareNode", "BareQp", "BareTarget", "Entry", "line_of", "settings"]

PATIENCE = 400_000
STEP = 500
"""Most cycles between two looks at a condition: some come true without an event."""
LINE_BYTES = h.ENTRY_BYTES


class BareTarget(Protocol):
    """What this needs of a hwif.port.NodesDevice."""

    memories: Sequence[HostMemory]
    shadows: Sequence[Shadow]

    @property
    def cycle(self) -> int: ...
    def submit(self, request: Request) -> None: ...
    def advance(self, until: int) -> Sequence[Event]: ...
    def violations(self) -> Sequence[Violation]: ...
    def configure(self, name: str, value: int) -> None: ...


@dataclass(frozen=True)
class settings:  # noqa: N801 - read as a word at the call: Bare(device, settings(fault_entries=8))
    """What `Bare` writes to the registers of each node."""

    command_entries: int = 64
    fault_entries: int = 64
    keys: int = h.NUM_KEY
    fault_count: int = 0
    fault_delay: int = 0
    cq_count: int = 0
    cq_delay: int = 0
    rnr_delay: int = 2000
    ack_timeout: int = 50_000
    irqs: int = 0b111


@dataclass
class _Cq:
    base: int
    log: int
    taken: int = 0


class BareNode(Tables):
    """One node: its memory, registers and queues."""

    def __init__(self, bare: Bare, number: int, chosen: settings) -> None:
        super().__init__(number, bare.device.memories[number], bare.device.shadows[number], chosen.keys)
        self.bare = bare
        self.settings = chosen
        self.irq = [0] * len(h.IrqLine)
        self.qps: dict[int, BareQp] = {}
        self.cqs: dict[int, _Cq] = {}
        self._commands = 0
        self._contexts = 0
        self._fault_cons = 0
        self._commandq = self.alloc_bytes(max(1, chosen.command_entries) * LINE_BYTES)
        self._faultq = self.alloc_bytes(max(1, chosen.fault_entries) * LINE_BYTES)
        self._scratch = self.alloc(1) << PAGE_SHIFT
        self.fence_address = self.alloc(1) << PAGE_SHIFT

    def context(self, line: Line) -> int:
        """Physical address of one of 64 scratch lines, in turn, holding `line`: for MODIFY_* and QUERY_QP."""
        address = self._scratch + LINE_BYTES * (self._contexts % (FRAME_BYTES // LINE_BYTES))
        self._contexts += 1
        self.memory.write(address, raw_of(line))
        return address

    # ---- registers -------------------------------------------------------------------------------------------------

    def store(self, register: Any, *, wait: bool = True, copy: int = 0, **values: int) -> None:
        """Write a register; its fields by name."""
        serial = self.bare.next_serial()
        word = word_of(register, **values)
        self.bare.device.submit(MmioWrite(self.bare.device.cycle, serial, register.offset + 8 * copy, (word,), self.number))
        if wait:
            self.bare.answer(serial)

    def load(self, register: Any, copy: int = 0) -> Entry:
        """Read a register."""
        word = self.load_words(register.offset + 8 * copy, 1)[0]
        return {name: place.of(word) for name, place in layout(register).items()}

    def load_words(self, offset: int, count: int) -> tuple[int, ...]:
        """Read consecutive double-words of the register block."""
        serial = self.bare.next_serial()
        self.bare.device.submit(MmioRead(self.bare.device.cycle, serial, offset, count, self.number))
        return self.bare.answer(serial).data

    def counters(self) -> dict[str, int]:
        """All counters by name."""
        words: tuple[int, ...] = ()
        for start in range(0, h.CounterReg.copies, 8):
            words += self.load_words(h.CounterReg.offset + 8 * start, 8)
        return {counter.name: words[counter] for counter in h.Counter}

    def enable(self) -> None:
        """Write every base and size, and switch on."""
        chosen = self.settings
        self.store(h.MptBaseReg, addr=self.key_table)
        self.store(h.MptSizeReg, entries=chosen.keys)
        self.store(h.CmdqBaseReg, addr=self._commandq)
        self.store(h.CmdqSizeReg, entries=chosen.command_entries)
        self.store(h.FqBaseReg, addr=self._faultq)
        self.store(h.FqSizeReg, entries=chosen.fault_entries)
        self.store(h.FqCoalesceReg, count=chosen.fault_count, delay=chosen.fault_delay)
        self.store(h.CqCoalesceReg, count=chosen.cq_count, delay=chosen.cq_delay)
        self.store(h.RetryReg, rnr_delay=chosen.rnr_delay, ack_timeout=chosen.ack_timeout)
        irqs = chosen.irqs
        self.store(h.IrqEnableReg, fault=irqs & 1, completion=irqs >> 1 & 1, asynchronous=irqs >> 2 & 1)
        self.store(h.CtrlReg, enable=1)

    def restart(self) -> None:
        """Switch off and on again: the device forgets its queues; keys and tables are in memory still."""
        self.store(h.CtrlReg, enable=0)
        self._commands = self._fault_cons = 0
        self.qps.clear()
        self.cqs.clear()
        self.enable()

    # ---- commands --------------------------------------------------------------------------------------------------

    def post_command(self, opcode: int, *, ring: bool = True, **fields: int) -> int:
        """Put a command into its queue; its number, for `command_status`. `opcode` may be one that does not exist."""
        number = self._commands
        self.memory.write(self.command_address(number), raw_of(line_of(h.Command, opcode=opcode, **fields)))
        self._commands += 1
        if ring:
            self.ring_commands()
        return number

    def jump_commands(self, number: int) -> None:
        """The next command has this number: as if those before it had been put where they stand (NOPs, if nobody wrote there)."""
        self._commands = number

    def ring_commands(self) -> None:
        """The command queue's doorbell."""
        self.store(h.CmdqProdReg, wait=False, index=self._commands & 0xFFFF)

    def command_status(self, number: int) -> h.CmdStatus | None:
        """The status of a command; None while it is not done. Only of the last `command_entries` commands."""
        entry = entry_of(h.Command, self.memory.read(self.command_address(number), LINE_BYTES))
        return h.CmdStatus(entry["status"]) if entry["done"] else None

    def command(self, opcode: int, **fields: Any) -> h.CmdStatus:
        """Ring a command and wait for its status."""
        return self.wait_command(self.post_command(opcode, **fields))

    def wait_command(self, number: int) -> h.CmdStatus:
        """The status of a command posted earlier."""
        self.bare.run(lambda: self.command_status(number) is not None, f"command {number} of node {self.number}")
        status = self.command_status(number)
        assert status is not None
        return status

    def invalidate(self, key: int, va: int = 0, length: int | None = None) -> h.CmdStatus:
        """INVALIDATE_RANGE, or INVALIDATE_KEY without a length."""
        if length is None:
            return self.command(h.CmdOp.INVALIDATE_KEY, key=key)
        return self.command(h.CmdOp.INVALIDATE_RANGE, key=key, addr=va, length=length)

    def fence(self, value: int = 1) -> h.CmdStatus:
        """FENCE; `value` lands at `fence_address`."""
        status = self.command(h.CmdOp.FENCE, addr=self.fence_address, length=value)
        if status is h.CmdStatus.OK and int.from_bytes(self.memory.read(self.fence_address, 8), "little") != value:
            raise BareError("a fence is done and its value not written")
        return status

    def command_address(self, number: int) -> int:
        """Where the command with this number stands."""
        return self._commandq + LINE_BYTES * (number % self.settings.command_entries)

    # ---- queue pairs and completion queues -------------------------------------------------------------------------

    def cq(self, cqn: int, log: int = 6) -> int:
        """A new completion queue of 2**log entries; its number."""
        base = self.alloc_bytes(LINE_BYTES << log)
        status = self.command(h.CmdOp.MODIFY_CQ, qpn=cqn, addr=self.context(line_of(h.Cqc, valid=1, log=log, base=base)))
        if status is not h.CmdStatus.OK:
            raise BareError(f"MODIFY_CQ of {cqn}: {status.name}")
        self.cqs[cqn] = _Cq(base, log)
        return cqn

    def qp(self, qpn: int, *, send_cqn: int, recv_cqn: int | None = None, sq_log: int = 6, rq_log: int = 6, **more: int) -> BareQp:
        """A queue pair with new queues; the device hears of it by `BareQp.modify` or `Bare.connect`."""
        context = {
            "state": h.QpState.INIT,
            "policy": h.FaultPolicy.STALL,
            "mtu_shift": 12,
            "rnr_retry": 7,
            "retry_cnt": 7,
            "allow_read": 1,
            "allow_write": 1,
            "allow_atomic": 1,
            "pd": PD,
            "send_cqn": send_cqn,
            "recv_cqn": send_cqn if recv_cqn is None else recv_cqn,
            "sq_log": sq_log,
            "rq_log": rq_log,
            "sq_base": self.alloc_bytes(LINE_BYTES << sq_log),
            "rq_base": self.alloc_bytes(LINE_BYTES << rq_log),
        }
        self.qps[qpn] = BareQp(self, qpn, context | more)
        return self.qps[qpn]

    def poll(self, cqn: int, *, arm: bool = False) -> list[Entry]:
        """Completions not yet seen, oldest first; tells the device the consumer index."""
        queue = self.cqs[cqn]
        found: list[Entry] = []
        while (entry := self._completed(queue)) is not None:
            queue.taken += 1
            found.append(entry)
        if found or arm:
            self.store(h.CqDoorbellReg, wait=False, cqn=cqn, index=queue.taken & 0xFFFF, arm=arm)
        return found

    def arrived(self, cqn: int) -> bool:
        """Is there a completion not yet seen? The device is told nothing."""
        return self._completed(self.cqs[cqn]) is not None

    def _completed(self, queue: _Cq) -> Entry | None:
        at = queue.base + LINE_BYTES * (queue.taken % (1 << queue.log))
        entry = entry_of(h.Cqe, self.memory.read(at, LINE_BYTES))
        return entry if entry["owner"] == (queue.taken >> queue.log & 1) ^ 1 else None

    # ---- faults and events -----------------------------------------------------------------------------------------

    def faults(self, limit: int = 1 << 16) -> list[Entry]:
        """Fault records not yet taken, oldest first; tells the device the consumer index."""
        producer = self.load(h.FqProdReg)["index"]
        found: list[Entry] = []
        while (self._fault_cons - producer) & 0xFFFF and len(found) < limit:
            at = self._faultq + LINE_BYTES * (self._fault_cons % self.settings.fault_entries)
            found.append(entry_of(h.Fault, self.memory.read(at, LINE_BYTES)))
            self._fault_cons += 1
        if found:
            self.store(h.FqConsReg, index=self._fault_cons & 0xFFFF)
        return found

    def wait_faults(self, count: int = 1) -> list[Entry]:
        """The next `count` fault records."""
        found: list[Entry] = []
        while len(found) < count:
            self.bare.run(lambda: bool(self.irq[h.IrqLine.FAULT]), f"a fault's interrupt of node {self.number}")
            found += self.faults(count - len(found))
            self.bare.settle()
        return found

    def resume(self, fault: Entry, *, error: bool = False) -> h.CmdStatus:
        """RESUME the fault of a record."""
        return self.command(h.CmdOp.RESUME, error=error, qpn=fault["qpn"], direction=fault["direction"], token=fault["token"])

    def async_events(self) -> list[tuple[h.AsyncType, int]]:
        """Asynchronous events (kind, subject), oldest first, taken."""
        found = []
        while (event := self.load(h.AsyncEventReg))["valid"]:
            found.append((h.AsyncType(event["kind"]), event["subject"]))
            self.store(h.AsyncPopReg, pop=1)
        return found

    def cq_events(self) -> list[int]:
        """Completion queues that have fired, taken."""
        found = []
        for copy in range(h.CqEventReg.copies):
            fired = self.load(h.CqEventReg, copy)["fired"]
            if fired:
                self.store(h.CqEventReg, copy=copy, fired=fired)
            found += [64 * copy + bit for bit in range(64) if fired >> bit & 1]
        return found


class Bare:
    """All nodes of a device."""

    node_type: type[BareNode] = BareNode

    def __init__(self, device: BareTarget, chosen: settings | None = None, *, enable: bool = True) -> None:
        self.device = device
        self.log: list[Event] = []
        self.stop_on_violation = True
        self.patience = PATIENCE
        self._answers: dict[int, MmioDone] = {}
        self._waiting: set[int] = set()
        self._serial = 0
        self.nodes = [self.node_type(self, number, chosen or settings()) for number in range(len(device.memories))]
        if enable:
            for node in self.nodes:
                node.enable()

    def node(self, number: int) -> BareNode:
        """A node by its number."""
        return self.nodes[number]

    # ---- time ------------------------------------------------------------------------------------------------------

    def step(self, until: int) -> Sequence[Event]:
        """Advance to the next cycle with events, at most to `until`."""
        events = self.device.advance(until)
        self.log += events
        for event in events:
            if isinstance(event, MmioDone):
                if event.serial in self._waiting:
                    self._answers[event.serial] = event
            elif isinstance(event, Irq):
                node, line = divmod(event.line, h.NODE_IRQS)
                self.nodes[node].irq[line] = event.level
            elif isinstance(event, OracleStop) and self.stop_on_violation:
                raise BareError(f"cycle {event.cycle}: {self.device.violations()[-1]}")
        return events

    def run(self, condition: Callable[[], bool], what: str = "the condition", patience: int | None = None) -> None:
        """Advance until the condition holds; it is looked at after every event and at least every STEP cycles."""
        limit = self.device.cycle + (patience or self.patience)
        while not condition():
            if self.device.cycle >= limit:
                raise BareError(f"cycle {self.device.cycle}: {what} did not come in {patience or self.patience} cycles")
            self.step(min(limit, self.device.cycle + STEP))

    def sleep(self, cycles: int) -> None:
        """Let time pass."""
        until = self.device.cycle + cycles
        while self.device.cycle < until:
            self.step(until)

    def settle(self, cycles: int = 20) -> None:
        """Let a register write take effect on the lines."""
        self.sleep(cycles)

    def next_serial(self) -> int:
        """For a request of one's own."""
        self._serial += 1
        return self._serial

    def answer(self, serial: int, *, allow_error: bool = False) -> MmioDone:
        """The answer to a request, waited for."""
        self._waiting.add(serial)
        self.run(lambda: serial in self._answers, f"the answer to request {serial}")
        self._waiting.discard(serial)
        answer = self._answers.pop(serial)
        if answer.error and not allow_error:
            raise BareError(f"cycle {answer.cycle}: bus error")
        return answer

    def link_fault(self, fault: LinkFault) -> None:
        """Decide the fate of one packet to come."""
        self.device.configure("link_fault", fault.setting)

    # ---- connections -----------------------------------------------------------------------------------------------

    def connect(self, a: BareQp, b: BareQp, *, psn_a: int = 0, psn_b: int = 0) -> None:
        """Both queue pairs to RTS, each the other's destination, from these PSNs on."""
        for qp, other, own, theirs in ((a, b, psn_a, psn_b), (b, a, psn_b, psn_a)):
            known = {"dest_qpn": other.qpn, "sq_psn": own, "rq_psn": theirs, "state": h.QpState.RTS}
            status = qp.modify(load_sq=True, load_rq=True, **known)
            if status is not h.CmdStatus.OK:
                raise BareError(f"MODIFY_QP of {qp.qpn}: {status.name}")

    def pair(self, a: BareNode, b: BareNode, number: int = 0, **context: int) -> tuple[BareQp, BareQp]:
        """Two connected queue pairs, each with a completion queue of its own: numbers 2n on `a` and 2n + 1 on `b`."""
        numbers = (2 * number, 2 * number + 1)
        qps = [node.qp(qpn, send_cqn=node.cq(qpn % h.NUM_CQ), **context) for node, qpn in zip((a, b), numbers, strict=True)]
        self.connect(qps[0], qps[1])
        return qps[0], qps[1]

    def wait(self, qp: BareQp, count: int = 1, *, recv: bool = False, patience: int | None = None) -> list[Entry]:
        """The next `count` completions of the queue pair's send (or receive) completion queue."""
        cqn = qp.context["recv_cqn" if recv else "send_cqn"]
        found: list[Entry] = []

        def enough() -> bool:
            if len(found) < count:
                found.extend(qp.node.poll(cqn))
            return len(found) >= count

        self.run(enough, f"{count} completions of queue pair {qp.qpn} on node {qp.node.number}", patience)
        return found
