"""What the records of a run say, as slices, instants and arrows on tracks: the timeline before it is written.

Promises: operations come out in order of time; the slices of a track nest (a slice that ends takes those inside it along); every
arrow joins two events of which the first begins no later than the second; nothing stays open after `finish`. Needs the records in
order of time. Costs one object an event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hwif.gen.events import TraceEvent

__all__ = ["BEGIN", "DEVICE", "END", "INSTANT", "Entry", "Story", "Track"]

# Kinds of operation; the numbers are those of the file (shootdown/timeline/wire.py).
BEGIN: Final = 1
END: Final = 2
INSTANT: Final = 3

DEVICE: Final = -1
"""The group of node 0's device, which belongs to no processor; node n's is DEVICE - n."""


class Track:
    """One row of the timeline. `group`: processor, or a device (DEVICE and below). `order` sorts the tracks of a group. `task`: the
    row of a task, to be shown as a thread; a row of its own besides the task's has `parent`."""

    __slots__ = ("group", "name", "order", "parent", "stack", "task")

    def __init__(self, group: int, name: str, order: tuple[int, int], task: int = 0, parent: Track | None = None) -> None:
        self.group = group
        self.name = name
        self.order = order
        self.task = task
        self.parent = parent
        self.stack: list[Entry] = []


class Entry:
    """A slice or an instant. `kind` is what the code that tells the story calls it; `layer` its category in the viewer. `event` and
    `args` are the record it comes from, for the viewer's details. `index`: its place among the operations."""

    __slots__ = ("args", "event", "index", "kind", "layer", "name", "open", "track", "unfinished")

    def __init__(
        self, track: Track, kind: str, layer: str, name: str, event: TraceEvent | None, args: Sequence[int], index: int
    ) -> None:
        self.track = track
        self.kind = kind
        self.layer = layer
        self.name = name
        self.event = event
        self.args = args
        self.index = index
        self.open = False
        self.unfinished = False


class Story:
    """Tracks, operations on them, arrows between them."""

    def __init__(self) -> None:
        self.tracks: list[Track] = []
        self.operations: list[tuple[int, int, Entry]] = []
        """(cycle, BEGIN | END | INSTANT, entry), in order of time."""
        self.arrows: list[tuple[Entry, Entry]] = []
        self.devices: dict[int, str] = {DEVICE: "GRU"}
        """Names of the groups that are devices."""

    def track(self, group: int, name: str, order: tuple[int, int], task: int = 0, parent: Track | None = None) -> Track:
        """A new track."""
        track = Track(group, name, order, task, parent)
        self.tracks.append(track)
        return track

    def begin(
        self, cycle: int, track: Track, kind: str, layer: str, name: str, event: TraceEvent | None = None, args: Sequence[int] = ()
    ) -> Entry:
        """A slice begins, inside whatever is open on the track."""
        entry = Entry(track, kind, layer, name, event, args, len(self.operations))
        entry.open = True
        track.stack.append(entry)
        self.operations.append((cycle, BEGIN, entry))
        return entry

    def end(self, cycle: int, entry: Entry | None) -> None:
        """A slice ends, and with it what is open inside. None, or one that has ended: nothing happens."""
        if entry is None or not entry.open:
            return
        stack = entry.track.stack
        while True:
            inner = stack.pop()
            inner.open = False
            self.operations.append((cycle, END, inner))
            if inner is entry:
                return

    def instant(
        self, cycle: int, track: Track, kind: str, layer: str, name: str, event: TraceEvent | None = None, args: Sequence[int] = ()
    ) -> Entry:
        """Something that takes no time."""
        entry = Entry(track, kind, layer, name, event, args, len(self.operations))
        self.operations.append((cycle, INSTANT, entry))
        return entry

    def arrow(self, source: Entry | None, target: Entry) -> None:
        """What led to what. Without a source there is no arrow."""
        if source is not None:
            self.arrows.append((source, target))

    def innermost(self, track: Track, kind: str) -> Entry | None:
        """The innermost open slice of a kind."""
        for entry in reversed(track.stack):
            if entry.kind == kind:
                return entry
        return None

    def finish(self, cycle: int) -> None:
        """The run is over; what is still open is marked so and ends here."""
        for track in self.tracks:
            for entry in track.stack:
                entry.unfinished = True
            if track.stack:
                self.end(cycle, track.stack[0])
