"""The HCAs' part of the story: what software and the adapters of both systems have to know of each other for the arrows.

An invalidation is followed from the notifier callback over table, command and drain to the fence; a fault from the side of the
queue pair that met it over record, interrupt line and work item to its resume; a work request from its posting to its completion.

Promises: as software.py and device.py: rows nest and nothing fails, whatever is missing in the records.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hwif.gen.events import TraceEvent as T
from hwif.trace import NODE_CPUS
from shootdown.timeline.adapter_device import AdapterDevice
from shootdown.timeline.story import DEVICE, Entry, Story, Track
from shootdown.timeline.words import area, command_name, fault_side, wr_name, wr_status

__all__ = ["AdapterLinks", "Adapters"]

Args = Sequence[int]
SYSTEMS = "AB"


@dataclass
class AdapterLinks:
    """What both halves share, each by node first."""

    commands: dict[tuple[int, int], Entry] = field(default_factory=dict)
    """Rung, by index of the entry."""
    fences: dict[tuple[int, int], Entry] = field(default_factory=dict)
    """Written by the device, by value."""
    records: dict[tuple[int, int, int], Entry] = field(default_factory=dict)
    """Fault records, by queue pair and side."""
    work: dict[tuple[int, int, int], Entry] = field(default_factory=dict)
    """Work items, by queue pair and side."""
    lines: dict[int, Entry] = field(default_factory=dict)
    """Interrupt lines: the latest time each was up."""
    posts: dict[tuple[int, int, int, int], Entry] = field(default_factory=dict)
    """Work requests, by queue pair, receive or not, index."""
    completions: dict[tuple[int, int, int, int], Entry] = field(default_factory=dict)
    """The same for completions."""


class Adapters:
    """`software`: handlers of the driver's and the users' records; `device`: of the adapters' records."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._links = AdapterLinks()
        for node, name in enumerate(SYSTEMS):
            story.devices[DEVICE - node] = f"HCA {name}"
        self.device = AdapterDevice(story, self._links).handlers
        self.software: dict[int, Callable[[int, Track, Args], object]] = {
            T.HCA_POST_SEND: self._post_send,
            T.HCA_POST_RECV: self._post_recv,
            T.HCA_POLL: self._poll,
            T.HCA_REG_MR: lambda c, t, a: self._note(c, t, f"reg_mr {a[0]:#x}", T.HCA_REG_MR, a),
            T.HCA_DEREG_MR: lambda c, t, a: self._begin(c, t, "dereg", f"dereg_mr {a[0]:#x}", T.HCA_DEREG_MR, a),
            T.HCA_DEREG_MR_DONE: lambda c, t, a: self._end(c, t, "dereg"),
            T.HCA_INTR: self._interrupt,
            T.HCA_INTR_DONE: lambda c, t, a: self._end(c, t, "handler"),
            T.HCA_FAULT: self._fault,
            T.HCA_FAULT_DONE: lambda c, t, a: self._end(c, t, "work"),
            T.HCA_MAP: lambda c, t, a: self._note(c, t, "map", T.HCA_MAP, a),
            T.HCA_UNMAP: self._unmap,
            T.HCA_COMMAND: self._command,
            T.HCA_FENCE: lambda c, t, a: self._begin(c, t, "fence", "fence", T.HCA_FENCE, a),
            T.HCA_FENCE_DONE: self._fence_done,
            T.HCA_PREFETCH: lambda c, t, a: self._begin(c, t, "prefetch", f"advise_mr {a[0]:#x}", T.HCA_PREFETCH, a),
            T.HCA_PREFETCH_DONE: lambda c, t, a: self._end(c, t, "prefetch"),
            T.HCA_QP_ERROR: lambda c, t, a: self._note(c, t, f"QP {a[0]} in error", T.HCA_QP_ERROR, a),
        }

    @staticmethod
    def _node(track: Track) -> int:
        return track.group // NODE_CPUS

    def _note(self, cycle: int, track: Track, name: str, event: T, args: Args, layer: str = "driver") -> Entry:
        return self._story.instant(cycle, track, "note", layer, name, event, args)

    def _begin(self, cycle: int, track: Track, kind: str, name: str, event: T, args: Args) -> Entry:
        return self._story.begin(cycle, track, kind, "driver", name, event, args)

    def _end(self, cycle: int, track: Track, kind: str) -> None:
        self._story.end(cycle, self._story.innermost(track, kind))

    # ---- users -------------------------------------------------------------------------------------------------------

    def _post_send(self, cycle: int, track: Track, args: Args) -> None:
        name = f"post {wr_name(args[2])} on QP {args[0]}"
        self._links.posts[self._node(track), args[0], 0, args[1]] = self._note(cycle, track, name, T.HCA_POST_SEND, args, "user")

    def _post_recv(self, cycle: int, track: Track, args: Args) -> None:
        entry = self._note(cycle, track, f"post receive on QP {args[0]}", T.HCA_POST_RECV, args, "user")
        self._links.posts[self._node(track), args[0], 1, args[1]] = entry

    def _poll(self, cycle: int, track: Track, args: Args) -> None:
        entry = self._note(cycle, track, f"QP {args[0]}: {wr_status(args[2])} seen", T.HCA_POLL, args, "user")
        self._story.arrow(self._links.completions.pop((self._node(track), args[0], args[3], args[1]), None), entry)

    # ---- invalidations ---------------------------------------------------------------------------------------------

    def _unmap(self, cycle: int, track: Track, args: Args) -> None:
        entry = self._note(cycle, track, f"unmap {area(args[1], args[2])}", T.HCA_UNMAP, args)
        self._story.arrow(self._story.innermost(track, "callback"), entry)

    def _command(self, cycle: int, track: Track, args: Args) -> None:
        entry = self._note(cycle, track, command_name(args[1]), T.HCA_COMMAND, args)
        self._story.arrow(self._story.innermost(track, "callback") or self._story.innermost(track, "work"), entry)
        self._links.commands[self._node(track), args[0]] = entry

    def _fence_done(self, cycle: int, track: Track, args: Args) -> None:
        self._end(cycle, track, "fence")
        seen = self._note(cycle, track, "fence seen", T.HCA_FENCE_DONE, args)
        self._story.arrow(self._links.fences.pop((self._node(track), args[0]), None), seen)

    # ---- faults ------------------------------------------------------------------------------------------------------

    def _interrupt(self, cycle: int, track: Track, args: Args) -> None:
        entry = self._begin(cycle, track, "handler", "fault interrupt", T.HCA_INTR, args)
        self._story.arrow(self._links.lines.pop(self._node(track), None), entry)

    def _fault(self, cycle: int, track: Track, args: Args) -> None:
        key = (self._node(track), args[0], args[1])
        entry = self._begin(cycle, track, "work", f"page fault, QP {args[0]} {fault_side(args[1])}", T.HCA_FAULT, args)
        self._story.arrow(self._links.records.pop(key, None), entry)
        self._links.work[key] = entry
