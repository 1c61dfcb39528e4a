"""What the bytes of some pages are known to be, while several tasks store to them and take them away: the first eight of each
page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

__all__ = ["KnownBytes"]


class KnownBytes:
    """Base of a play's world. Pages begin as zeros. A store that has just happened is told by `wrote`, a load by `read`; a change
    that may or may not have taken a page's bytes yet is a `change`, and nothing is known of its pages until it is over and somebody
    looks."""

    def __init__(self, pages: Iterable[int]) -> None:
        self.known: dict[int, bytes] = {vpn: bytes(8) for vpn in pages}
        self.changing: list[range] = []
        self.watches: list[set[int]] = []
        """Each collects the pages stored to while it is there."""
        self.compared = 0
        """Loads of which it was known what they had to give."""
        self.counter = 0

    @contextmanager
    def change(self, first: int, count: int) -> Iterator[None]:
        """Between these instants a page of the range may or may not have lost its bytes."""
        pages = range(first, first + count)
        self.changing.append(pages)
        for vpn in pages:
            self.known.pop(vpn, None)
        try:
            yield
        finally:
            self.changing.remove(pages)

    def wrote(self, vpn: int, data: bytes) -> None:
        """A store has happened."""
        for watch in self.watches:
            watch.add(vpn)
        if not any(vpn in pages for pages in self.changing):
            self.known[vpn] = data

    def read(self, vpn: int, data: bytes, who: object = "wrong bytes") -> bool:
        """A load has happened; True if it was compared. AssertionError if it gave anything else than a coherent memory would."""
        if any(vpn in pages for pages in self.changing):
            return False
        compared = vpn in self.known
        self.compared += compared
        known = self.known.setdefault(vpn, data)
        if known != data:
            raise AssertionError(f"{who}: page {vpn:#x} holds {data.hex()}, not {known.hex()}")
        return compared

    def fresh(self) -> bytes:
        """Bytes that have not been stored yet."""
        self.counter += 1
        return self.counter.to_bytes(8, "little")
