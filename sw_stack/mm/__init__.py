"""The virtual memory above the devices: frames, page tables, address spaces, swap, reclaim, migration."""

from sw_stack.mm.machine import Machine
from sw_stack.mm.mm import Mm
from sw_stack.mm.types import PROT_NONE, PROT_READ, PROT_WRITE, MmError, Translation

__all__ = ["PROT_NONE", "PROT_READ", "PROT_WRITE", "Machine", "Mm", "MmError", "Translation"]
