"""XPMEM: memory of a process attached by others, on the same machine or in another partition."""

from sw_stack.drivers.xpmem.attachment import Attachment
from sw_stack.drivers.xpmem.fabric import Fabric
from sw_stack.drivers.xpmem.ids import MAXADDR_SIZE, PERMIT_MODE, RDONLY, RDWR, XpmemId
from sw_stack.drivers.xpmem.partition import Partition
from sw_stack.drivers.xpmem.policy import XpmemPolicy
from sw_stack.drivers.xpmem.stats import XpmemStats
from sw_stack.drivers.xpmem.thread_group import ThreadGroup

__all__ = [
    "MAXADDR_SIZE",
    "PERMIT_MODE",
    "RDONLY",
    "RDWR",
    "Attachment",
    "Fabric",
    "Partition",
    "ThreadGroup",
    "XpmemId",
    "XpmemPolicy",
    "XpmemStats",
]
