"""What the HCA's checks must have been in, as cover groups. (filled in below)"""

from __future__ import annotations

from tb.plan.cover import CoverGroup

__all__ = ["ALL"]

ALL: tuple[CoverGroup, ...] = ()
