"""What a run is told and what it leaves: the interface between whoever runs tests and the process of one test.

Promises: `RunConfig` travels as JSON (for a simulator in one environment variable), `RunResult` in one JSON file; both are plain
data, and neither side needs the other's process. A run of the same configuration leaves the same result, digest included.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tb.whole_file import write_whole

__all__ = ["CONFIG_VARIABLE", "RunConfig", "RunResult"]

CONFIG_VARIABLE = "SHOOTDOWN_UVM_RUN"


@dataclass(frozen=True)
class RunConfig:
    """One test with one seed."""

    test: str
    seed: int
    result: str  # file to write
    mutant: int = 0  # broken variant of the RTL, for mutant_i
    scale: float = 1.0  # length of the stimulus, relative to the test's own

    def dump(self) -> str:
        """For the environment or a file."""
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str) -> RunConfig:
        """What `dump` wrote."""
        return cls(**json.loads(text))


@dataclass
class RunResult:
    """What the run saw."""

    cycles: int = 0
    items: int = 0  # events that a check judged
    errors: int = 0
    objections: list[str] = field(default_factory=list)  # the first few, "cycle N: RULE: text"
    coverage: dict[str, dict[str, int]] = field(default_factory=dict)  # cover group -> bin -> times
    digest: str = ""  # of all events judged, in order

    def write(self, path: Path) -> None:
        """As JSON, whole or not at all."""
        write_whole(path, json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> RunResult:
        """What `write` wrote."""
        return cls(**json.loads(path.read_text()))
