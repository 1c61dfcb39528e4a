"""A short recorded program and the run most end-to-end tests begin with."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.programs import write_program

from shootdown.result import CosimConfig


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_program(tmp_path_factory.mktemp("program") / "synthetic.sdt")


@pytest.fixture
def config(program: Path, tmp_path: Path) -> CosimConfig:
    """A run of a second or two that swaps."""
    return CosimConfig(trace=program, seed=1, out=tmp_path, memory=400, limit=1500)
