"""The oracle of the notifiers as a listener of a run's trace.

Promises: hears every record and changes nothing of the run; `objections` judges what came, in the order of time, as texts that
begin with their cycle and rule. Costs: the records of the software, kept until then.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwif.trace import DEVICE_EVENTS, EVENT_MASK
from pymodels.oracle import LegalNotifiers

__all__ = ["NotifierJudge"]

DEVICES = np.array(sorted(int(event) for event in DEVICE_EVENTS), dtype=np.uint64)


class NotifierJudge:
    """A TraceSink."""

    def __init__(self) -> None:
        self._rows: list[NDArray[np.uint64]] = []

    def __call__(self, records: NDArray[np.uint64]) -> None:
        """Some records, in the order of one stream."""
        self._rows.append(records[~np.isin(records[:, 1] & np.uint64(EVENT_MASK), DEVICES)])

    def objections(self) -> list[str]:
        """To everything that came."""
        if not self._rows:
            return []
        rows = np.concatenate(self._rows)
        found = LegalNotifiers().feed(rows[np.argsort(rows[:, 0], kind="stable")].tolist())
        return [f"{cycle}: {one.rule}: {text}" for one in found for cycle, text in [one.text.split(": ", 1)]]
