"""The oracle beside an adapter's memory port: may this access touch these bytes?

Promises: judges by hwif.shadow's arrays as they are when asked, as tb/hil/oracle.h does beat by beat: an access lies in one page
  and rights change by the page, so one judgement serves all its beats; they are counted, and objected to, one by one.
Costs: a few list look-ups an access.
"""

from __future__ import annotations

from collections.abc import Callable

from hwif.gen.gru import PAGE_SHIFT
from hwif.gen.hca import KEY_IDX_WIDTH, NUM_KEY, NUM_QP, Need
from hwif.gen.port import (
    REGION_LOCAL_READ,
    REGION_LOCAL_WRITE,
    REGION_MM_BITS,
    REGION_REMOTE_ATOMIC,
    REGION_REMOTE_READ,
    REGION_REMOTE_WRITE,
    REGION_WORDS,
    SHADOW_RIGHTS_BITS,
    SHADOW_VPN_BITS,
)
from hwif.memory import HostMemory
from hwif.port import Violation, ViolationReason
from hwif.shadow import KERNEL, READ, WRITE, Shadow

__all__ = ["LINE_SHIFT", "Oracle", "beats_of"]

LINE_SHIFT = 6
_VPN_MASK = (1 << SHADOW_VPN_BITS) - 1
_MM_MASK = (1 << REGION_MM_BITS) - 1
_KEY_MASK = (1 << KEY_IDX_WIDTH) - 1
_RIGHT = {
    Need.LOCAL_READ: REGION_LOCAL_READ,
    Need.LOCAL_WRITE: REGION_LOCAL_WRITE,
    Need.REMOTE_READ: REGION_REMOTE_READ,
    Need.REMOTE_WRITE: REGION_REMOTE_WRITE,
    Need.REMOTE_ATOMIC: REGION_REMOTE_ATOMIC,
}
_RIGHTS = tuple(_RIGHT[need] for need in sorted(Need))


def beats_of(pa: int, length: int) -> int:
    """Lines that `length` bytes from `pa` touch."""
    return ((pa + length - 1) >> LINE_SHIFT) - (pa >> LINE_SHIFT) + 1 if length else 0


class Oracle:
    """One node's oracle."""

    def __init__(self, node: int, memory: HostMemory, shadow: Shadow) -> None:
        self.enabled = True
        self.max_violations = 0
        self.checked_beats = self.checked_bytes = self.violations = 0
        self.kept: list[Violation] = []
        self.objection: Callable[[int], None] = lambda _cycle: None
        """Told of every access the oracle objects to."""
        self._node = node
        self._bytes = len(memory.bytes)
        self._frames = shadow.frames
        self._records = memoryview(shadow.words.data).cast("B").cast("Q")
        self._regions = memoryview(shadow.regions.data).cast("B").cast("Q")
        self._domains = memoryview(shadow.qp_pd.data).cast("B").cast("I")

    def inside(self, pa: int, length: int) -> bool:
        """The lines of the access lie in memory."""
        return (pa + length - 1) | ((1 << LINE_SHIFT) - 1) < self._bytes

    def check_own(self, cycle: int, pa: int, length: int, *, write: bool) -> None:
        """An access to the device's own tables and queues."""
        if not self.enabled:
            return
        beats = beats_of(pa, length)
        self.checked_beats += beats
        self.checked_bytes += length
        frame = pa >> PAGE_SHIFT
        if frame >= self._frames or not self.inside(pa, length):
            reason = ViolationReason.OUTSIDE
        elif self._records[2 * frame + 1] & KERNEL:
            return
        else:
            reason = ViolationReason.NOT_KERNEL
        self._object(cycle, reason, beats, Violation(cycle, reason, write, False, 0, 0, 0, 0, 0, pa, self._node))

    def check(self, cycle: int, qpn: int, key: int, need: int, va: int, pa: int, length: int, *, write: bool) -> None:
        """An access through a translation: `length` bytes in one page, in the name of key index `key`, for queue pair `qpn`."""
        if not self.enabled:
            return
        beats = beats_of(pa, length)
        self.checked_beats += beats
        self.checked_bytes += length
        reason, mm = self._judge(qpn, key, need, va, pa, length, write)
        if reason:
            why = ViolationReason(reason)
            self._object(cycle, why, beats, Violation(cycle, why, write, True, key, qpn, need, mm, va, pa, self._node))

    def _judge(self, qpn: int, key: int, need: int, va: int, pa: int, length: int, write: bool) -> tuple[int, int]:
        frame = pa >> PAGE_SHIFT
        if frame >= self._frames or not self.inside(pa, length):
            return ViolationReason.OUTSIDE, 0
        regions = self._regions
        base = REGION_WORDS * (key & _KEY_MASK)
        owner = regions[base]
        mm = owner & _MM_MASK
        if mm == 0 or key >= NUM_KEY:
            return ViolationReason.NO_REGION, 0
        if va < regions[base + 1] or va + length > regions[base + 2]:
            return ViolationReason.OUT_OF_REGION, mm
        if qpn >= NUM_QP or self._domains[qpn] != owner >> REGION_MM_BITS:
            return ViolationReason.WRONG_DOMAIN, mm
        if not regions[base + 3] & _RIGHTS[need]:
            return ViolationReason.NO_RIGHT, mm
        records = self._records
        tag = mm << SHADOW_VPN_BITS | (va >> PAGE_SHIFT & _VPN_MASK)
        index = frame
        while True:
            rights = records[2 * index + 1]
            if records[2 * index] == tag:
                if rights & (WRITE if write else READ):
                    return 0, mm
                return (ViolationReason.READ_ONLY if write else ViolationReason.REVOKED), mm
            index = rights >> SHADOW_RIGHTS_BITS
            if not index:
                return ViolationReason.REVOKED, mm

    def _object(self, cycle: int, reason: ViolationReason, beats: int, first: Violation) -> None:
        """Record every beat of an illegal access."""
        self.violations += beats
        self.objection(cycle)
        pa, va = first.pa, first.va
        for _ in range(beats):
            if len(self.kept) >= self.max_violations:
                return
            self.kept.append(
                Violation(
                    *(cycle, reason, first.write, first.mapped, first.ctx, first.cbr, first.asid, first.mm, va, pa),
                    node=self._node,
                )
            )
            step = (1 << LINE_SHIFT) - (pa & ((1 << LINE_SHIFT) - 1))
            pa += step
            va += step if first.mapped else 0
