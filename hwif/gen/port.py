"""What crosses the port, and the records of the oracle. Generated from spec/ by `make gen`. Do not edit."""

from enum import IntEnum
from typing import Final


class RequestKind(IntEnum):
    READ = 0  # read consecutive double-words
    WRITE = 1  # write them, the highest address first
    SWAP = 2  # xchg with 0 of a write-one-to-clear map


class EventKind(IntEnum):
    MMIO_DONE = 0  # a request finished
    IRQ = 1  # an interrupt line changed
    SNOOP = 2  # the device changed a line a processor may hold
    ORACLE = 3  # the oracle objected


class LineKind(IntEnum):
    CB = 0  # control block, by its physical number
    TFH = 1  # fault handle
    TGH = 2  # shootdown handle
    CCH = 3  # context handle
    CQ = 4  # HCA: completion queue, by its number: an entry was written
    COMMAND = 5  # HCA: command queue: an entry's status was written; the index of the entry in the queue
    FENCE = 6  # HCA: a fence's value was written; always 0


class ViolationReason(IntEnum):
    REVOKED = 1  # no live translation of this address space and page reaches the frame
    READ_ONLY = 2  # a live translation exists but without write permission
    OUTSIDE = 3  # the address lies outside host memory
    NOT_KERNEL = 4  # unmapped access to a frame that is not the kernel's
    NO_CONTEXT = 5  # the context belongs to no address space
    NO_REGION = 6  # HCA: the key names no live region
    OUT_OF_REGION = 7  # HCA: the beat lies outside its region
    WRONG_DOMAIN = 8  # HCA: region and queue pair belong to different protection domains
    NO_RIGHT = 9  # HCA: the region does not grant this kind of access


SHADOW_VPN_BITS: Final = 52  # bits of the virtual page number in word 0; the address space is above
SHADOW_READ: Final = 1  # right to read
SHADOW_WRITE: Final = 2  # right to write
SHADOW_KERNEL: Final = 4  # the frame is the kernel's: unmapped accesses may touch it
SHADOW_RIGHTS_BITS: Final = 8  # bits of the rights in word 1; the index of the next record is above
REGION_WORDS: Final = 4  # words of a record: owner, start, end (exclusive), rights
REGION_MM_BITS: Final = 32  # bits of the address space in word 0 (0: no region); the protection domain is above
REGION_LOCAL_READ: Final = 1  # right: read by a local work request
REGION_LOCAL_WRITE: Final = 2  # right: written by a local work request or a receive
REGION_REMOTE_READ: Final = 4  # right: RDMA READ
REGION_REMOTE_WRITE: Final = 8  # right: RDMA WRITE
REGION_REMOTE_ATOMIC: Final = 16  # right: atomics
