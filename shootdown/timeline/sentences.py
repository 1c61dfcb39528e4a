"""A record as a sentence, for the table that explains a failure. Words as the driver and the hardware use them.

Promises: every event of the catalogue has one; it never fails, whatever the numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from hwif.gen.events import TraceEvent as T
from hwif.gen.hca import CmdOp
from shootdown.timeline.words import (
    area,
    command_name,
    command_status,
    context_state,
    ending,
    fault_cause,
    fault_kind,
    fault_side,
    miss_name,
    mr_kind,
    nak_name,
    opcode,
    packet_name,
    page_size,
    pages,
    qp_state,
    shot_pages,
    span,
    wr_name,
    wr_status,
)

__all__ = ["sentence"]

Args = Sequence[int]


def _writable(flag: int) -> str:
    return "writable" if flag else "read-only"


def _shot(start: int, asid: int, n: int, everything: int = 0) -> str:
    what = shot_pages(n, everything)
    if everything:
        return what
    return f"{what} from {start:#x} of asid {asid}" if what.endswith(("page", "pages")) else f"the whole of asid {asid}"


def _remote(address: int) -> str:
    return f", remote {address:#x}" if address else ""


def _aim(opcode_: int, key: int, address: int, length: int) -> str:
    """What a command is about, for those that name memory."""
    if opcode_ == CmdOp.INVALIDATE_RANGE:
        return f" {area(address, address + length)} of key {key:#x}"
    return f" of key {key:#x}" if opcode_ == CmdOp.INVALIDATE_KEY else ""


def _taken(key: int, address: int, length: int, whole: int) -> str:
    return f"all of key {key:#x}" if whole else f"{area(address, address + length)} of key {key:#x}"


def _resumed(error: int, accepted: int) -> str:
    if not accepted:
        return "refused: its token is stale"
    return "taken, with error" if error else "taken"


def _operands(first: int, second: int) -> str:
    return f"{first:#x}, {second:#x}" if second else f"{first:#x}"


SENTENCES: Final[dict[T, Callable[[Args], str]]] = {
    T.VM_MMAP: lambda a: f"mmap {area(a[1], a[2])}",
    T.VM_MUNMAP: lambda a: f"munmap {area(a[1], a[2])}",
    T.VM_MPROTECT: lambda a: f"mprotect {area(a[1], a[2])}, prot {a[3]}",
    T.VM_MREMAP: lambda a: f"mremap {a[1]:#x} to {a[2]:#x}, {pages(a[3] >> 12)}",
    T.VM_BRK: lambda a: f"brk from {a[1]:#x} to {a[2]:#x}",
    T.VM_MADVISE: lambda a: f"madvise(DONTNEED) {area(a[1], a[2])}",
    T.VM_FORK: lambda a: f"fork of mm {a[0]}: child is mm {a[1]}, pages become read-only",
    T.VM_FAULT_BEGIN: lambda a: f"{'write' if a[2] else 'read'} fault at {a[1]:#x}",
    T.VM_TRUNCATE: lambda a: f"truncate: pages {a[1]} to {a[2] - 1} of file {a[0]} go",
    T.VM_WRITEBACK: lambda a: f"writeback of page {a[1]} of file {a[0]}, frame {a[2]}",
    T.VM_REMAP_FILE: lambda a: f"mm {a[0]}: remap_file_pages {area(a[1], a[2])} to the file's page {a[3]}",
    T.VM_XIP_UNMAP: lambda a: f"page {a[1]} of file {a[0]} gets a block: its zeros, frame {a[2]}, leave every mapping",
    T.VM_MLOCK: lambda a: f"mm {a[0]}: {'mlock' if a[3] else 'munlock'} {area(a[1], a[2])}",
    T.VM_KSM: lambda a: f"frame {a[0]} is to be merged with frame {a[1]}",
    T.VM_UNMERGE: lambda a: f"mm {a[0]}: madvise(UNMERGEABLE) {area(a[1], a[2])}",
    T.VM_OFFLINE: lambda a: f"frames {a[0]} to {a[1] - 1} are to go out of service",
    T.VM_PIN: lambda a: f"mm {a[0]}: pin {area(a[1], a[2])}, {_writable(a[3])}",
    T.VM_OOM: lambda a: f"out of memory: mm {a[0]} with {a[1]} pages is killed",
    T.VM_EXCLUSIVE: lambda a: f"mm {a[0]}: {a[1]:#x}, frame {a[2]}, goes to a device alone",
    T.MN_RANGE_FAILED: lambda a: f"mm {a[0]}: range {area(a[1], a[2])} not begun: a client would have to sleep",
    T.MN_RMAP_PAGE: lambda a: f"rmap invalidate_page of frame {a[0]}",
    T.MN_RMAP_PAGE_DONE: lambda a: f"rmap invalidate_page of frame {a[0]} returned",
    T.VM_FAULT: lambda a: f"{'write' if a[2] else 'read'} fault at {a[1]:#x}: {fault_kind(a[3])}",
    T.VM_PAGEOUT: lambda a: f"reclaim takes frame {a[0]} out of its mappings",
    T.VM_RECLAIM: lambda a: f"reclaim unmaps {a[2]:#x}, frame {a[0]}",
    T.VM_SWAP_OUT: lambda a: f"frame {a[0]} written to swap slot {a[1]}",
    T.VM_MIGRATE_BEGIN: lambda a: f"migrate {a[1]:#x}, frame {a[2]}",
    T.VM_MIGRATE: lambda a: f"frame {a[0]} moved to frame {a[1]}",
    T.VM_EXIT: lambda a: f"exit of mm {a[0]}",
    T.VM_DONE: lambda a: "the VM operation is over",
    T.MN_RELEASE: lambda a: f"release of mm {a[0]}",
    T.MN_RELEASE_DONE: lambda a: f"release of mm {a[0]} returned",
    T.MN_AGE_PAGE: lambda a: f"age_page {a[1]:#x}: {'young' if a[2] else 'old'}",
    T.MN_INVALIDATE_PAGE: lambda a: f"invalidate_page {a[1]:#x}",
    T.MN_INVALIDATE_PAGE_DONE: lambda a: f"invalidate_page {a[1]:#x} returned: revoked",
    T.MN_RANGE_BEGIN: lambda a: f"invalidate_range_begin {area(a[1], a[2])}",
    T.MN_RANGE_BEGIN_DONE: lambda a: f"invalidate_range_begin {area(a[1], a[2])} returned: revoked",
    T.MN_RANGE_END: lambda a: f"invalidate_range_end {area(a[1], a[2])} returned",
    T.DRV_INTR: lambda a: f"interrupt handler {a[0]} takes {a[1]} fault{'' if a[1] == 1 else 's'}",
    T.DRV_INTR_DONE: lambda a: f"interrupt handler {a[0]} leaves",
    T.DRV_CALL_OS: lambda a: f"user calls the driver for CB {a[0]}",
    T.DRV_CALL_OS_DONE: lambda a: f"user's call for CB {a[0]} returned",
    T.DRV_DROPIN: lambda a: f"drop-in for CB {a[0]}: {a[1]:#x} is frame {a[2]}, {_writable(a[3])}",
    T.DRV_UPM: lambda a: f"miss of CB {a[0]} at {a[1]:#x} handed to user polling",
    T.DRV_EXCEPTION: lambda a: f"no mapping for {a[1]:#x}: exception for CB {a[0]}",
    T.DRV_SHOOTDOWN: lambda a: f"shootdown on TGH {a[0]}: {_shot(a[1], a[2], a[3])}",
    T.DRV_SHOOTDOWN_DONE: lambda a: f"status of TGH {a[0]} seen",
    T.DRV_LOAD_BEGIN: lambda a: f"load context {a[0]} for mm {a[1]}",
    T.DRV_LOAD: lambda a: f"context {a[0]} loaded for mm {a[1]}",
    T.DRV_UNLOAD_BEGIN: lambda a: f"unload context {a[0]} of mm {a[1]}",
    T.DRV_UNLOAD: lambda a: f"context {a[0]} of mm {a[1]} unloaded",
    T.DRV_STEAL: lambda a: f"context {a[0]} of mm {a[1]} stolen",
    T.USR_ISSUE: lambda a: f"{opcode(a[1])} {_operands(a[2], a[3])} on CB {a[0]}",
    T.USR_DONE: lambda a: f"CB {a[0]} seen {ending(a[1])}",
    T.DEV_MISS: lambda a: f"CB {a[0]}: {miss_name(a[3])} at {a[1]:#x}, parked",
    T.DEV_FILL: lambda a: f"TLB takes {a[1]:#x} of asid {a[2]}: frame {a[3]}, {page_size(a[4])}, {_writable(a[5])}",
    T.DEV_FILL_DROPPED: lambda a: f"drop-in for CB {a[0]} at {a[1]:#x} ignored: a shootdown covered it",
    T.DEV_SHOOT_ACCEPT: lambda a: f"TGH {a[0]} accepts {_shot(a[1], a[2], a[3], a[4])}",
    T.DEV_SHOOT_DONE: lambda a: f"TGH {a[0]} done: drained",
    T.DEV_KILL: lambda a: f"TLB entry {a[0]:#x} of asid {a[1]} gone, {page_size(a[2])}",
    T.DEV_RESTART: lambda a: f"CB {a[0]} restarts",
    T.DEV_CB_DONE: lambda a: f"CB {a[0]} {ending(a[1])}",
    T.DEV_IRQ: lambda a: f"interrupt {a[0]} {'raised' if a[1] else 'down'}",
    T.DEV_CCH: lambda a: f"context {a[0]} {context_state(a[1])}",
    T.HCA_POST_SEND: lambda a: f"post {wr_name(a[2])} #{a[1]} on QP {a[0]}: {a[4]} bytes at {a[3]:#x}{_remote(a[5])}",
    T.HCA_POST_RECV: lambda a: f"post receive #{a[1]} on QP {a[0]}: {a[3]} bytes at {a[2]:#x}",
    T.HCA_POLL: lambda a: f"{'receive' if a[3] else 'request'} #{a[1]} of QP {a[0]} seen: {wr_status(a[2])}",
    T.HCA_REG_MR: lambda a: f"reg_mr: key {a[0]:#x} is {mr_kind(a[5])} {a[2]:#x} +{a[3]} bytes of mm {a[1]}",
    T.HCA_DEREG_MR: lambda a: f"dereg_mr of key {a[0]:#x}",
    T.HCA_DEREG_MR_DONE: lambda a: f"dereg_mr of key {a[0]:#x} returned: the key is dead",
    T.HCA_INTR: lambda a: f"fault interrupt: {a[0]} record{'' if a[0] == 1 else 's'} wait",
    T.HCA_INTR_DONE: lambda a: "fault interrupt handler leaves",
    T.HCA_FAULT: lambda a: f"fault of QP {a[0]}'s {fault_side(a[1])}: {a[4]} bytes at {a[3]:#x} of key {a[2]:#x}",
    T.HCA_FAULT_DONE: lambda a: f"QP {a[0]}'s {fault_side(a[1])} resumed{' with error' if a[4] else ''}, {pages(a[3])} mapped",
    T.HCA_MAP: lambda a: f"table of key {a[0]:#x}: {a[1]:#x} is frame {a[2]}, {_writable(a[3])}",
    T.HCA_UNMAP: lambda a: f"table of key {a[0]:#x}: {area(a[1], a[2])} taken out, {a[3]} of them present",
    T.HCA_COMMAND: lambda a: f"command {a[0]} rung: {command_name(a[1])}{_aim(a[1], a[2], a[3], a[4])}",
    T.HCA_COMMAND_DONE: lambda a: f"command {a[0]} {command_status(a[1])}",
    T.HCA_FENCE: lambda a: f"fence {a[0]} rung",
    T.HCA_FENCE_DONE: lambda a: f"fence {a[0]} seen: accesses in flight are over",
    T.HCA_PREFETCH: lambda a: f"advise_mr of key {a[0]:#x}: {a[2]} bytes at {a[1]:#x}",
    T.HCA_PREFETCH_DONE: lambda a: f"advise_mr of key {a[0]:#x} mapped {pages(a[1])}",
    T.HCA_QP_ERROR: lambda a: f"QP {a[0]} has gone to ERR",
    T.HDEV_WALK: lambda a: f"walk for {a[1]:#x} of key {a[0]:#x}",
    T.HDEV_FILL: lambda a: f"MTT cache takes {a[1]:#x} of key {a[0]:#x}: frame {a[2]}, {span(a[3])}, {_writable(a[4])}",
    T.HDEV_FILL_DROPPED: lambda a: f"walk for {a[1]:#x} of key {a[0]:#x} dropped: an invalidation covered it",
    T.HDEV_INVALIDATE: lambda a: f"command {a[0]}: {_taken(a[1], a[2], a[3], a[4])} dead",
    T.HDEV_KILL: lambda a: f"MTT entry {a[1]:#x} of key index {a[0]:#x} gone, {span(a[2])}",
    T.HDEV_FENCE: lambda a: f"fence {a[1]} written: drained",
    T.HDEV_FAULT: lambda a: f"QP {a[0]}'s {fault_side(a[1])} faults at {a[3]:#x} of key {a[2]:#x}: {fault_cause(a[4])}",
    T.HDEV_RECORD: lambda a: f"fault record of QP {a[0]}'s {fault_side(a[1])} in memory",
    T.HDEV_RESUME: lambda a: f"resume of QP {a[0]}'s {fault_side(a[1])} {_resumed(a[3], a[4])}",
    T.HDEV_QP: lambda a: f"QP {a[0]} is {qp_state(a[1])}",
    T.HDEV_PACKET: lambda a: f"QP {a[1]} {'sends' if a[4] else 'gets'} {packet_name(a[0])} psn {a[2]}, {a[3]} bytes",
    T.HDEV_NAK: lambda a: f"QP {a[0]} {'sends' if a[3] else 'gets'} {nak_name(a[2])} psn {a[1]}",
    T.HDEV_LAND: lambda a: f"QP {a[0]}: packet {a[1]} is in memory, {a[3]} bytes at {a[2]:#x}",
    T.HDEV_CQE: lambda a: f"CQ {a[0]}: {wr_status(a[2])} for #{a[4]} of QP {a[1]}",
}


def sentence(event: T, args: Args) -> str:
    """What the record says. `args`: all six words, unused ones 0."""
    return SENTENCES[event](args)
