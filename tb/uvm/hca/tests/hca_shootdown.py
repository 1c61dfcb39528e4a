"""The rules of shootdown at the chip: SD-1 to SD-8, each driven to where it could break."""

from __future__ import annotations

from typing import Any

import pyuvm

from hwif.gen import hca as h
from hwif.gen.events import TraceEvent
from tb.hil.hca_bare import Bare, BareNode, settings
from tb.uvm.hca.env import HcaEnv
from tb.uvm.hca.observed import Record
from tb.uvm.hca.plan import Plan
from tb.uvm.hca.tests.base import TIMEOUT_US, HcaBaseTest
from tb.uvm.hca.tests.scene import PAGE, A, B, Scene
from tb.uvm.inlet import Inlet

__all__ = ["HcaScope", "HcaShootdown"]

LARGE = 1 << 21
LARGE_SHIFT = 21
LAST = (1 << h.HCA_VA_BITS) - PAGE


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class HcaShootdown(HcaBaseTest):
    """SD-1, SD-2, SD-3, SD-4, SD-8: invalidations against what is under way, over a slow memory."""

    plan = Plan(
        latency=(30, 160), chosen=settings(command_entries=32, fault_entries=8, keys=16, ack_timeout=0, rnr_delay=300), frames=2048
    )

    def program(self, port: Any) -> None:
        """Streams and walks, and pages that go at every moment of them."""
        bare = self.bare(port)
        scene = Scene(bare, self.rng, policy=int(h.FaultPolicy.STALL))
        other = scene.pair(policy=int(h.FaultPolicy.RESTART))
        for _ in range(self.scaled(14)):
            self._in_flight(scene, other)
        for _ in range(self.scaled(10)):
            self._walks(scene)
        self._bursts(scene)
        self._everything_at_once(scene)
        scene.check()

    def _in_flight(self, scene: Scene, other: Any) -> None:
        """SD-1, SD-2: the frame is somebody else's as soon as the fence is done."""
        key, base = self.rng.choice([(scene.ka, A), (scene.kb, B)])
        operation = self.rng.choice(["write", "read"])
        getattr(scene, operation)(2 * PAGE, there=0)
        getattr(scene, "write" if operation == "read" else "read")(PAGE, here=3 * PAGE, there=3 * PAGE, qp=other[0])
        scene.bare.sleep(self.rng.randrange(900))
        va = base + self.rng.choice([0, PAGE])
        scene.take(key, va, by_key=self.rng.random() < 0.4)
        frame = scene.away[key, va]
        scene.node.map(key, va, frame) if self.rng.random() < 0.3 else None
        if scene.node.regions[key >> 8].pages.get(va) is not None:
            scene.away.pop((key, va))
        else:
            scene.back(key, va, moved=True)
        scene.end()
        scene.end(other[0])

    def _walks(self, scene: Scene) -> None:
        """SD-3: the table changes while it is walked. The page is moved; what was read of the old table must not be kept."""
        node, key, va = scene.node, scene.kb, B + 4 * PAGE
        assert node.invalidate(key) is h.CmdStatus.OK
        scene.write(64, there=4 * PAGE)
        scene.bare.sleep(self.rng.randrange(100, 800))
        scene.take(key, va, by_key=self.rng.random() < 0.5)
        scene.back(key, va, moved=True)
        scene.end()

    def _bursts(self, scene: Scene) -> None:
        """SD-8, SD-4: invalidations without pause, of one page and of everything, while others are served at their rate."""
        node, bare = scene.node, scene.bare
        first = scene.kb
        accepted = _cycles(self.env, TraceEvent.HDEV_INVALIDATE)
        spans = []
        for length in (1, 1 << 47):
            accepted.clear()
            scene.write(PAGE, there=3 * PAGE)
            began = bare.device.cycle
            numbers = [
                node.post_command(h.CmdOp.INVALIDATE_RANGE, key=first + (5 << 8), addr=0, length=length, ring=at == 11)
                for at in range(12)
            ]
            for number in numbers:
                assert node.wait_command(number) is h.CmdStatus.OK
            scene.end()
            assert len(accepted) == 12 and began < accepted[0]
            spans.append(accepted[-1] - accepted[0])
        assert spans[1] <= spans[0] + 300, (
            f"twelve invalidations take {spans[0]} cycles of a byte each and {spans[1]} of everything"
        )

    def _everything_at_once(self, scene: Scene) -> None:
        """More invalidations than the device sweeps at a time, one fence behind them: each page is gone, and goes elsewhere."""
        node = scene.node
        pages = [(key, base + at * PAGE) for key, base in ((scene.ka, A), (scene.kb, B)) for at in range(scene.pages)]
        scene.write(scene.pages * PAGE)
        scene.end()  # now all are cached
        scene.write(scene.pages * PAGE)
        frames = {page: node.unmap(*page) for page in pages}
        for key, va in pages:
            node.post_command(h.CmdOp.INVALIDATE_RANGE, key=key, addr=va, length=PAGE, ring=False)
        fence = node.post_command(h.CmdOp.FENCE, addr=node.fence_address, length=1)
        assert node.wait_command(fence) is h.CmdStatus.OK
        for page in pages:
            node.revoke(*page)
            scene.away[page] = frames[page]
            scene.back(*page, moved=True)
        scene.end()


def _cycles(env: HcaEnv, event: TraceEvent) -> list[int]:
    """In which an event is told from now on."""
    found: list[int] = []

    def heard(records: list[Record]) -> None:
        found.extend(record[0] for record in records if record[1] == event)

    env.trace.ap.connect(Inlet(f"cycles_{event.name}", env, heard))
    return found


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class HcaScope(HcaBaseTest):
    """SD-5, SD-6, SD-7: page sizes, values easily taken for something special, upgrades."""

    plan = Plan(chosen=settings(command_entries=16, fault_entries=8, keys=16, ack_timeout=0, rnr_delay=300), frames=4096)

    def program(self, port: Any) -> None:
        """One after the other."""
        bare = self.bare(port)
        scene = Scene(bare, self.rng)
        self._large(bare, scene)
        self._edges(bare, scene)
        self._upgrade(scene)
        self._same_address(scene)
        scene.check()

    def _write(self, scene: Scene, key: int, va: int, value: int) -> None:
        scene.node.poke(scene.ka, A, value.to_bytes(8, "little"))
        scene.bytes[scene.ka][:8] = value.to_bytes(8, "little")
        scene.qa.write(scene.ka, A, key, va, 8)

    def _there(self, scene: Scene, key: int, va: int) -> None:
        """It is mapped: a write reaches it."""
        value = self.rng.getrandbits(64)
        self._write(scene, key, va, value)
        scene.end(serve=False)
        assert scene.node.peek(key, va, 8) == value.to_bytes(8, "little")

    def _gone(self, scene: Scene, key: int, va: int, shift: int = 12) -> None:
        """It is not: a write faults, and goes on when it is there again."""
        node: BareNode = scene.node
        self._write(scene, key, va, 1)
        (fault,) = node.wait_faults(1)
        assert fault["key"] == key and fault["va"] == va, fault
        pfn = self.frames.pop((key, va & -(1 << shift)))
        node.map(key, va & -(1 << shift), pfn, shift=shift)
        assert node.resume(fault) is h.CmdStatus.OK
        scene.end(serve=False)

    def _away(self, scene: Scene, key: int, va: int) -> None:
        """Out of the table; no invalidation yet."""
        self.frames[key, va] = scene.node.unmap(key, va)

    frames: dict[tuple[int, int], int]

    def _large(self, bare: Bare, scene: Scene) -> None:
        """SD-5: 4 KiB in the middle of 2 MiB."""
        node = scene.node
        self.frames = {}
        base = 0x4000_0000
        key = node.key(8, base, LARGE)
        node.map(key, base, node.alloc_user(LARGE // PAGE, aligned=LARGE // PAGE), shift=LARGE_SHIFT)
        for offset in (0, LARGE // 2, LARGE - PAGE):
            self._there(scene, key, base + offset)
        for offset in (0, LARGE // 2 + 5, LARGE - 1):
            self._away(scene, key, base)
            assert node.invalidate(key, base + offset, 1) is h.CmdStatus.OK and node.fence() is h.CmdStatus.OK
            node.revoke(key, base)
            at = base + self.rng.choice([0, LARGE - PAGE])
            self._write(scene, key, at, 1)
            (fault,) = node.wait_faults(1)
            node.map(key, base, self.frames.pop((key, base)), shift=LARGE_SHIFT)
            assert node.resume(fault) is h.CmdStatus.OK
            scene.end(serve=False)

    def _edges(self, bare: Bare, scene: Scene) -> None:
        """SD-6: address 0, the last page, length 0, a range that ends just before and begins just after."""
        node = scene.node
        key = node.key(9, 0, 0, whole=True)
        for va in (0, PAGE, LAST):
            node.map(key, va, node.alloc_user(1))
            self._there(scene, key, va)
        assert node.invalidate(key, 0, 0) is h.CmdStatus.OK  # nothing
        assert node.invalidate(key, PAGE, PAGE) is h.CmdStatus.OK  # its neighbour
        killed = _cycles(self.env, TraceEvent.HDEV_KILL)
        for va, addr, length in ((0, 0, 1), (LAST, LAST, PAGE), (0, 0, (1 << 64) - 1), (LAST, LAST, (1 << 64) - 1)):
            self._away(scene, key, va)
            assert node.invalidate(key, addr, length) is h.CmdStatus.OK and node.fence() is h.CmdStatus.OK
            node.revoke(key, va)
            self._gone(scene, key, va)
        assert killed, "nothing left the cache"

    def _same_address(self, scene: Scene) -> None:
        """Two keys name one address and mean different frames: what is cached for one is nothing to the other."""
        va = 0x5000_0000
        keys = [scene.node.region(index, va, 1) for index in (10, 11)]
        for key in (*keys, *keys):
            self._there(scene, key, va)

    def _upgrade(self, scene: Scene) -> None:
        """SD-7: a write to what is cached read-only faults once, and finds the new entry without an invalidation."""
        node, key, va = scene.node, scene.kb, B + 5 * PAGE
        scene.take(key, va)
        scene.back(key, va, write=False)
        scene.read(100, here=5 * PAGE, there=5 * PAGE)
        scene.end()
        scene.write(100, there=5 * PAGE)
        (fault,) = node.wait_faults(1)
        assert fault["cause"] == h.FaultCause.READ_ONLY
        node.map(key, va, node.frame_at(key, va))
        assert node.resume(fault) is h.CmdStatus.OK
        scene.end(serve=False)
        for _ in range(2):
            scene.write(100, there=5 * PAGE)
            scene.end(serve=False)
