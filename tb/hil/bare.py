"""The bare loop (bare.cpp) from Python: record the requests of a native run, play them again without software.

Promises: `run_bare` plays the recorded requests in the recorded cycles and checks that the device did the same: every counter that
does not belong to the oracle or to skipping must be what it was. Raises BareError where it is not.
Needs: a run that began at cycle 0; device operations whose course does not depend on the contents of memory.
Costs: the run again, minus Python; each cycle is simulated unless told to skip.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from hwif.memory import HostMemory
from hwif.port import Request
from hwif.shadow import Shadow
from tb.hil.abi import HarnessOptions, pack
from tb.hil.build import build_bare
from tb.hil.native import NativeDevice

__all__ = ["BareError", "BareRun", "RecordingDevice", "run_bare"]

# Counters that may differ: the oracle is off, and skipping is the caller's choice.
ELSEWHERE = frozenset({"checked_beats", "checked_bytes", "violations", "evaluated_cycles", "skipped_cycles"})


class BareError(Exception):
    """The bare loop failed, or did something else than the run it was recorded from."""


class RecordingDevice(NativeDevice):
    """A native device that keeps what it was asked."""

    def __init__(self, memory: HostMemory, shadow: Shadow, options: HarnessOptions | None = None) -> None:
        super().__init__(memory, shadow, options)
        self._noted: list[bytes] = []

    def submit(self, request: Request) -> None:
        """Queue a request, and note it."""
        super().submit(request)
        self._noted.append(pack(request))

    def write_requests(self, path: Path) -> None:
        """All requests so far, as bare.cpp reads them."""
        path.write_bytes(b"".join(self._noted))


@dataclass(frozen=True)
class BareRun:
    """What the bare loop took and saw."""

    seconds: float
    cycles: int
    counters: Mapping[str, int]


def run_bare(requests: Path, frames: int, expected: Mapping[str, int], cycles: int, *, skip: bool = False) -> BareRun:
    """Play `requests` for `cycles` cycles; `expected` are the counters of the recorded run."""
    settings = {field.name: getattr(HarnessOptions(), field.name) for field in fields(HarnessOptions)}
    settings |= {"skip": int(skip), "oracle": 0}
    command = [
        str(build_bare()),
        str(requests),
        str(frames),
        str(cycles),
        *(f"{name}={value:d}" for name, value in settings.items()),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BareError((done.stderr or done.stdout).strip())
    counters: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    seconds, reached = counters.pop("seconds"), counters.pop("cycles")
    for name, value in expected.items():
        if name not in ELSEWHERE and counters[name] != value:
            raise BareError(f"the bare loop did something else: {name} is {counters[name]:.0f}, the run had {value}")
    return BareRun(seconds, int(reached), {name: int(value) for name, value in counters.items()})
