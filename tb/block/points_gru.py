"""What the block benches of the GRU must have been in, as cover groups.

Groups: `gru_tlb ...` the TLB beside its exact model, `gru_tfh ...` fault handles, `gru_tfm ...` fault maps and interrupt lines,
`gru_tgh ...` shootdown handles, `gru_handles reset` all of these.
"""

from __future__ import annotations

from enum import IntEnum

from hwif.gen.gru import TfhOpc
from tb.plan.cover import CoverGroup, cross

__all__ = [
    "HANDLES",
    "HANDLES_RESET",
    "OPCODES",
    "TFH_COMMAND",
    "TFH_FILL",
    "TFH_RACE",
    "TFM_EVENT",
    "TFM_LINE",
    "TGH_EDGE",
    "TGH_START",
    "TLB",
    "TLB_LOG",
    "TLB_RACE",
    "TLB_RATE",
    "TLB_RESET",
    "TLB_SLOTS",
    "TLB_STEP",
    "TLB_WAY",
    "opcode",
]


def opcode(value: int) -> str:
    """A TFH's, as bins say it."""
    return TfhOpc(value).name.lower().replace("_", " ") if value in list(TfhOpc) else "undefined"


def _names(kinds: type[IntEnum]) -> list[str]:
    return [kind.name.lower().replace("_", " ") for kind in kinds]


# ---- TLB ----------------------------------------------------------------------------------------------------------------------

TLB_WAY = CoverGroup(
    "gru_tlb way",
    "a way and what became of an entry in it",
    "gru",
    ("SD-1", "SD-7"),
    cross([f"way {way}" for way in range(4)], ["dies in the sweep", "dies at a drop-in", "is named to a miss"]),
)
TLB_STEP = CoverGroup(
    "gru_tlb step", "how many entries of a set die in one cycle", "gru", ("SD-5", "SD-7"), ("1 dies", "2 die", "3 die", "all die")
)
# A hit in the first pair ends a lookup of more sizes; a clean entry is one that a write meets.
TLB_RATE = CoverGroup(
    "gru_tlb rate",
    "the page sizes a lookup probes, whether shootdowns are being swept, and its answer",
    "gru",
    ("SD-1", "SD-4"),
    cross(["one or two sizes", "more sizes"], ["nothing swept", "sweep running", "every slot taken"], ["hit", "miss", "clean"]),
)
TLB_SLOTS = CoverGroup(
    "gru_tlb slots",
    "how long a shootdown waited for a slot, and what kind it is",
    "gru",
    ("SD-8",),
    cross(["range", "asid", "ctx"], ["taken at once", "waits a moment", "waits half a sweep"]),
)
TLB_LOG = CoverGroup(
    "gru_tlb log",
    "shootdowns between a miss and the decision about its drop-in, and the decision",
    "gru",
    ("SD-3",),
    cross(
        ["none", "1 to 4", "up to half the log", "up to the log", "more than the log"],
        ["entered", "dropped"],
        without=[("none", "dropped"), ("more than the log", "entered")],  # nothing to drop it; dropped to be safe
    ),
)
TLB_RACE = CoverGroup(
    "gru_tlb race",
    "what happened in the very cycle in which a shootdown that covers it was accepted",
    "gru",
    ("SD-1", "SD-2", "SD-3"),
    (
        "lookup in the hit stage",
        "lookup accepted",
        "drop-in decided",
        "drop-in accepted",
        "access ends",
        "another acknowledgement",
        "an older entry of its pages is swept",
    ),
)
TLB_RESET = CoverGroup(
    "gru_tlb reset",
    "what was under way when the TLB was reset",
    "gru",
    ("SD-1", "SD-2"),
    ("lookup", "access in flight", "drop-in", "shootdown draining", "shootdown waiting for a slot", "sweep"),
)
TLB = (TLB_WAY, TLB_STEP, TLB_RATE, TLB_SLOTS, TLB_LOG, TLB_RACE, TLB_RESET)

# ---- handles ------------------------------------------------------------------------------------------------------------------

OPCODES = [*_names(TfhOpc), "undefined"]
TFH_COMMAND = CoverGroup(
    "gru_tfh command",
    "a command and the state of its handle when its turn comes",
    "gru",
    ("SD-3",),
    cross(OPCODES, ["no miss", "miss of the user", "miss in the fault map"]),
)
TFH_RACE = CoverGroup(
    "gru_tfh race",
    "a command and what happened to its control block while it waited for its turn or had it",
    "gru",
    ("SD-3",),
    cross(
        OPCODES,
        [
            "context started over before its turn",
            "context started over in its turn",
            "context deallocated before its turn",
            "misses in the cycle it is written",
            "waits behind others",
            "written to while active",
        ],
    ),
)
TFH_FILL = CoverGroup(
    "gru_tfh drop-in",
    "a drop-in, its end, and what became of its miss meanwhile",
    "gru",
    ("SD-3",),
    cross(["write only", "write restart"], ["entered", "dropped"], ["miss still there", "context started over", "missed again"]),
)
TFM_EVENT = CoverGroup(
    "gru_tfm event",
    "an event, what its context asks for, and the bit it is about",
    "gru",
    ("FQ-1", "FQ-6"),
    cross(
        ["fault", "done"],
        ["bit and line", "bit alone", "neither"],
        ["bit was clear", "bit was set", "bit written one in the cycle"],
        # A done bit always has its line; an event that sets no bit meets none of its own.
        without=[("done", "bit alone", bit) for bit in ("bit was clear", "bit was set", "bit written one in the cycle")],
    ),
)
TFM_LINE = CoverGroup(
    "gru_tfm line",
    "why an interrupt line moved or did not when its map was written",
    "gru",
    ("FQ-6",),
    (
        "falls with the last bit",
        "stays for a fault bit",
        "stays for a done bit",
        "rises in the cycle it would fall",
        "stays for a bit set in the cycle",
        "two events of one core in a cycle",
    ),
)
TGH_START = CoverGroup(
    "gru_tgh start",
    "a command and how busy the shootdown port is when it is written",
    "gru",
    ("SD-6", "SD-8"),
    cross(["nop", "range", "asid", "ctx"], ["port idle", "one offered", "offered and refused", "several queue", "others drain"]),
)
TGH_EDGE = CoverGroup(
    "gru_tgh edge",
    "values and coincidences of shootdown handles",
    "gru",
    ("SD-1", "SD-2", "SD-6", "SD-8"),
    (
        "clamped at the last page",
        "first page",
        "asid 0",
        "one page",
        "large pages",
        "mask in use",
        "every context",
        "drained in the accepting cycle",
        "several drained in a cycle",
        "written to while active",
        "every handle active",
    ),
)
HANDLES_RESET = CoverGroup(
    "gru_handles reset",
    "what was under way when the handles were reset",
    "gru",
    ("FQ-1", "SD-2"),
    (
        "command waiting",
        "drop-in offered",
        "drop-in on its way",
        "miss pending",
        "line up",
        "shootdown offered",
        "shootdown draining",
        "probe owed",
    ),
)
HANDLES = (TFH_COMMAND, TFH_RACE, TFH_FILL, TFM_EVENT, TFM_LINE, TGH_START, TGH_EDGE, HANDLES_RESET)
