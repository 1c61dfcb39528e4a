"""The rules by their ids. Generated from spec/ by `make gen`. Do not edit."""

from typing import Final

RULES: Final = {
    "SD-1": "After an invalidation is acknowledged, no lookup hits an entry it covered, until a new fill.",
    "SD-2": "The acknowledgement waits for every access in flight that used a covered translation.",
    "SD-3": "A fill whose miss was pending when a covering invalidation arrived is dropped, in the same cycle too; only covered fills are.",
    "SD-4": "Lookups of addresses outside the range go on at full rate while the invalidation runs.",
    "SD-5": "An invalidation covers every page size it overlaps.",
    "SD-6": "Scope is explicit: address 0, ASID 0, length 0 and the last page of the address space are ordinary values.",
    "SD-7": "A permission upgrade replaces the older entry; two entries never match one lookup.",
    "SD-8": "Any number of ports may invalidate at once, none starves; the time until covered entries are dead does not grow with the range.",
    "FQ-1": "No fault record is lost or duplicated; a full queue holds the fault in the device and sets the overflow status.",
    "FQ-2": "A record is visible in memory before the producer index and the interrupt that announce it.",
    "FQ-3": "At most one outstanding fault per requester and direction; other requesters keep their rate.",
    "FQ-4": "Resume names the fault by token; a stale, repeated or forged token changes nothing and is reported.",
    "FQ-5": "Resume with error completes the request with the architected error, and touches no memory.",
    "FQ-6": "An interrupt is never lost between 'queue empty' and 'interrupt enabled': it is a level, not empty and enabled.",
    "FQ-7": "All N entries of a queue are usable, and no requester can fill it for the others.",
    "MN-1": "begin and end pair, nest and run concurrently; no new reference is established between them.",
    "MN-2": "With atomic set, no callback sleeps.",
    "MN-3": "invalidate_page runs after the pte is cleared and before the page can be reused.",
    "MN-4": "release runs once, before the address space is torn down; nothing is called afterwards.",
    "MN-5": "Register and unregister need the mmap lock for writing; a client sees no call for an operation begun before it registered.",
    "MN-6": "Device dirtiness reaches the page before the reference goes; device accesses count as references for reclaim.",
}
