"""What the documentation names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTS = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
}


OTHERS = {"hca-testplan.md"}
"""Pages that list the tests of another project, claimed or not."""


PAGES = sorted(path for path in (ROOT / "docs").glob("*.md") if path.name not in OTHERS)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_tests_and_files_that_are_named_exist(page: Path) -> None:
    text = page.read_text()
    missing = [
        name for name in re.findall(r"`(test_\w+)`", text) if name not in TESTS and not list((ROOT / "tests").rglob(f"{name}.py"))
    ]
    missing += [
        name
        for name in re.findall(r"`((?:tests|sw_stack|shootdown|rtl|tb|pymodels|hwif|spec|bench)/[\w./-]+)`", text)
        if not (ROOT / name).exists()
    ]
    assert not missing, f"{page.name} names what does not exist: {', '.join(missing)}"
