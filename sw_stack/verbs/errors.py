"""The errors of pyverbs, under its names.

Promises: a refusal of the kernel's is a PyverbsRDMAError with its errno in `error_code`; a wrong use of this library is a
PyverbsUserError that says what was wrong, before anything was asked of the driver.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from sw_stack.mm.types import MmError

__all__ = ["PyverbsError", "PyverbsRDMAError", "PyverbsUserError", "refused"]


class PyverbsError(Exception):
    """Anything this library raises."""


class PyverbsRDMAError(PyverbsError):
    """The driver refused: `error_code` is the errno."""

    def __init__(self, msg: str, error_code: int) -> None:
        super().__init__(f"{msg}. Errno: {error_code}, {os.strerror(error_code)}")
        self.error_code = error_code


class PyverbsUserError(PyverbsError):
    """The caller asked for something that has no meaning."""


@contextmanager
def refused(what: str) -> Iterator[None]:
    """A refusal of the driver's, named by what was asked."""
    try:
        yield
    except MmError as error:
        raise PyverbsRDMAError(f"{what}: {error}", error.errno or 0) from error
