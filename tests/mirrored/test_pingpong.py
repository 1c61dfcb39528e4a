"""The example that ships runs, and says that everything arrived."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("backend", ["model", pytest.param("native", marks=pytest.mark.slow)])
def test_odp_pingpong(backend: str) -> None:
    command = [sys.executable, str(ROOT / "examples" / "odp_pingpong.py"), backend]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 6 and all("arrived, " in line for line in lines[:5])
    assert lines[-1].startswith("0 accesses through dead translations")
