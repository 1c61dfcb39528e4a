"""The software half of the story: VM operations, notifier callbacks inside them, the driver's work, the user's instructions.

Each task has its own row; what it does nests as it calls. Promises: whatever is missing in the records (a mutant that does not
wait, a run that was cut), the rows still nest and nothing fails.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from hwif.gen.events import TraceEvent as T
from shootdown.timeline.links import Links, Shootdown
from shootdown.timeline.story import Entry, Story, Track
from shootdown.timeline.words import area, ending, fault_kind, opcode, pages, shot_pages

__all__ = ["Software"]

LANE_ORDER: Final = 1 << 20  # rows besides a task's own come after all tasks

Args = Sequence[int]


class Software:
    """Tells the story of software records. `names[task - 1]` names a task."""

    def __init__(self, story: Story, links: Links, names: Sequence[str]) -> None:
        self._story = story
        self._links = links
        self._names = names
        self._tracks: dict[int, Track] = {}
        self._lanes: dict[tuple[Track, int], Track] = {}
        self._instructions: dict[tuple[int, int], Entry] = {}  # (context, control block of it) -> what the user waits for
        self._seen: dict[Entry, list[Entry]] = {}  # notifier call -> shootdowns whose status was seen in it
        self.handlers: dict[int, Callable[[int, Track, Args], object]] = {
            T.VM_MMAP: lambda c, t, a: self._vm(c, t, T.VM_MMAP, a, f"mmap {area(a[1], a[2])}"),
            T.VM_MUNMAP: lambda c, t, a: self._vm(c, t, T.VM_MUNMAP, a, f"munmap {area(a[1], a[2])}"),
            T.VM_MPROTECT: lambda c, t, a: self._vm(c, t, T.VM_MPROTECT, a, f"mprotect {area(a[1], a[2])}"),
            T.VM_MREMAP: lambda c, t, a: self._vm(c, t, T.VM_MREMAP, a, f"mremap {a[1]:#x} to {a[2]:#x}"),
            T.VM_BRK: lambda c, t, a: self._vm(c, t, T.VM_BRK, a, f"brk {a[2]:#x}"),
            T.VM_MADVISE: lambda c, t, a: self._vm(c, t, T.VM_MADVISE, a, f"madvise {area(a[1], a[2])}"),
            T.VM_FORK: lambda c, t, a: self._vm(c, t, T.VM_FORK, a, f"fork of mm {a[0]}"),
            T.VM_EXIT: lambda c, t, a: self._vm(c, t, T.VM_EXIT, a, f"exit of mm {a[0]}"),
            T.VM_FAULT_BEGIN: lambda c, t, a: self._vm(c, t, T.VM_FAULT_BEGIN, a, "fault"),
            T.VM_MIGRATE_BEGIN: lambda c, t, a: self._vm(c, t, T.VM_MIGRATE_BEGIN, a, f"migrate {a[1]:#x}"),
            T.VM_PAGEOUT: lambda c, t, a: self._vm(c, t, T.VM_PAGEOUT, a, f"reclaim frame {a[0]}"),
            T.VM_TRUNCATE: lambda c, t, a: self._vm(c, t, T.VM_TRUNCATE, a, f"truncate of file {a[0]}"),
            T.VM_WRITEBACK: lambda c, t, a: self._vm(c, t, T.VM_WRITEBACK, a, f"writeback of page {a[1]}"),
            T.VM_REMAP_FILE: lambda c, t, a: self._vm(c, t, T.VM_REMAP_FILE, a, f"remap_file_pages {area(a[1], a[2])}"),
            T.VM_XIP_UNMAP: lambda c, t, a: self._vm(c, t, T.VM_XIP_UNMAP, a, f"XIP unmap of page {a[1]}"),
            T.VM_MLOCK: lambda c, t, a: self._vm(c, t, T.VM_MLOCK, a, f"{'mlock' if a[3] else 'munlock'} {area(a[1], a[2])}"),
            T.VM_KSM: lambda c, t, a: self._vm(c, t, T.VM_KSM, a, f"merge frame {a[0]} with {a[1]}"),
            T.VM_UNMERGE: lambda c, t, a: self._vm(c, t, T.VM_UNMERGE, a, f"unmerge {area(a[1], a[2])}"),
            T.VM_OFFLINE: lambda c, t, a: self._vm(c, t, T.VM_OFFLINE, a, f"offline frames {a[0]} to {a[1] - 1}"),
            T.VM_PIN: lambda c, t, a: self._vm(c, t, T.VM_PIN, a, f"pin {area(a[1], a[2])}"),
            T.VM_OOM: lambda c, t, a: self._vm(c, t, T.VM_OOM, a, f"out of memory: mm {a[0]} is killed"),
            T.VM_EXCLUSIVE: lambda c, t, a: self._vm(c, t, T.VM_EXCLUSIVE, a, f"{a[1]:#x} to a device alone"),
            T.MN_RANGE_FAILED: lambda c, t, a: self._note(c, t, "notifier", "a client would sleep", T.MN_RANGE_FAILED, a),
            T.MN_RMAP_PAGE: lambda c, t, a: self._callback(c, t, "rmap invalidate_page", T.MN_RMAP_PAGE, a),
            T.MN_RMAP_PAGE_DONE: self._callback_done,
            T.VM_FAULT: self._fault_kind,
            T.VM_DONE: lambda c, t, a: self._story.end(c, self._story.innermost(t, "vm")),
            T.VM_RECLAIM: lambda c, t, a: self._note(c, t, "vm", "to swap", T.VM_RECLAIM, a),
            T.VM_SWAP_OUT: lambda c, t, a: self._note(c, t, "vm", "swapped out", T.VM_SWAP_OUT, a),
            T.VM_MIGRATE: lambda c, t, a: self._note(c, t, "vm", "moved", T.VM_MIGRATE, a),
            T.MN_RELEASE: lambda c, t, a: self._callback(c, t, "release", T.MN_RELEASE, a),
            T.MN_RELEASE_DONE: self._callback_done,
            T.MN_AGE_PAGE: lambda c, t, a: self._note(c, t, "notifier", "age_page", T.MN_AGE_PAGE, a),
            T.MN_INVALIDATE_PAGE: lambda c, t, a: self._callback(c, t, "invalidate_page", T.MN_INVALIDATE_PAGE, a),
            T.MN_INVALIDATE_PAGE_DONE: self._callback_done,
            T.MN_RANGE_BEGIN: self._range_begin,
            T.MN_RANGE_BEGIN_DONE: self._callback_done,
            T.MN_RANGE_END: lambda c, t, a: self._story.end(c, self._story.innermost(t, "range")),
            T.DRV_INTR: self._interrupt,
            T.DRV_INTR_DONE: lambda c, t, a: self._story.end(c, self._story.innermost(t, "handler")),
            T.DRV_CALL_OS: self._call_os,
            T.DRV_CALL_OS_DONE: lambda c, t, a: self._story.end(c, self._story.innermost(t, "handler")),
            T.DRV_DROPIN: self._dropin,
            T.DRV_UPM: self._polling,
            T.DRV_EXCEPTION: self._exception,
            T.DRV_SHOOTDOWN: self._shootdown,
            T.DRV_SHOOTDOWN_DONE: self._shootdown_done,
            T.DRV_LOAD_BEGIN: lambda c, t, a: self._place(c, t, T.DRV_LOAD_BEGIN, a, f"load context {a[0]}"),
            T.DRV_LOAD: lambda c, t, a: self._story.end(c, self._story.innermost(t, "place")),
            T.DRV_UNLOAD_BEGIN: lambda c, t, a: self._place(c, t, T.DRV_UNLOAD_BEGIN, a, f"unload context {a[0]}"),
            T.DRV_UNLOAD: self._unloaded,
            T.DRV_STEAL: lambda c, t, a: self._note(c, t, "driver", f"steal context {a[0]}", T.DRV_STEAL, a),
            T.USR_ISSUE: self._issue,
            T.USR_DONE: self._finished,
        }

    def track(self, cpu: int, task: int) -> Track:
        """The row of a task, made when it is first needed."""
        key = cpu << 16 | task
        track = self._tracks.get(key)
        if track is None:
            name = self._names[task - 1] if 0 < task <= len(self._names) else f"task {task}" if task else "no task"
            track = self._tracks[key] = self._story.track(cpu, name, (0, task), task)
        return track

    # ---- virtual memory and notifiers ------------------------------------------------------------------------------

    def _vm(self, cycle: int, track: Track, event: T, args: Args, name: str) -> None:
        self._story.begin(cycle, track, "vm", "vm", name, event, args)

    def _note(self, cycle: int, track: Track, layer: str, name: str, event: T, args: Args) -> Entry:
        return self._story.instant(cycle, track, "note", layer, name, event, args)

    def _fault_kind(self, cycle: int, track: Track, args: Args) -> None:
        """Only when a fault has been handled is it known what it was."""
        slice_ = self._story.innermost(track, "vm")
        if slice_ is not None and slice_.event == T.VM_FAULT_BEGIN:
            slice_.name = f"fault: {fault_kind(args[3])}"

    def _range_begin(self, cycle: int, track: Track, args: Args) -> None:
        count = pages(max(0, args[2] - args[1]) >> 12)
        self._story.begin(cycle, track, "range", "notifier", f"range active: {count}", T.MN_RANGE_BEGIN, args)
        self._callback(cycle, track, "invalidate_range_begin", T.MN_RANGE_BEGIN, args)

    def _callback(self, cycle: int, track: Track, name: str, event: T, args: Args) -> None:
        operation = self._story.innermost(track, "vm")
        entry = self._story.begin(cycle, track, "callback", "notifier", name, event, args)
        self._story.arrow(operation, entry)

    def _callback_done(self, cycle: int, track: Track, args: Args) -> None:
        story = self._story
        callback = story.innermost(track, "callback")
        if callback is None:
            return
        story.end(cycle, callback)
        seen = self._seen.pop(callback, ())
        if seen:
            returned = story.instant(cycle, track, "returned", "notifier", f"{callback.name} returned", None, ())
            for status in seen:
                story.arrow(status, returned)

    # ---- driver ----------------------------------------------------------------------------------------------------

    def _interrupt(self, cycle: int, track: Track, args: Args) -> None:
        story, lines = self._story, self._links.lines
        faults = "1 fault" if args[1] == 1 else f"{args[1]} faults"
        entry = story.begin(cycle, track, "handler", "driver", f"gru_intr: {faults}", T.DRV_INTR, args)
        line = lines.get(args[0])
        if line is not None:
            story.arrow(line, entry)
            if not line.open:
                del lines[args[0]]

    def _call_os(self, cycle: int, track: Track, args: Args) -> None:
        block = self._links.blocks[args[0]]
        entry = self._story.begin(cycle, track, "handler", "driver", "call_os", T.DRV_CALL_OS, args)
        self._story.arrow(block.polling if block.polling is not None else self._unannounced(args[0]), entry)
        block.polling = None

    def _unannounced(self, cbr: int) -> Entry | None:
        """The miss of a block that no interrupt line announced."""
        block = self._links.blocks[cbr]
        if block.interrupted:
            return None
        block.interrupted = True
        return block.miss

    def _dropin(self, cycle: int, track: Track, args: Args) -> None:
        story, block = self._story, self._links.blocks[args[0]]
        handler = story.innermost(track, "handler")
        story.end(cycle, story.innermost(track, "dropin"))  # the device has not answered the one before
        entry = story.begin(cycle, track, "dropin", "driver", f"drop-in CB {args[0]}", T.DRV_DROPIN, args)
        story.arrow(handler, entry)
        story.arrow(self._unannounced(args[0]), entry)
        block.dropin = entry

    def _polling(self, cycle: int, track: Track, args: Args) -> None:
        block = self._links.blocks[args[0]]
        block.polling = self._note(cycle, track, "driver", f"CB {args[0]} to user polling", T.DRV_UPM, args)
        self._story.arrow(self._unannounced(args[0]), block.polling)

    def _exception(self, cycle: int, track: Track, args: Args) -> None:
        block = self._links.blocks[args[0]]
        block.answer = self._note(cycle, track, "driver", f"exception for CB {args[0]}", T.DRV_EXCEPTION, args)
        self._story.arrow(self._unannounced(args[0]), block.answer)

    def _shootdown(self, cycle: int, track: Track, args: Args) -> None:
        story, tgh = self._story, args[0]
        callback = story.innermost(track, "callback")
        story.end(cycle, story.innermost(track, "shootdown"))  # a driver that does not wait
        name = f"shootdown TGH {tgh}: {shot_pages(args[3])}"
        driver = story.begin(cycle, track, "shootdown", "driver", name, T.DRV_SHOOTDOWN, args)
        post = story.begin(cycle, track, "post", "driver", "post", None, ())
        story.arrow(callback, driver)
        self._links.shootdowns[tgh] = Shootdown(driver, post, callback)

    def _shootdown_done(self, cycle: int, track: Track, args: Args) -> None:
        story = self._story
        shootdown = self._links.shootdowns.pop(args[0], None)
        if shootdown is None:
            return
        story.end(cycle, shootdown.post)
        seen = story.instant(cycle, track, "seen", "driver", "status seen", T.DRV_SHOOTDOWN_DONE, args)
        story.arrow(shootdown.drain, seen)
        story.end(cycle, shootdown.driver)
        if shootdown.callback is not None:
            self._seen.setdefault(shootdown.callback, []).append(seen)

    def _place(self, cycle: int, track: Track, event: T, args: Args, name: str) -> None:
        self._story.begin(cycle, track, "place", "driver", name, event, args)

    def _unloaded(self, cycle: int, track: Track, args: Args) -> None:
        """What the context was doing is in memory now; its control blocks are free for others."""
        place = self._story.innermost(track, "place")
        if place is None:
            return
        for block in self._links.blocks.values():
            if block.instruction is not None and block.thread == place.args[2]:
                self._story.end(cycle, block.instruction)
                block.instruction = None
        self._story.end(cycle, place)

    # ---- user ------------------------------------------------------------------------------------------------------

    def _issue(self, cycle: int, track: Track, args: Args) -> None:
        """The instruction on the user's row, or, when that has one open, on a row of the control block."""
        story = self._story
        name = opcode(args[1])
        row = track if story.innermost(track, "instruction") is None else self._lane(track, args[5])
        story.end(cycle, story.innermost(row, "instruction") if row is not track else None)
        self._instructions[args[4], args[5]] = story.begin(cycle, row, "instruction", "user", name, T.USR_ISSUE, args)

    def _lane(self, track: Track, block: int) -> Track:
        lane = self._lanes.get((track, block))
        if lane is None:
            order = (0, LANE_ORDER * (track.task + 1) + block)
            lane = self._story.track(track.group, f"{track.name}, control block {block}", order, parent=track)
            self._lanes[track, block] = lane
        return lane

    def _finished(self, cycle: int, track: Track, args: Args) -> None:
        story, block = self._story, self._links.blocks[args[0]]
        instruction = self._instructions.pop((args[2], args[3]), None)
        row = instruction.track if instruction is not None and instruction.open else track
        seen = story.instant(cycle, row, "finished", "user", f"{ending(args[1])} seen", T.USR_DONE, args)
        story.arrow(block.done, seen)
        block.done = None
        story.end(cycle, instruction)
