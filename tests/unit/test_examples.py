"""The examples run as their first lines say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_notifier_client() -> None:
    done = subprocess.run(
        [sys.executable, "examples/notifier_client.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={"COLUMNS": "100"},
    )
    for callback in ("invalidate_range_begin", "invalidate_range_end", "invalidate_page", "age_page", "release"):
        assert callback in done.stdout
    for operation in ("mprotect", "fork", "copy-on-write", "migration", "writeback", "truncate", "reclaim", "munmap", "exit"):
        assert operation in done.stdout
    assert not done.stderr
