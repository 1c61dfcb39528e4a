"""What can go wrong: for the guest, and in the hypervisor itself."""

from __future__ import annotations

from sw_stack.mm.types import MmError

__all__ = ["GuestFaultError", "KvmError"]


class GuestFaultError(MmError):
    """The guest's access cannot be served: `errno` as get_user_pages gave it, EFAULT where there is no memory or no right to it. A
    real guest would be killed, or the access emulated."""


class KvmError(Exception):
    """The hypervisor's own accounts are broken. The message names the rule."""
