"""What partitions say to each other.

A request (Call) is answered once, by an Answer with the same serial number, or by a Fill, which is the answer to a fault that found
its page. An Invalidate is a request of the memory's partition to one that has it attached. Age and Used are answered by nobody.

Everything a partition needs to know of another's attachment is in the message: `export` is the number under which the memory's
partition knows the attachment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sw_stack.drivers.xpmem.ids import XpmemId
from sw_stack.mm.types import MmError

__all__ = [
    "Age",
    "Answer",
    "AttachRequest",
    "Attached",
    "Call",
    "DetachRequest",
    "FaultRequest",
    "Fill",
    "GetRequest",
    "Invalidate",
    "Message",
    "Request",
    "Used",
]


@dataclass(frozen=True, slots=True)
class GetRequest:
    """May this user have access to the segment? Answered by nothing, or an error."""

    segid: XpmemId
    flags: int
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class AttachRequest:
    """Attach bytes offset..offset+size-1 of the segment. Answered by an Attached."""

    segid: XpmemId
    offset: int
    size: int
    writable: bool


@dataclass(frozen=True, slots=True)
class Attached:
    """`export`: the attachment's number with the memory's partition. `vaddr`: where its first byte lies in the source. `owner`: the
    oracle's number for it."""

    export: int
    vaddr: int
    owner: int


@dataclass(frozen=True, slots=True)
class DetachRequest:
    """The attachment is gone, no translation of it is left. Answered by nothing."""

    export: int


@dataclass(frozen=True, slots=True)
class FaultRequest:
    """Give me page `page` of the attachment. Answered by a Fill, or an error."""

    export: int
    page: int
    write: bool


Request = GetRequest | AttachRequest | DetachRequest | FaultRequest


@dataclass(frozen=True, slots=True)
class Call:
    serial: int
    request: Request


@dataclass(frozen=True, slots=True)
class Answer:
    serial: int
    value: Any = None
    error: MmError | None = None


@dataclass(frozen=True, slots=True)
class Fill:
    """Page `page` of the attachment is in frame `pfn` of the sender's memory. Good from here on until invalidated."""

    serial: int
    export: int
    page: int
    pfn: int
    writable: bool


@dataclass(frozen=True, slots=True)
class Invalidate:
    """Drop these pages of the attachment; answer when no access uses them any more."""

    serial: int
    export: int
    pages: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Age:
    """Has the page been used since the last question? This is the `question`-th."""

    export: int
    page: int
    question: int


@dataclass(frozen=True, slots=True)
class Used:
    """It has."""

    export: int
    page: int
    question: int


Message = Call | Answer | Fill | Invalidate | Age | Used
