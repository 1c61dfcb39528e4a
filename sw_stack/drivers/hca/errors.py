"""What the driver raises when the device, or its own rules, are broken. Refusals to users are MmError with the call's errno."""

from __future__ import annotations

__all__ = ["HcaError"]


class HcaError(Exception):
    """The device answered what it must not, or the driver found its own books wrong. One line."""
