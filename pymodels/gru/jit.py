"""How the model's kernels are compiled: once a machine, into a cache that knows every file it was made from.

Promises: `inner` marks a function the entry kernel calls, `entry` the one Python calls. A change of any file of this package, of
  the generated definitions or of the compiler gives a new cache; the compiler's own check would notice the entry's file only.
Costs: the first process on a machine compiles (about half a minute); others wait for it under a lock, then load in a second.

One big kernel is compiled and cached, not forty small ones: the small ones are inlined into it, and only the entry needs the
wrapper that
Python calls.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numba
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from hwif.gen import gru, timing

__all__ = ["compile_once", "ctz", "entry", "inner"]

F = TypeVar("F", bound=Callable[..., Any])
HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
_numba: Any = numba  # its stubs know neither all options nor the cache's folder


def inner(function: F) -> F:
    """A function that only kernels call."""
    compiled: F = _numba.njit(_nrt=False, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)
    return compiled


def entry(function: F) -> F:
    """The kernel Python calls; cached. Compile it with `compile_once`."""
    with _cached():
        compiled: F = _numba.njit(_nrt=False, error_model="numpy", no_cfunc_wrapper=True, nogil=True, cache=True)(function)
    return compiled


def compile_once(kernel: Any, *arguments: Any) -> None:
    """Compile for the types of these arguments, or load what another process compiled."""
    signature = tuple(_numba.typeof(argument) for argument in arguments)
    if signature in kernel.overloads:
        return
    with (_folder() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kernel.compile(signature)


@intrinsic
def _ctz(_context: Any, _word: Any) -> Any:
    def generate(_base: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), generate


ctz: Callable[[int], int] = _ctz  # type: ignore[assignment]
"""Number of zero bits below the lowest bit set; the word has one."""


def _digest() -> str:
    made_from = hashlib.blake2b(numba.__version__.encode(), digest_size=8)
    for path in [*sorted(HERE.glob("*.py")), Path(str(gru.__file__)), Path(str(timing.__file__))]:
        made_from.update(path.read_bytes())
    return made_from.hexdigest()


def _folder() -> Path:
    """Where the compiled kernel of these very files lives: below NUMBA_CACHE_DIR, the project's build/, or the user's cache."""
    given = os.environ.get("NUMBA_CACHE_DIR")
    places = [Path(given)] if given else [ROOT / "build" / "numba", Path.home() / ".cache" / "shootdown" / "numba"]
    for place in places:
        folder = place / _digest()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    return Path(tempfile.mkdtemp(prefix="shootdown-numba-"))


@contextmanager
def _cached() -> Iterator[None]:
    # The decorator asks for the folder when it is applied, and only then.
    before = _numba.config.CACHE_DIR
    _numba.config.CACHE_DIR = str(_folder())
    try:
        yield
    finally:
        _numba.config.CACHE_DIR = before
