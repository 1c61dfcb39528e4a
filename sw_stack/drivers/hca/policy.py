"""What a run may choose about the driver. Everything here is fixed when the driver starts.

Promises: an impossible policy raises ValueError with one line, before anything runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from hwif.gen import hca as h
from sw_stack.drivers.choices import check_choice

__all__ = ["MUTANT_TEXT", "DriverPolicy", "Mutant", "Race"]

Mutant = Literal[
    "free_before_fence",
    "no_invalidate",
    "invalidate_short",
    "table_after_invalidate",
    "fence_before_invalidate",
    "ignore_sequence",
    "resume_before_table",
    "forget_implicit",
    "map_writable",
    "pin_uncounted",
    "unpin_early",
    "stale_key",
    "token_before",
    "lost_wakeup",
    "missing_qp_resumed",
]
"""A driver broken on purpose, for tests of the checks; MUTANT_TEXT says what is broken."""

MUTANT_TEXT: Mapping[str, str] = {
    "free_before_fence": "the fence of an invalidation is not waited for",
    "no_invalidate": "callbacks take the pages out of the table and tell the device nothing",
    "invalidate_short": "invalidations cover one page too few",
    "table_after_invalidate": "the device is told first, the table changed after the fence",
    "fence_before_invalidate": "the fence is rung before the invalidation it is for",
    "ignore_sequence": "pages are entered although the range is being invalidated",
    "resume_before_table": "a fault is resumed before its pages are in the table",
    "forget_implicit": "callbacks pass over regions of the whole address space",
    "map_writable": "pages are entered writable whatever the pte says",
    "pin_uncounted": "pinned pages are not held against the limit",
    "unpin_early": "deregistration gives the pages back before the device has forgotten the key",
    "stale_key": "a key given out again keeps its variant: old holders of it are served",
    "token_before": "a resume names the fault before the one it answers",
    "lost_wakeup": "a fault queue left alone for want of work items is not looked at again",
    "missing_qp_resumed": "a fault of a queue pair that is gone is resumed all the same",
}

Race = Literal[
    # an invalidation that meets a deregistration names a key that has just been revoked
    "zap_revoked",
    # the pages of an invalidation are counted in 64 bits: a range to the end of everything has none
    "round_overflow",
    # a page that has an entry is left alone, though the fault asks for more than the entry allows
    "upgrade_lost",
    # frames for tables that went meanwhile are allocated under umem_lock
    "tables_under_lock",
    # whoever finds a table empty destroys it, also when somebody else is at it already
    "table_twice",
    # a fault gives its reference to the address space back under umem_lock
    "mmput_in_fault",
    # lookups that invalidations spoil are repeated without bound
    "retry_forever",
    # an interval's remove returns when the sequence number moves, before the end has let go of the interval
    "remove_early",
]
"""A mistake of a real driver that needs an order of its own to show: found by a search over orders (sw_stack/workloads/explored),
not by the hunts."""


@dataclass(frozen=True, slots=True)
class DriverPolicy:
    """Sizes are scaled down from mlx5's (4,096 event entries) so that a run meets their ends."""

    commands: int = 64
    """Entries of the command queue."""
    faults: int = 64
    """Entries of the fault queue."""
    keys: int = 1024
    """Entries of the key table."""
    work_items: int = 64
    """Fault work items (mlx5: a mempool of 64). With none left, records stay in the queue."""
    fault_pages: int = 64
    """Pages a fault maps at most: those of its packet, then those of its operation. The rest faults again."""
    fault_retries: int = 16
    """Lookups spoilt by invalidations before the device is sent to fault again."""
    fault_loop: int | None = None
    """Faults of a queue pair in a row that were answered by entering nothing, after which the driver calls it an endless loop
    (HcaError); None: it goes on."""
    fault_coalesce: tuple[int, int] = (0, 0)
    """Records, and cycles, the fault interrupt waits for (FQ_COALESCE)."""
    completion_coalesce: tuple[int, int] = (0, 0)
    """The same for completion events (CQ_COALESCE)."""
    memlock: int | None = None
    """RLIMIT_MEMLOCK of every process, in pages; None: CAP_IPC_LOCK."""
    large_pages: bool = True
    """Enter large pages as large translations where they fit."""
    rnr_delay: int | None = None
    """Cycles a send side waits after an RNR NAK; None: as the device was reset."""
    ack_timeout: int | None = None
    """Cycles it waits for an acknowledgement; None: as the device was reset."""
    mutant: Mutant | Race | None = None

    def __post_init__(self) -> None:
        check_choice("driver policy", "mutant", self.mutant, Literal[Mutant, Race], optional=True)
        for name, value in (("commands", self.commands), ("faults", self.faults)):
            if not 0 < value <= 1 << h.INDEX_WIDTH - 1 or value & (value - 1):
                raise ValueError(f"driver policy: {name} {value} is not a power of two up to {1 << h.INDEX_WIDTH - 1}")
        if self.commands < 2:
            raise ValueError("driver policy: commands 1: an invalidation and its fence need two entries")
        if not 1 < self.keys <= h.NUM_KEY:
            raise ValueError(f"driver policy: keys {self.keys} is not in 2..{h.NUM_KEY}")
        for name, value in (
            ("work_items", self.work_items),
            ("fault_pages", self.fault_pages),
            ("fault_retries", self.fault_retries),
        ):
            if value < 1:
                raise ValueError(f"driver policy: {name} {value} is less than one")
        if self.memlock is not None and self.memlock < 0:
            raise ValueError(f"driver policy: memlock {self.memlock} is negative")
