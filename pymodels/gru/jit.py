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
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core.cgutils import raw_memcpy
from numba.extending import intrinsic

from pymodels.gru import layout
from pymodels.gru.layout import Place

__all__ = ["compile_once", "copy_bytes", "ctz", "entry", "inner", "plain", "put", "take"]

F = TypeVar("F", bound=Callable[..., Any])
HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
_memcpy: Any = raw_memcpy
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


_PLACE = _numba.types.UniTuple(_numba.types.int64, 3)


@intrinsic
def _take(_context: Any, _word: Any, place: Any) -> Any:
    def generate(_base: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        shift, mask = (builder.extract_value(arguments[1], index) for index in (1, 2))
        return builder.and_(builder.lshr(arguments[0], shift), mask)

    return types.int64(types.int64, _PLACE), generate


@intrinsic
def _put(_context: Any, _value: Any, place: Any) -> Any:
    def generate(_base: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        shift, mask = (builder.extract_value(arguments[1], index) for index in (1, 2))
        return builder.shl(builder.and_(arguments[0], mask), shift)

    return types.int64(types.int64, _PLACE), generate


take: Callable[[int, Place], int] = _take  # type: ignore[assignment]
"""A field of its double-word."""
put: Callable[[int, Place], int] = _put  # type: ignore[assignment]
"""A value in its place in a double-word."""


@intrinsic
def _plain(_context: Any, _value: Any) -> Any:
    def generate(_base: Any, _builder: Any, _signature: Any, arguments: Any) -> Any:
        return arguments[0]

    return types.int64(types.int64), generate


plain: Callable[[int], int] = _plain  # type: ignore[assignment]
"""A number that is not known to be constant: functions are not compiled once more for each constant they are called with."""


@intrinsic
def _copy_bytes(_context: Any, target: Any, _to: Any, source: Any, _from: Any, _count: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        pointers = []
        for index in (0, 2):
            array = context.make_array(signature.args[index])(context, builder, arguments[index])
            pointers.append(builder.gep(array.data, [arguments[index + 1]]))
        _memcpy(builder, pointers[0], pointers[1], arguments[4], 1)

    bytes_ = types.int64
    return types.void(target, bytes_, source, bytes_, bytes_), generate


copy_bytes: Callable[[Any, int, Any, int, int], None] = _copy_bytes  # type: ignore[assignment]
"""Copy bytes between two byte arrays that do not overlap: target, position, source, position, count."""


def _digest() -> str:
    """Names what the kernel is made of: the compiler, the code, and every number it is compiled with."""
    made_from = hashlib.blake2b(_numba.__version__.encode(), digest_size=8)
    for path in sorted(HERE.glob("*.py")):
        if path.name not in ("__init__.py", "device.py"):
            made_from.update(path.read_bytes())
    for name, value in sorted(vars(layout).items()):
        if isinstance(value, int | tuple):
            made_from.update(f"{name}={value}".encode())
        elif isinstance(value, np.ndarray):
            made_from.update(f"{name}={value.tolist()}".encode())
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
