"""What a device of the mirrored hmm-tests answers: the words of lib/test_hmm_uapi.h."""

from __future__ import annotations

from enum import IntFlag
from typing import Literal, NamedTuple

__all__ = ["LARGE", "Access", "Done", "Prot", "Refused"]

Access = Literal["read", "write", "copy"]
"""A read, a write, a write that copies the page."""


class Refused(Exception):  # noqa: N818 - what the device answers, not what went wrong
    """The device could not do it. `errno` as the kernel's ioctl; None if the device only knows that there is no translation."""

    def __init__(self, code: int | None, text: str) -> None:
        super().__init__(text)
        self.errno = code


class Done(NamedTuple):
    """What a command answers: pages done, and faults on the way (dmirror_cmd: cpages, faults)."""

    cpages: int
    faults: int


class Prot(IntFlag):
    """What a snapshot says of a page, in the codes of test_hmm_uapi.h."""

    NONE = 0
    READ = 1
    WRITE = 2
    PMD = 4
    PUD = 8
    ZERO = 16
    ERROR = 255


LARGE = {21: Prot.PMD, 30: Prot.PUD}
"""What a snapshot says besides, by the size of the page."""
