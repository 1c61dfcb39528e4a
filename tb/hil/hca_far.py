"""HCAs where indices, time and distance are large: what a chip reaches only after hours, reached by skipping what is idle.

    commands   one command queue of the largest size, once round and anew
    time       traffic, retries and coalesced interrupts across every power of two of the clock
    cable      cables of every length and rate

Promises: RunConfig -> RunResult, equal for equal configurations. What was posted is what was done, in order and in time; a
violation of the oracle's or of an assertion is an objection. Items are the things compared.
Needs: the native host.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from hwif.gen import hca as h
from hwif.memory import FRAME_BYTES, HostMemory
from hwif.shadow import Shadow
from tb.hil.abi import DeviceError, Fate, HcaOptions, LinkFault
from tb.hil.hca_bare import Bare, BareError, BareQp, settings
from tb.hil.native import NativeHca
from tb.plan.run import RunConfig, RunResult

__all__ = ["cable", "commands", "time"]

FRAMES = 1024
INDICES = 1 << h.INDEX_WIDTH
ENTRIES = INDICES // 2
STRIDE = 1024  # commands rung at once
CLOCK = range(22, 63)  # powers of two that time passes; every long test passes those below
BEFORE = 2600  # cycles before such an instant at which the test wakes
DELAY = 1800  # of interrupts and of the receiver that is not ready
A, B = 0x10_0000, 0x7F00_0020_0000
PAGES = 4


@dataclass
class _Play:
    """A run: the device, what was compared, and two ends."""

    bare: Bare
    rng: random.Random
    seen: list[tuple[int, ...]] = field(default_factory=list)
    skipped: int = 0
    """Cycles in which nothing was to be done."""

    def same(self, what: str, found: int, wanted: int) -> None:
        self.seen.append((self.bare.device.cycle, found))
        assert found == wanted, f"{what} is {found:#x}, not {wanted:#x}"

    def ends(self) -> None:
        a, b = self.bare.nodes
        self.ka, self.kb = a.region(1, A, PAGES), b.region(1, B, PAGES)
        self.qa, self.qb = self.bare.pair(a, b)

    def write(self, length: int) -> None:
        """An RDMA WRITE of new bytes, there and back."""
        a, b = self.bare.nodes
        data = self.rng.randbytes(length)
        a.poke(self.ka, A, data)
        self.qa.write(self.ka, A, self.kb, B, length)
        self.done(self.qa)
        self.same("what was written", int.from_bytes(b.peek(self.kb, B, length), "little"), int.from_bytes(data, "little"))

    def done(self, qp: BareQp) -> None:
        (found,) = self.bare.wait(qp)
        self.same("the status", found["status"], h.WcStatus.SUCCESS)

    def lines(self, when: str, wanted: int) -> None:
        irq = self.bare.nodes[0].irq
        self.same(f"the fault line {when}", irq[h.IrqLine.FAULT], wanted)
        self.same(f"the completion line {when}", irq[h.IrqLine.COMPLETION], wanted)


def commands(config: RunConfig) -> RunResult:
    """NOPs, among them invalidations and fences; of every thousandth the status, of every fence the value."""
    return _played(config, _commands, settings(command_entries=ENTRIES, fault_entries=16, keys=16), read_latency=2, write_latency=2)


def time(config: RunConfig) -> RunResult:
    """At each power of two: interrupts that are held back, a receiver that is not ready, an acknowledgement that is lost."""
    chosen = settings(16, 16, 16, fault_count=4, fault_delay=DELAY, cq_count=4, cq_delay=DELAY, rnr_delay=DELAY, ack_timeout=DELAY)
    return _played(config, _time, chosen)


def cable(config: RunConfig) -> RunResult:
    """No packet arrives before it can, and all do."""
    return _played(config, _cable, settings(16, 16, 16, ack_timeout=1 << 20))


def _played(config: RunConfig, program: Callable[[_Play, float], None], chosen: settings, **options: int) -> RunResult:
    nodes = [(HostMemory(FRAMES), Shadow(FRAMES)) for _ in range(2)]
    with NativeHca(nodes, HcaOptions(mutant=config.mutant, **options)) as device:
        play = _Play(Bare(device, chosen), random.Random(f"{config.test}.{config.seed}"))
        said = []
        try:
            program(play, config.scale)
        except (AssertionError, BareError, DeviceError) as error:
            said.append(f"cycle {device.cycle}: program: {error}")
        digest = hashlib.sha256(repr(play.seen).encode()).hexdigest()[:16]
        return RunResult(device.cycle - play.skipped, len(play.seen), len(said), said, {}, digest)


def _commands(play: _Play, scale: float) -> None:
    node = play.bare.nodes[0]
    play.ends()
    for turn in range(max(1, round(scale * (ENTRIES // STRIDE + 1)))):
        node.jump_commands((turn + 1) * STRIDE - 2)
        key = play.rng.randrange(16) << 8
        node.post_command(h.CmdOp.INVALIDATE_RANGE, key=key, addr=A, length=play.rng.getrandbits(64), ring=False)
        value = play.rng.getrandbits(64)
        number = node.post_command(h.CmdOp.FENCE, addr=node.fence_address, length=value)
        play.same("the status", node.wait_command(number), h.CmdStatus.OK)
        play.same("the fence", int.from_bytes(node.memory.read(node.fence_address, 8), "little"), value)
        play.bare.settle()
        play.same("the consumer index", node.load(h.CmdqConsReg)["index"], number + 1 & INDICES - 1)
        play.same("the count of commands", node.counters()["COMMANDS"], number + 1)
    node.store(h.CmdqSizeReg, entries=ENTRIES)  # begins anew at index 0
    node.jump_commands(0)
    play.same("an invalidation's status", node.invalidate(play.ka, A, FRAME_BYTES), h.CmdStatus.OK)
    play.same("a fence's status", node.fence(), h.CmdStatus.OK)
    play.same("the consumer index", node.load(h.CmdqConsReg)["index"], 2)
    play.write(100)


def _time(play: _Play, scale: float) -> None:
    bare, (a, b) = play.bare, play.bare.nodes
    play.ends()
    pairs = [(play.qa, play.qb), *(bare.pair(a, b, number) for number in range(1, 4))]
    (early, early_at), (unheard, _), (faulty, _), (told, _) = pairs
    away = A + FRAME_BYTES
    for power in CLOCK[: max(1, round(scale * len(CLOCK)))]:
        instant = 1 << power
        play.skipped += instant - BEFORE - bare.device.cycle
        bare.sleep(instant - BEFORE - bare.device.cycle)
        frame = a.unmap(play.ka, away)
        play.same("the invalidation", a.invalidate(play.ka, away, FRAME_BYTES), h.CmdStatus.OK)
        play.same("the fence", a.fence(power), h.CmdStatus.OK)
        a.revoke(play.ka, away)
        a.poll(told.qpn, arm=True)
        bare.link_fault(LinkFault(Fate.LOSE, 1, h.PktOp.ACK))
        unheard.write(play.ka, A, play.kb, B, 64)
        bare.sleep(1000)  # its acknowledgement has been lost
        early.send(play.ka, A, 64)  # no receive is there
        faulty.write(play.ka, away, play.kb, B, 64)
        told.write(play.ka, A, play.kb, B, 64)
        bare.sleep(instant - bare.device.cycle)
        play.lines("at the instant", 0)
        bare.sleep(DELAY)
        play.lines("after it", 1)
        play.same("queues that have fired", sum(1 << cqn for cqn in a.cq_events()), 1 << told.qpn)
        (fault,) = a.faults()
        a.map(play.ka, away, frame)
        play.same("the resume", a.resume(fault), h.CmdStatus.OK)
        early_at.recv(play.kb, B, 64)
        for qp in (early, early_at, unheard, faulty, told):
            play.done(qp)
        bare.settle()
        play.lines("in the end", 0)


def _cable(play: _Play, scale: float) -> None:
    play.ends()
    lengths = [1 << power for power in reversed(range(16))]
    rates = [*(1 << power for power in range(8)), 255]
    for at, latency in enumerate(lengths[: max(1, round(scale * len(lengths)))]):
        rate = rates[at % len(rates)]
        play.bare.device.configure("link_latency", latency)
        play.bare.device.configure("link_cycles_per_flit", rate)
        begun = play.bare.device.cycle
        length = play.rng.randrange(1, 400)
        play.write(length)
        least = 2 * latency + rate * (-(-length // h.ENTRY_BYTES) - 1)
        took = play.bare.device.cycle - begun
        assert took >= least, f"a message over a cable of {latency} cycles took {took}, not {least} at least"
