"""What the chip's checks must have been in, as cover groups.

Groups: `gru opcode` an instruction and how it ended; `gru memory error` an instruction and the error it met; `gru fault answer` a
fault handle's command and its state; `gru shootdown` its scope and what is going on; `gru context` a context's command and what
is going on; `gru context refused` why a command failed; `gru fault map` bits and lines; `gru register` units and refusals; `gru
reset` what it ends.
"""

from __future__ import annotations

from hwif.gen import gru as g
from tb.plan.cover import CoverGroup, cross

__all__ = [
    "ALL",
    "ANSWER",
    "CONTEXT",
    "MAP",
    "MEMORY",
    "OPCODE",
    "OPCODES",
    "REFUSED",
    "REGISTER",
    "RESET",
    "SHOOTDOWN",
    "UNITS",
]

OPCODES = tuple(opc.name for opc in g.CbOpc if opc not in (g.CbOpc.GAMXR, g.CbOpc.BSTORE, g.CbOpc.VFLUSH))  # those that are built
READS = ("BCOPY", "VLOAD", "IVLOAD", "MESQ", "GAMIR", "GAMIRR", "GAMER", "GAMERR")
WRITES = ("BCOPY", "VSTORE", "IVSTORE", "VSET", "IVSET", "MESQ", "GAMIR", "GAMIRR", "GAMER", "GAMERR")
UNITS = ("cb", "dsr", "tfm", "tgh", "cbe", "tfh", "cch")
ENDS = ("at once", "after a miss", "after an interrupt", "exception", "ended by its fault handle", "bus error")
ONLY_AT_ONCE = tuple(("NOP", end) for end in ENDS if end not in ("at once", "after an interrupt"))  # it has no operands

OPCODE = CoverGroup("gru opcode", "an instruction and how it ended", "gru", ("SD-3",), cross(OPCODES, ENDS, without=ONLY_AT_ONCE))
MEMORY = CoverGroup(
    "gru memory error",
    "an instruction and the error that one of its accesses met",
    "gru",
    (),
    cross(READS, ("read",), ("SLVERR", "DECERR")) + cross(WRITES, ("write",), ("SLVERR", "DECERR")),
)
ANSWER = CoverGroup(
    "gru fault answer",
    "a command of a fault handle and the state it found",
    "gru",
    ("SD-3", "SD-7"),
    cross([opc.name for opc in g.TfhOpc], ("no miss", "MISS_FMM", "MISS_UPM")),
)
SHOOTDOWN = CoverGroup(
    "gru shootdown",
    "the scope of a shootdown and what is going on as it begins",
    "gru",
    ("SD-1", "SD-2", "SD-6", "SD-8"),
    cross(
        ("range", "asid", "contexts"),
        ("nothing", "accesses on the bus", "misses pending", "another shootdown", "a context command"),
    ),
)
COMMANDS = ("ALLOCATE", "START", "INTERRUPT", "INTERRUPT_SYNC", "DEALLOCATE")
CONTEXT = CoverGroup(
    "gru context",
    "a context's command and what is going on as it begins",
    "gru",
    ("SD-2",),
    cross(
        COMMANDS,
        ("nothing", "its instructions", "its faults", "a shootdown", "another context's command"),
        # Before ALLOCATE it has neither.
        without=(("ALLOCATE", "its instructions"), ("ALLOCATE", "its faults")),
    ),
)
REFUSED = CoverGroup(
    "gru context refused",
    "why a context's command failed",
    "gru",
    (),
    tuple(
        cause.name
        for cause in g.CchCause
        # No command has these: there are no region registers, and a busy handle takes no command.
        if cause not in (g.CchCause.NONE, g.CchCause.REGION_REGISTER_WRITE_ERROR, g.CchCause.CCH_BUSY)
    ),
)
MAP = CoverGroup(
    "gru fault map",
    "bits of a map and the line of its core",
    "gru",
    (),
    (
        "fault bit, line down",
        "fault bit, line up",
        "fault bit without interrupt",
        "done bit, line down",
        "done bit, line up",
        "cleared to empty",
        "cleared in part",
        "bit set as others are cleared",
        "two lines up",
    ),
)
REGISTER = CoverGroup(
    "gru register",
    "units of the register window, and why accesses are refused",
    "gru",
    (),
    cross(UNITS, ("read", "write"))
    + cross(UNITS, ("past its line",), without=(("dsr", "past its line"),))  # the segment has no gaps
    + cross(("tfm", "tgh", "cbe", "tfh", "cch"), ("partial write refused",))
    + ("cb, partial write", "dsr, partial write", "cb, not owned", "dsr, not owned", "tfm, no such", "tgh, no such", "cch, no such")
    + ("nothing there, read", "nothing there, write"),
)
RESET = CoverGroup(
    "gru reset",
    "what a reset interrupts",
    "gru",
    (),
    (
        "nothing",
        "instructions",
        "reads on the bus",
        "writes on the bus",
        "misses pending",
        "a fault handle's command",
        "a shootdown",
        "a context command",
        "a register access",
        "a line that is up",
    ),
)
ALL = (OPCODE, MEMORY, ANSWER, SHOOTDOWN, CONTEXT, REFUSED, MAP, REGISTER, RESET)
