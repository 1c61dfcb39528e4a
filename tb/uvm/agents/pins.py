"""The pins of one port of a device, by the names the protocol gives them.

Promises: `pins.of("awvalid")` is the handle of `PREFIX_awvalid`, or of the same name with _i or _o; looked up once. `put` writes
only what changes, so it must be the only writer of these pins.
Needs: flat ports on the top.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["Pins"]


class Pins:
    """`names` must exist; `optional` may."""

    def __init__(self, dut: Any, prefix: str, names: Iterable[str], optional: Iterable[str] = ()) -> None:
        self.dut = dut
        self.prefix = prefix
        self._handles: dict[str, Any] = {}
        self._shown: dict[str, int] = {}
        for name in names:
            handle = self._find(name)
            if handle is None:
                raise AttributeError(f"{dut._name} has no port {prefix}_{name}")
            self._handles[name] = handle
        for name in optional:
            handle = self._find(name)
            if handle is not None:
                self._handles[name] = handle

    def _find(self, name: str) -> Any:
        for suffix in ("", "_i", "_o"):
            handle = getattr(self.dut, f"{self.prefix}_{name}{suffix}", None)
            if handle is not None:
                return handle
        return None

    def of(self, name: str) -> Any:
        """The handle. Raises KeyError for an optional one that is not there."""
        return self._handles[name]

    def has(self, name: str) -> bool:
        """An optional one is there."""
        return name in self._handles

    def width(self, name: str) -> int:
        """In bits."""
        return len(self._handles[name])

    def get(self, name: str) -> int:
        """Its value now."""
        return int(self._handles[name].value)

    def put(self, **values: int) -> None:
        """Drive inputs."""
        shown = self._shown
        for name, value in values.items():
            if shown.get(name) != value:
                shown[name] = value
                self._handles[name].value = value
