"""Results of runs that never were: for the reports and the command line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from shootdown.result import (
    ChainRow,
    Column,
    CosimConfig,
    HitRate,
    OracleCounts,
    RunResult,
    ViolationReport,
)

__all__ = ["clean_result", "violated"]


def clean_result(out: Path, **config: object) -> RunResult:
    """A plausible clean run with samples of every kind."""
    rng = np.random.default_rng(1)
    settings = CosimConfig(trace=Path("/somewhere/blockcache.sdt"), seed=7, out=out)
    lookups = rng.integers(500, 2500, 120)
    hits = (lookups * np.clip(0.6 + np.arange(120) / 250 + rng.normal(0, 0.04, 120), 0, 1)).astype(np.int64)
    total, hit = int(lookups.sum()), int(hits.sum())
    return RunResult(
        config=replace(settings, **config),  # type: ignore[arg-type]
        program="perl",
        digest="4f1c0ffee4f1c0ffee4f1c0ffee4f1c0",
        cycles=12_345_678,
        skipped_cycles=9_876_543,
        wall_s=14.2,
        vm_events={"mmap": 431, "munmap": 398, "mprotect": 860, "mremap": 329, "brk": 444, "madvise": 157, "fork": 9, "exit": 10},
        notifier={
            "invalidate_range_begin": 2600,
            "invalidate_range_end": 2600,
            "invalidate_page": 812,
            "age_page": 90,
            "release": 1,
        },
        driver={"tlb_dropin": 5100, "flush_tlb": 2600, "asid_wrap": 0, "tlb_dropin_fail_range_active": 77},
        statistics={"mem_reads": 90_000, "mem_writes": 41_000, "mem_errors": 0},
        translations=total,
        tlb_hits=hit,
        tlb_misses=total - hit,
        faults=5_310,
        dropins=5_241,
        dropins_dropped=69,
        shootdowns=3_412,
        shootdown_pages=120_400,
        over_invalidated=12,
        oracle=OracleCounts(checked_beats=131_000, checked_bytes=8_384_000),
        workload={"operations": 5_900, "verified_operations": 5_100},
        fault_latency=rng.lognormal(8.2, 0.9, 5_310).astype(np.int64),
        shootdown_latency=rng.lognormal(5.3, 0.5, 3_412).astype(np.int64) + 40,
        hit_rate=HitRate(100_000, lookups, hits),
    )


def violated(result: RunResult) -> RunResult:
    """The same run with an objection of the oracle."""
    report = ViolationReport(
        cycle=8_123_456,
        rule="SD-2",
        what="read of frame 77 for va 0x4a15000 by control block 3: the page was revoked <before> & the access came after",
        chain=(
            ChainRow(8_122_900, Column.CPU1, "usr_issue cbr=3 opc=2 baddr0=0x4a15000"),
            ChainRow(8_123_010, Column.CPU0, "mn_range_begin mm=1 start=0x4a15000 end=0x4a19000 atomic=0"),
            ChainRow(8_123_300, Column.DEVICE, "dev_shoot_accept tgh=0 vaddr=0x4a15000 asid=0x8 n=3 global=0"),
            ChainRow(8_123_340, Column.CPU0, "mn_range_begin_done mm=1 start=0x4a15000 end=0x4a19000"),
            ChainRow(8_123_456, Column.DEVICE, "read of frame 77 for va 0x4a15000 by control block 3: REVOKED"),
        ),
    )
    return replace(result, violations=(report,), oracle=replace(result.oracle, violations=1))
