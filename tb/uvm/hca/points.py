"""What the checks of the HCA as a chip must have been in, as cover groups.

Combinations that cannot be are left out where the reason stands. Every bin is met by the default seeds of tb/uvm/hca/testlist.py.
"""

from __future__ import annotations

from hwif.gen import hca as h
from tb.plan.cover import CoverGroup, cross

__all__ = [
    "ACTIVITIES",
    "ALL",
    "BAD_PACKET",
    "COMMAND",
    "COMPLETION",
    "DAMAGE",
    "INVALIDATION",
    "LINE",
    "NAK",
    "OUTCOME",
    "PACKET",
    "POLICY",
    "QUEUE",
    "REFUSED",
    "REGISTER",
    "REQUESTER",
    "RESET",
    "TOKEN",
    "lower",
    "register_names",
]

ACTIVITIES = ("idle", "commands", "walks", "writes", "reads", "atomics", "fault", "completions")
"""What goes on when a reset comes."""


def lower(member: object) -> str:
    """An enum's name as words."""
    return str(getattr(member, "name", member)).lower().replace("_", " ")


def register_names() -> dict[int, str]:
    """By byte offset; a register of several copies has one name."""
    found: dict[int, str] = {}
    for name, register in vars(h).items():
        if name.endswith("Reg"):
            for copy in range(getattr(register, "copies", 1)):
                found[register.offset + 8 * copy] = name.removesuffix("Reg")
    return found


READ_ONLY = ("Id", "CmdqCons", "FqProd", "AsyncEvent", "Counter")
NAMES = tuple(dict.fromkeys(register_names().values()))

POLICY = CoverGroup(
    "hca fault policy",
    "a fault of an inbound packet: the policy of its queue pair and the packet's place in its message",
    "hca",
    ("FQ-3", "FQ-4"),
    cross([lower(policy) for policy in h.FaultPolicy], ["first", "middle", "last", "only"]),
)
REQUESTER = CoverGroup(
    "hca own fault",
    "a fault that is not of an inbound packet's own bytes",
    "hca",
    ("FQ-3",),
    ("source of a send", "source of a write", "target of a read", "source of a read"),
)
QUEUE = CoverGroup(
    "hca fault queue",
    "how full the fault queue is and what its interrupt is set to",
    "hca",
    ("FQ-1", "FQ-6", "FQ-7"),
    cross(["empty", "one", "some", "full", "overflow"], ["masked", "enabled", "coalescing"]),
)
RECEIVE_STATUS = (h.WcStatus.SUCCESS, h.WcStatus.LOC_LEN_ERR, h.WcStatus.LOC_PROT_ERR)
SEND_STATUS = (
    h.WcStatus.SUCCESS,
    h.WcStatus.LOC_LEN_ERR,
    h.WcStatus.LOC_QP_OP_ERR,
    h.WcStatus.LOC_PROT_ERR,
    h.WcStatus.REM_INV_REQ_ERR,
    h.WcStatus.REM_ACCESS_ERR,
    h.WcStatus.REM_OP_ERR,
    h.WcStatus.RETRY_EXC_ERR,
    h.WcStatus.RNR_RETRY_EXC_ERR,
)
OUTCOME = CoverGroup(
    "hca outcome",
    "a work request and how it ended",
    "hca",
    ("FQ-5",),
    (
        *cross(
            [lower(opcode) for opcode in h.WrOpcode],
            [lower(status) for status in SEND_STATUS],
            # A SEND names no key of the other end.
            without=[("send", "rem access err")],
        ),
        *cross(["receive"], [lower(status) for status in RECEIVE_STATUS]),
    ),
)
_STATUS = {
    h.CmdOp.NOP: "OK",
    h.CmdOp.MODIFY_QP: "OK BAD_NUMBER BAD_CONTEXT BAD_ADDRESS",
    h.CmdOp.MODIFY_CQ: "OK BAD_NUMBER BAD_CONTEXT BAD_ADDRESS",
    h.CmdOp.INVALIDATE_RANGE: "OK BAD_NUMBER",
    h.CmdOp.INVALIDATE_KEY: "OK BAD_NUMBER",
    h.CmdOp.FENCE: "OK BAD_CONTEXT BAD_ADDRESS",
    h.CmdOp.RESUME: "OK BAD_NUMBER BAD_TOKEN",
    h.CmdOp.QUERY_QP: "OK BAD_NUMBER BAD_CONTEXT BAD_ADDRESS",
}
COMMAND = CoverGroup(
    "hca command",
    "a command and its status",
    "hca",
    ("SD-6", "FQ-4"),
    (
        *(f"{lower(op)}, {lower(h.CmdStatus[status])}" for op, statuses in _STATUS.items() for status in statuses.split()),
        "unknown, bad opcode",
    ),
)
TOKEN = CoverGroup(
    "hca resume",
    "a resume, of which side, with which kind of token",
    "hca",
    ("FQ-4", "FQ-5"),
    cross(
        [lower(direction) for direction in h.FaultDir],
        ["right", "right with error", "stale", "repeated", "forged", "other direction"],
    ),
)
REFUSED = CoverGroup(
    "hca refused access",
    "an access that memory answers with an error",
    "hca",
    ("FQ-1", "FQ-2"),
    (
        *("key entry", "table", "send request", "receive request", "payload read", "payload write", "source of a read"),
        *("atomic", "completion", "fault record", "command", "command status", "context", "report", "fence"),
    ),
)
PACKET = CoverGroup(
    "hca packet",
    "a good packet, by direction and opcode",
    "hca",
    ("SD-2",),
    cross(["in", "out"], [lower(opcode) for opcode in h.PktOp]),
)
NAK = CoverGroup(
    "hca nak",
    "a negative acknowledgement, by direction and what it says",
    "hca",
    ("FQ-3", "FQ-5"),
    cross(["in", "out"], [lower(syndrome) for syndrome in h.NakSyndrome if syndrome is not h.NakSyndrome.NONE]),
)
BAD_PACKET = CoverGroup(
    "hca bad packet",
    "a packet that must be dropped or refused",
    "hca",
    ("FQ-3",),
    (
        "wrong CRC",
        "too few flits",
        "too many flits",
        "no such opcode",
        "no such queue pair",
        "longer than the MTU",
        "early",
        "late",
    ),
)
DAMAGE = CoverGroup(
    "hca cable",
    "what the cable did to a request and to an answer",
    "hca",
    ("SD-2",),
    cross(["request", "answer"], ["pass", "lose", "corrupt", "truncate"]),
)
INVALIDATION = CoverGroup(
    "hca invalidation",
    "an invalidation and what it met",
    "hca",
    ("SD-1", "SD-2", "SD-3", "SD-6"),
    cross(["range", "key"], ["nothing", "cached translation", "walk under way", "access in flight"]),
)
COMPLETION = CoverGroup(
    "hca completion queue",
    "where a completion goes, and whether its queue is armed",
    "hca",
    ("FQ-6", "FQ-7"),
    (
        *cross(
            ["into an empty queue", "into a queue with some", "into the last place", "in a later round"], ["armed", "not armed"]
        ),
        *("lost to a full queue", "armed when entries are there", "fired"),
    ),
)
RESET = CoverGroup(
    "hca reset",
    "the device is reset or switched off in the middle of something",
    "hca",
    ("FQ-1", "FQ-6"),
    cross(["hardware", "software"], ACTIVITIES),
)
REGISTER = CoverGroup(
    "hca register",
    "registers read and written, and what is refused",
    "hca",
    ("FQ-6",),
    (
        *cross(NAMES, ["read"]),
        *cross([name for name in NAMES if name not in READ_ONLY], ["written"]),
        *("no such address, read", "no such address, written", "some bytes only", "read-only, written"),
    ),
)
LINE = CoverGroup(
    "hca interrupt line", "a line changes", "hca", ("FQ-6",), cross([lower(line) for line in h.IrqLine], ["rises", "falls"])
)

ALL = (
    *(POLICY, REQUESTER, QUEUE, OUTCOME, COMMAND, TOKEN, REFUSED, PACKET, NAK, BAD_PACKET, DAMAGE, INVALIDATION, COMPLETION),
    *(RESET, REGISTER, LINE),
)
