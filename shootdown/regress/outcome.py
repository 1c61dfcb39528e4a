"""How a run ended: what the engine returns, what reports read.

Promises: plain data, read back from the file it was written to. A status other than PASS always comes with a text: the first
thing to read about it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from tb.plan.run import RunResult
from tb.whole_file import write_whole

__all__ = ["Outcome", "Status"]


class Status(StrEnum):
    """How it ended.

    FAIL: a check objected. EMPTY: no check saw anything, or the test raised no objection to ending. TIMEOUT: the wall-clock
    limit. CRASH: the process ended without a result. LOST: the engine could not run it (worker gone, disk full), often as it
    tried.
    """

    PASS = "pass"
    FAIL = "fail"
    EMPTY = "empty"
    TIMEOUT = "timeout"
    CRASH = "crash"
    LOST = "lost"


@dataclass(frozen=True)
class Outcome:
    """`command`: one line that plays the run again. `folder`: where its files are. `attempts`: how often it was begun."""

    test: str
    seed: int
    status: Status
    seconds: float
    text: str
    result: RunResult
    command: str
    folder: str
    attempts: int = 1

    @property
    def name(self) -> str:
        """As `Run.name`."""
        return f"{self.test}.{self.seed}"

    @property
    def passed(self) -> bool:
        """It did what it must."""
        return self.status is Status.PASS

    def write(self, path: Path) -> None:
        """As JSON, whole or not at all."""
        write_whole(path, json.dumps({**asdict(self), "status": self.status.value}))

    @classmethod
    def read(cls, path: Path) -> Outcome:
        """What `write` wrote."""
        found = json.loads(path.read_text())
        return cls(**{**found, "status": Status(found["status"]), "result": RunResult(**found["result"])})
