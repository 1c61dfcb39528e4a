"""Records of short runs, written by hand: what a timeline of them must say is known to the cycle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwif.gen.events import TraceEvent as T
from hwif.gen.gru import CbOpc, CchState
from hwif.trace import CPU_SHIFT, TASK_SHIFT
from shootdown.timeline import Timeline, TimelineInfo

__all__ = ["FAULT", "PAGE", "POLLED", "SHOOTDOWN", "Named", "Row", "blocks", "timeline", "write"]

PAGE = 4096
Row = tuple[int, int, int, int, tuple[int, ...]]  # cycle, processor (-1: the device), task, event, arguments
DEV = -1


@dataclass
class Named:
    """A task, as a timeline wants to know it."""

    name: str
    cpu: int


TASKS = [Named("program", 0), Named("gru_intr1", 1), Named("user", 1)]
PROGRAM, HANDLER, USER = 1, 2, 3

# munmap of four pages while a context is loaded: notifier, shootdown, acceptance, two entries, drain, status.
SHOOTDOWN: list[Row] = [
    (90, DEV, 0, T.DEV_CCH, (0, CchState.ACTIVE)),
    (100, 0, PROGRAM, T.VM_MUNMAP, (1, 16 * PAGE, 20 * PAGE)),
    (110, 0, PROGRAM, T.MN_RANGE_BEGIN, (1, 16 * PAGE, 20 * PAGE, 0)),
    (130, 0, PROGRAM, T.DRV_SHOOTDOWN, (5, 16 * PAGE, 8, 3)),
    (190, DEV, 0, T.DEV_SHOOT_ACCEPT, (5, 16 * PAGE, 8, 3, 0)),
    (195, DEV, 0, T.DEV_KILL, (16 * PAGE, 8, 0)),
    (196, DEV, 0, T.DEV_KILL, (17 * PAGE, 8, 0)),
    (260, DEV, 0, T.DEV_SHOOT_DONE, (5,)),
    (330, 0, PROGRAM, T.DRV_SHOOTDOWN_DONE, (5,)),
    (330, 0, PROGRAM, T.MN_RANGE_BEGIN_DONE, (1, 16 * PAGE, 20 * PAGE)),
    (400, 0, PROGRAM, T.MN_RANGE_END, (1, 16 * PAGE, 20 * PAGE)),
    (410, 0, PROGRAM, T.VM_DONE, (1,)),
]

# A load that misses, raises the interrupt and is answered by the handler.
FAULT: list[Row] = [
    (1000, 1, USER, T.USR_ISSUE, (7, CbOpc.VLOAD, 40 * PAGE, 0, 0, 7)),
    (1080, DEV, 0, T.DEV_MISS, (7, 40 * PAGE, 8, 1)),
    (1081, DEV, 0, T.DEV_IRQ, (1, 1)),
    (2090, 1, HANDLER, T.DRV_INTR, (1, 1)),
    (2091, DEV, 0, T.DEV_IRQ, (1, 0)),
    (2200, 1, HANDLER, T.DRV_DROPIN, (7, 40 * PAGE, 99, 0)),
    (2266, 1, HANDLER, T.DRV_INTR_DONE, (1,)),
    (2268, DEV, 0, T.DEV_FILL, (7, 40 * PAGE, 8, 99, 0, 0)),
    (2269, DEV, 0, T.DEV_RESTART, (7,)),
    (2400, DEV, 0, T.DEV_CB_DONE, (7, 0, 0)),
    (2470, 1, USER, T.USR_DONE, (7, 0, 0, 7)),
]

# The same, handed to user polling: the user calls the driver, which faults the page in; the first drop-in comes too late.
POLLED: list[Row] = [
    (1000, 1, USER, T.USR_ISSUE, (7, CbOpc.VSTORE, 40 * PAGE, 0, 0, 7)),
    (1080, DEV, 0, T.DEV_MISS, (7, 40 * PAGE, 8, 2)),
    (1081, DEV, 0, T.DEV_IRQ, (1, 1)),
    (2090, 1, HANDLER, T.DRV_INTR, (1, 1)),
    (2091, DEV, 0, T.DEV_IRQ, (1, 0)),
    (2200, 1, HANDLER, T.DRV_UPM, (7, 40 * PAGE)),
    (2266, 1, HANDLER, T.DRV_INTR_DONE, (1,)),
    (2500, 1, USER, T.DRV_CALL_OS, (7, 0, 7)),
    (2600, 1, USER, T.VM_FAULT_BEGIN, (1, 40 * PAGE, 1)),
    (3500, 1, USER, T.VM_FAULT, (1, 40 * PAGE, 1, 0)),
    (3500, 1, USER, T.VM_DONE, (1,)),
    (3600, 1, USER, T.DRV_DROPIN, (7, 40 * PAGE, 99, 1)),
    (3666, 1, USER, T.DRV_CALL_OS_DONE, (7,)),
    (3668, DEV, 0, T.DEV_FILL_DROPPED, (7, 40 * PAGE, 8)),
    (3669, DEV, 0, T.DEV_RESTART, (7,)),
    (3680, DEV, 0, T.DEV_MISS, (7, 40 * PAGE, 8, 2)),
]


def blocks(rows: list[Row], size: int = 1 << 30) -> list[NDArray[np.uint64]]:
    """The rows as blocks of records of at most `size`, software and device apart, as a run hands them on."""
    made = []
    for device in (False, True):
        words = [
            [cycle, event | (0 if device else (cpu + 1) << CPU_SHIFT | task << TASK_SHIFT), *args, *([0] * (6 - len(args)))]
            for cycle, cpu, task, event, args in rows
            if (cpu == DEV) == device
        ]
        made += [np.array(words[at : at + size], dtype=np.uint64) for at in range(0, len(words), size)]
    return made


def timeline(rows: list[Row], **options: int) -> Timeline:
    """A timeline that has seen the rows."""
    made = Timeline(TASKS, **options)
    for block in blocks(rows):
        made(block)
    return made


def write(rows: list[Row], path: Path, **options: object) -> TimelineInfo:
    """Their file."""
    return timeline(rows).write(path, **options)  # type: ignore[arg-type]
