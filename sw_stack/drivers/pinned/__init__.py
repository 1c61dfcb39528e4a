"""The adapter that cannot change a mapping: pinned registrations, and DMA through a table written once."""

from sw_stack.drivers.pinned.adapter import PinnedAdapter
from sw_stack.drivers.pinned.policy import PinnedPolicy
from sw_stack.drivers.pinned.regions import Access, CompletionError, PinnedMr

__all__ = ["Access", "CompletionError", "PinnedAdapter", "PinnedMr", "PinnedPolicy"]
