"""The adapters' own half: commands and drains, walks and fills, faults of each side of a queue pair, packets, completions.

Promises: as device.py. Each node's rows stand together, in the group DEVICE - node.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from hwif.gen.events import TraceEvent as T
from hwif.gen.gru import PAGE_SHIFT
from hwif.gen.hca import NODE_IRQS, IrqLine, WcOpcode
from shootdown.timeline.story import DEVICE, Entry, Story, Track
from shootdown.timeline.words import fault_side, nak_name, packet_name, pages, qp_state, span, wr_status

if TYPE_CHECKING:
    from shootdown.timeline.adapters import AdapterLinks

__all__ = ["AdapterDevice"]

IRQ, COMMANDS, MTT, CQ, QP = range(5)  # order of the rows, top to bottom
DRAIN, FENCES = range(2)
WALKS, FILLS, DROPPED, KILLS = range(4)
SIDES: Final = 4  # rows of a queue pair: its send and receive sides' faults, what it sends, what it takes
SENT, TAKEN = 2, 3
PAGE_MASK: Final = (1 << PAGE_SHIFT) - 1
LINES: Final[dict[int, str]] = {IrqLine.FAULT: "fault line", IrqLine.COMPLETION: "completion line", IrqLine.ASYNC: "async line"}

Args = Sequence[int]
Handler = Callable[[int, int, Args], object]


class AdapterDevice:
    """Tells the story of HCA records. Handlers are called with cycle, node, arguments."""

    def __init__(self, story: Story, links: AdapterLinks) -> None:
        self._story = story
        self._links = links
        self._tracks: dict[tuple[int, int, int], Track] = {}
        self._drains: dict[int, Entry] = {}
        self._walks: dict[tuple[int, int, int], Entry] = {}
        self._faults: dict[tuple[int, int, int], Entry] = {}
        self._unannounced: dict[int, list[Entry]] = {}
        self.handlers: dict[int, Handler] = {
            T.DEV_IRQ: self._line,
            T.HDEV_INVALIDATE: self._invalidate,
            T.HDEV_FENCE: self._fence,
            T.HDEV_WALK: self._walk,
            T.HDEV_FILL: self._fill,
            T.HDEV_FILL_DROPPED: self._dropped,
            T.HDEV_KILL: lambda c, n, a: self._mark(c, n, MTT, KILLS, "MTT kills", f"kill {span(a[2])}", T.HDEV_KILL, a),
            T.HDEV_FAULT: self._fault,
            T.HDEV_RECORD: self._record,
            T.HDEV_RESUME: self._resume,
            T.HDEV_QP: lambda c, n, a: self._mark(c, n, QP, SIDES * a[0], self._side(a[0], 0), qp_state(a[1]), T.HDEV_QP, a),
            T.HDEV_PACKET: self._packet,
            T.HDEV_NAK: self._nak,
            T.HDEV_LAND: lambda c, n, a: self._mark(
                c, n, QP, SIDES * a[0] + TAKEN, f"QP {a[0]} takes", f"landed, {a[3]} bytes", T.HDEV_LAND, a
            ),
            T.HDEV_CQE: self._completion,
        }

    def _track(self, node: int, kind: int, number: int, name: str) -> Track:
        track = self._tracks.get((node, kind, number))
        if track is None:
            track = self._tracks[node, kind, number] = self._story.track(DEVICE - node, name, (kind, number))
        return track

    def _mark(self, cycle: int, node: int, kind: int, number: int, row: str, name: str, event: T, args: Args) -> Entry:
        return self._story.instant(cycle, self._track(node, kind, number, row), "mark", "device", name, event, args)

    @staticmethod
    def _side(qpn: int, direction: int) -> str:
        return f"QP {qpn} {fault_side(direction)}"

    # ---- invalidations ---------------------------------------------------------------------------------------------

    def _invalidate(self, cycle: int, node: int, args: Args) -> None:
        story, track = self._story, self._track(node, COMMANDS, DRAIN, "drain")
        drain = self._drains.get(node)
        if drain is None or not drain.open:
            drain = self._drains[node] = story.begin(cycle, track, "drain", "device", "until the fence", None, ())
        covered = (args[3] + (args[2] & PAGE_MASK) + PAGE_MASK) >> PAGE_SHIFT
        what = "whole key" if args[4] else pages(covered)
        entry = story.instant(cycle, track, "invalidate", "device", f"invalidate {what}", T.HDEV_INVALIDATE, args)
        story.arrow(self._links.commands.pop((node, args[0]), None), entry)

    def _fence(self, cycle: int, node: int, args: Args) -> None:
        story = self._story
        story.end(cycle, self._drains.pop(node, None))
        entry = self._mark(cycle, node, COMMANDS, FENCES, "fences", "fence written", T.HDEV_FENCE, args)
        story.arrow(self._links.commands.pop((node, args[0]), None), entry)
        self._links.fences[node, args[1]] = entry

    # ---- translation -------------------------------------------------------------------------------------------------

    def _walk(self, cycle: int, node: int, args: Args) -> None:
        entry = self._mark(cycle, node, MTT, WALKS, "MTT walks", "walk", T.HDEV_WALK, args)
        self._walks[node, args[0], args[1] >> PAGE_SHIFT] = entry

    def _fill(self, cycle: int, node: int, args: Args) -> None:
        entry = self._mark(cycle, node, MTT, FILLS, "MTT fills", f"fill {span(args[3])}", T.HDEV_FILL, args)
        self._story.arrow(self._walks.pop((node, args[0], args[1] >> PAGE_SHIFT), None), entry)

    def _dropped(self, cycle: int, node: int, args: Args) -> None:
        entry = self._mark(cycle, node, MTT, DROPPED, "MTT walks dropped", "dropped", T.HDEV_FILL_DROPPED, args)
        self._story.arrow(self._walks.pop((node, args[0], args[1] >> PAGE_SHIFT), None), entry)

    # ---- faults ------------------------------------------------------------------------------------------------------

    def _fault(self, cycle: int, node: int, args: Args) -> None:
        key = (node, args[0], args[1])
        track = self._track(node, QP, SIDES * args[0] + args[1], self._side(args[0], args[1]))
        self._story.end(cycle, self._faults.get(key))
        self._faults[key] = self._story.begin(cycle, track, "fault", "device", f"fault at {args[3]:#x}", T.HDEV_FAULT, args)

    def _record(self, cycle: int, node: int, args: Args) -> None:
        key = (node, args[0], args[1])
        track = self._track(node, QP, SIDES * args[0] + args[1], self._side(args[0], args[1]))
        entry = self._story.instant(cycle, track, "record", "device", "record", T.HDEV_RECORD, args)
        self._story.arrow(self._faults.get(key), entry)
        self._links.records[key] = entry
        self._unannounced.setdefault(node, []).append(entry)

    def _line(self, cycle: int, _node: int, args: Args) -> None:
        story = self._story
        node, line = divmod(args[0], NODE_IRQS)
        track = self._track(node, IRQ, line, LINES.get(line, f"IRQ {line}"))
        if not args[1]:
            story.end(cycle, story.innermost(track, "line"))
            return
        entry = story.begin(cycle, track, "line", "device", "raised", T.DEV_IRQ, args)
        if line == IrqLine.FAULT:
            self._links.lines[node] = entry
            for record in self._unannounced.pop(node, ()):
                story.arrow(record, entry)

    def _resume(self, cycle: int, node: int, args: Args) -> None:
        story, key = self._story, (node, args[0], args[1])
        track = self._track(node, QP, SIDES * args[0] + args[1], self._side(args[0], args[1]))
        if args[4]:
            story.end(cycle, self._faults.pop(key, None))
        name = ("abort" if args[3] else "resume") if args[4] else "resume refused: stale token"
        entry = story.instant(cycle, track, "resume", "device", name, T.HDEV_RESUME, args)
        story.arrow(self._links.work.pop(key, None), entry)

    # ---- packets and completions -------------------------------------------------------------------------------------

    def _packet(self, cycle: int, node: int, args: Args) -> None:
        row, name = (SENT, f"QP {args[1]} sends") if args[4] else (TAKEN, f"QP {args[1]} takes")
        self._mark(cycle, node, QP, SIDES * args[1] + row, name, packet_name(args[0]), T.HDEV_PACKET, args)

    def _nak(self, cycle: int, node: int, args: Args) -> None:
        row, name = (SENT, f"QP {args[0]} sends") if args[3] else (TAKEN, f"QP {args[0]} takes")
        self._mark(cycle, node, QP, SIDES * args[0] + row, name, nak_name(args[2]), T.HDEV_NAK, args)

    def _completion(self, cycle: int, node: int, args: Args) -> None:
        entry = self._mark(cycle, node, CQ, args[0], f"CQ {args[0]}", wr_status(args[2]), T.HDEV_CQE, args)
        receive = int(args[3] == WcOpcode.RECV)
        self._story.arrow(self._links.posts.pop((node, args[1], receive, args[4]), None), entry)
        self._links.completions[node, args[1], receive, args[4]] = entry
