"""summary.json: the numbers of a run under stable names. docs/summary.md is the contract.

Promises: every key is there on every run, interrupted and stalled ones too; only JSON types; nothing that names the machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from shootdown.result import RunResult, Samples, ViolationReport

__all__ = ["BUCKETS_NS", "SCHEMA", "buckets", "latency", "summarise"]

SCHEMA = 1

# Upper ends of the buckets, as the kernel's DMAR latency statistics have them.
BUCKETS_NS = (100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)


def latency(samples: Samples) -> dict[str, float | int]:
    """Count, extremes, mean and percentiles in cycles; zeros without samples."""
    names = ("min", "p50", "p90", "p99", "max")
    if not len(samples):
        return {"count": 0, **dict.fromkeys(names, 0), "mean": 0.0}
    # A percentile is a sample that occurred, never a value between two.
    values = np.percentile(samples, (0, 50, 90, 99, 100), method="inverted_cdf")
    return {"count": len(samples), **{n: int(v) for n, v in zip(names, values)}, "mean": round(float(samples.mean()), 1)}


def buckets(samples: Samples, clock_mhz: int) -> list[int]:
    """How many samples fall below each end of BUCKETS_NS and not into the bucket before; the last number is the rest."""
    nanoseconds = samples * 1000 / clock_mhz
    counts, _ = np.histogram(nanoseconds, bins=[0.0, *BUCKETS_NS, np.inf])
    return [int(count) for count in counts]


def _reports(reports: Sequence[ViolationReport]) -> list[dict[str, Any]]:
    return [
        {
            "cycle": report.cycle,
            "rule": report.rule,
            "what": report.what,
            "chain": [{"cycle": row.cycle, "column": row.column.name.lower(), "text": row.text} for row in report.chain],
        }
        for report in reports
    ]


def summarise(result: RunResult) -> dict[str, Any]:
    """The summary as a dictionary, in the order it is written."""
    config = result.config
    return {
        "schema": SCHEMA,
        "verdict": result.verdict.name.lower(),
        "interrupted": result.interrupted,
        "trace": config.subject,
        "program": result.program,
        "device": config.device,
        "backend": config.backend,
        "seed": config.seed,
        "memory": config.memory,
        "limit": config.limit,
        "dropin": config.dropin,
        "mutant": config.mutant,
        "digest": result.digest,
        "cycles": result.cycles,
        "skipped_cycles": result.skipped_cycles,
        "clock_mhz": result.clock_mhz,
        "wall_s": round(result.wall_s, 3),
        "vm_events": dict(result.vm_events),
        "notifier": dict(result.notifier),
        "translations": result.translations,
        "tlb_hits": result.tlb_hits,
        "tlb_misses": result.tlb_misses,
        "faults": result.faults,
        "dropins": result.dropins,
        "dropins_dropped": result.dropins_dropped,
        "shootdowns": result.shootdowns,
        "shootdown_pages": result.shootdown_pages,
        "over_invalidated": result.over_invalidated,
        "latency": {"fault": latency(result.fault_latency), "shootdown": latency(result.shootdown_latency)},
        "oracle": {
            "checked_beats": result.oracle.checked_beats,
            "checked_bytes": result.oracle.checked_bytes,
            "violations": result.oracle.violations,
        },
        "violations": _reports(result.violations),
        "data_failures": _reports(result.data_failures),
        "stalled": result.stalled,
        "workload": dict(result.workload),
        "driver_counters": dict(result.driver),
        "device_counters": dict(result.statistics),
        "speed": result.speed,
        "schedule": None if result.schedule is None else str(result.schedule),
        "waves": None if result.waves is None else str(result.waves),
        "timeline": None if result.timeline is None else str(result.timeline),
        "notes": list(result.notes),
    }
