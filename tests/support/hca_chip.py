"""The HCA for unit tests, model or RTL, without a driver: `bare()` gives a device of one or two nodes with everything enabled.

Promises: what a test does here holds on every device behind the port; `Made.make` says which one it is.
Costs: a model is made in some milliseconds; memory is committed only where it is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hwif.gen import hca as h
from hwif.gen.events import TraceEvent
from hwif.memory import HostMemory
from hwif.shadow import Shadow
from hwif.trace import EVENT_MASK, node_of
from pymodels.hca import HcaModel, HcaModelOptions
from tb.hil.hca_bare import Bare, BareNode, BareQp, Entry, settings

__all__ = ["A_VA", "B_VA", "PAGE", "Made", "Pair", "bare", "events", "model"]

PAGE = 4096
A_VA = 0x10_0000
B_VA = 0x7F00_0020_0000
PAGES = 12
FRAMES = 4096

Nodes = Sequence[tuple[HostMemory, Shadow]]


def model(nodes: Nodes, **options: int) -> Any:
    """The model."""
    return HcaModel(nodes, HcaModelOptions(**options))


class Made:
    """What the devices of the tests are made of."""

    make: Callable[..., Any] = staticmethod(model)


def bare(nodes: int = 2, chosen: settings | None = None, *, frames: int = FRAMES, **options: int) -> Bare:
    """A device with everything enabled."""
    return Bare(Made.make([(HostMemory(frames), Shadow(frames)) for _ in range(nodes)], **options), chosen)


def events(made: Bare, *wanted: TraceEvent, node: int | None = None) -> list[tuple[int, TraceEvent, list[int]]]:
    """Trace records since the last look, of these kinds and node: cycle, event, arguments."""
    found = []
    for cycle, word, *args in made.device.drain_trace().tolist():
        event = TraceEvent(word & EVENT_MASK)
        if event in wanted and node in (None, node_of(word)):
            found.append((cycle, event, args))
    return found


class Pair:
    """Nodes A and B (or one, twice), a region of PAGES pages on each with random bytes, and a connected queue pair."""

    def __init__(
        self,
        nodes: int = 2,
        chosen: settings | None = None,
        *,
        qp: dict[str, int] | None = None,
        key: dict[str, Any] | None = None,
        on: Bare | None = None,
        **options: int,
    ) -> None:
        self.bare = on or bare(nodes, chosen, **options)
        self.a: BareNode = self.bare.node(0)
        self.b: BareNode = self.bare.node(nodes - 1)
        self.ka = self.a.region(1, A_VA, PAGES)
        self.kb = self.b.region(2, B_VA, PAGES, **(key or {}))
        rng = np.random.default_rng(7)
        self.bytes_a = rng.bytes(PAGES * PAGE)
        self.bytes_b = rng.bytes(PAGES * PAGE)
        self.a.poke(self.ka, A_VA, self.bytes_a)
        self.b.poke(self.kb, B_VA, self.bytes_b)
        self.qa: BareQp
        self.qb: BareQp
        self.qa, self.qb = self.bare.pair(self.a, self.b, **(qp or {}))

    def more(self, number: int, **context: int) -> tuple[BareQp, BareQp]:
        """Another connected queue pair."""
        return self.bare.pair(self.a, self.b, number, **context)

    def done(self, qp: BareQp | None = None, *, recv: bool = False) -> Entry:
        """The next completion of a queue pair (A's first, unless told otherwise)."""
        return self.bare.wait(qp or self.qa, recv=recv)[0]

    def ok(self, qp: BareQp | None = None, *, recv: bool = False) -> Entry:
        """The same; it must be a success."""
        entry = self.done(qp, recv=recv)
        assert entry["status"] == h.WcStatus.SUCCESS, entry
        return entry

    def quiet(self, cycles: int = 4000) -> None:
        """Time passes and no completion comes."""
        self.bare.sleep(cycles)
        assert not self.a.poll(self.qa.context["send_cqn"])

    def take(self, node: BareNode, key: int, va: int) -> int:
        """Take a page away as software does: table, invalidate, fence, oracle. Its frame."""
        frame = node.unmap(key, va)
        assert node.invalidate(key, va, PAGE) is h.CmdStatus.OK
        assert node.fence(0x5EED) is h.CmdStatus.OK
        node.revoke(key, va)
        return frame
