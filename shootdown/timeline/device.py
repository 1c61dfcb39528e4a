"""The device's half of the story: shootdown handles, TLB, control blocks and their misses, interrupt lines, contexts.

Promises: a row appears when its part of the device first does something; whatever is missing in the records, rows nest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from hwif.gen.events import TraceEvent as T
from hwif.gen.gru import CchState
from shootdown.timeline.links import Links
from shootdown.timeline.story import DEVICE, Entry, Story, Track
from shootdown.timeline.words import context_state, ending, miss_name, opcode, page_size, shot_pages

__all__ = ["Device"]

ANNOUNCED_WITHIN: Final = 16
"""Cycles from a miss to the interrupt line it raises; a line that rises later rises for another one."""
MANY_WAITING: Final = 64  # misses that no line announced, at which the old ones are forgotten

IRQ, TGH, TLB, CB, CCH = range(5)  # order of the rows, top to bottom
FILLS, DROPPED, KILLS = range(3)

Args = Sequence[int]


class Device:
    """Tells the story of device records, and of instructions from the moment the user issues them."""

    def __init__(self, story: Story, links: Links) -> None:
        self._story = story
        self._links = links
        self._tracks: dict[tuple[int, int], Track] = {}
        self._contexts: dict[int, Entry] = {}
        self.handlers: dict[int, Callable[[int, Args], None]] = {
            T.DEV_MISS: self._miss,
            T.DEV_FILL: self._fill,
            T.DEV_FILL_DROPPED: self._dropped,
            T.DEV_SHOOT_ACCEPT: self._accept,
            T.DEV_SHOOT_DONE: self._drained,
            T.DEV_KILL: self._kill,
            T.DEV_RESTART: self._restart,
            T.DEV_CB_DONE: self._done,
            T.DEV_IRQ: self._line,
            T.DEV_CCH: self._context,
        }

    def _track(self, kind: int, number: int, name: str) -> Track:
        track = self._tracks.get((kind, number))
        if track is None:
            track = self._tracks[kind, number] = self._story.track(DEVICE, name, (kind, number))
        return track

    def _block(self, cbr: int) -> Track:
        return self._track(CB, cbr, f"CB {cbr}")

    # ---- shootdowns ------------------------------------------------------------------------------------------------

    def _accept(self, cycle: int, args: Args) -> None:
        story, tgh = self._story, args[0]
        track = self._track(TGH, tgh, f"TGH {tgh}")
        if track.stack:  # a handle given away before its status was seen
            story.end(cycle, track.stack[0])
        shootdown = self._links.shootdowns.get(tgh)
        if shootdown is not None:
            story.end(cycle, shootdown.post)
        name = f"drain: {shot_pages(args[3], args[4])}"
        drain = story.begin(cycle, track, "drain", "device", name, T.DEV_SHOOT_ACCEPT, args)
        if shootdown is not None:
            story.arrow(shootdown.post, drain)
            shootdown.drain = drain

    def _drained(self, cycle: int, args: Args) -> None:
        track = self._track(TGH, args[0], f"TGH {args[0]}")
        self._story.end(cycle, self._story.innermost(track, "drain"))

    def _kill(self, cycle: int, args: Args) -> None:
        track = self._track(TLB, KILLS, "TLB kills")
        self._story.instant(cycle, track, "kill", "device", f"kill {page_size(args[2])}", T.DEV_KILL, args)

    # ---- misses ----------------------------------------------------------------------------------------------------

    def issue(self, cycle: int, args: Args) -> None:
        """The user starts an instruction."""
        story, block = self._story, self._links.blocks[args[0]]
        story.end(cycle, block.instruction)
        block.done = block.answer = None
        block.thread = args[4]
        block.instruction = story.begin(cycle, self._block(args[0]), "instruction", "device", opcode(args[1]), T.USR_ISSUE, args)

    def _miss(self, cycle: int, args: Args) -> None:
        story, block, track = self._story, self._links.blocks[args[0]], self._block(args[0])
        story.end(cycle, block.parked)
        block.miss = story.instant(cycle, track, "miss", "device", miss_name(args[3]), T.DEV_MISS, args)
        block.parked = story.begin(cycle, track, "parked", "device", f"parked on {args[1]:#x}", None, ())
        block.missed_at = cycle
        block.interrupted = False
        block.polling = block.dropin = block.fill = block.answer = None
        waiting = self._links.waiting
        if len(waiting) > MANY_WAITING:
            waiting[:] = [other for other in waiting if cycle - other.missed_at <= ANNOUNCED_WITHIN]
        waiting.append(block)

    def _line(self, cycle: int, args: Args) -> None:
        story, links = self._story, self._links
        track = self._track(IRQ, args[0], f"IRQ {args[0]}")
        if not args[1]:
            story.end(cycle, story.innermost(track, "line"))
            return
        line = links.lines[args[0]] = story.begin(cycle, track, "line", "device", "raised", T.DEV_IRQ, args)
        for block in links.waiting:
            if not block.interrupted and block.miss is not None and cycle - block.missed_at <= ANNOUNCED_WITHIN:
                story.arrow(block.miss, line)
                block.interrupted = True
        links.waiting.clear()

    def _fill(self, cycle: int, args: Args) -> None:
        track = self._track(TLB, FILLS, "TLB fills")
        self._answer(
            cycle, args[0], self._story.instant(cycle, track, "fill", "device", f"fill {page_size(args[4])}", T.DEV_FILL, args)
        )

    def _dropped(self, cycle: int, args: Args) -> None:
        track = self._track(TLB, DROPPED, "TLB drop-ins dropped")
        self._answer(cycle, args[0], self._story.instant(cycle, track, "fill", "device", "dropped", T.DEV_FILL_DROPPED, args))

    def _answer(self, cycle: int, cbr: int, fill: Entry) -> None:
        block = self._links.blocks[cbr]
        self._story.end(cycle, block.dropin)
        self._story.arrow(block.dropin, fill)
        block.dropin = None
        block.fill = fill

    def _restart(self, cycle: int, args: Args) -> None:
        story, block, track = self._story, self._links.blocks[args[0]], self._block(args[0])
        story.end(cycle, block.parked)
        restart = story.instant(cycle, track, "restart", "device", "restart", T.DEV_RESTART, args)
        story.arrow(block.fill, restart)
        block.parked = block.miss = block.fill = None
        block.answer = restart

    def _done(self, cycle: int, args: Args) -> None:
        """The end of an instruction. Only one that had a miss gets a mark: there an arrow arrives."""
        story, block, track = self._story, self._links.blocks[args[0]], self._block(args[0])
        instruction, answer = block.instruction, block.answer
        story.end(cycle, block.parked)
        if answer is not None or instruction is None:
            done = story.instant(cycle, track, "done", "device", ending(args[1]), T.DEV_CB_DONE, args)
            story.arrow(answer, done)
            block.done = done
        else:
            block.done = instruction
        story.end(cycle, instruction)
        block.instruction = block.parked = block.miss = block.answer = None

    # ---- contexts --------------------------------------------------------------------------------------------------

    def _context(self, cycle: int, args: Args) -> None:
        story, ctx = self._story, args[0]
        track = self._track(CCH, ctx, f"context {ctx}")
        story.end(cycle, self._contexts.pop(ctx, None))
        if args[1] != CchState.INACTIVE:
            self._contexts[ctx] = story.begin(cycle, track, "context", "device", context_state(args[1]), T.DEV_CCH, args)
