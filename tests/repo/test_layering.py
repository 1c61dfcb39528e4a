"""The layers of docs/architecture.md §1, enforced: who may import whom."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = {"spec", "hwif", "sw_stack", "pymodels", "tb", "bench", "shootdown"}

# Package -> packages of ours it may import, besides itself.
ALLOWED: dict[str, set[str]] = {
    "spec": set(),
    "hwif": set(),
    "sw_stack": {"hwif"},
    "pymodels": {"hwif"},
    "tb": {"hwif", "pymodels"},
    "bench": OURS,
    "shootdown": OURS,
}
# Package -> third-party modules it must not know.
FORBIDDEN = {
    "spec": {"numpy", "cocotb", "rich", "typer"},
    "hwif": {"cocotb", "rich", "typer"},
    "sw_stack": {"cocotb", "pyuvm", "typer", "ctypes"},
    "pymodels": {"cocotb", "pyuvm", "rich", "typer"},
}
# Inside sw_stack, upwards only.
SW_LEVELS = {"sched": 0, "notifier": 1, "mm": 2, "drivers": 3, "verbs": 4, "workloads": 5}


def imports(path: Path) -> set[str]:
    """Every module a file imports, by full name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
    return found


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_packages_import_only_what_their_layer_may(package: str) -> None:
    allowed = ALLOWED[package] | {package}
    wrong = []
    for path in files(package):
        for name in imports(path):
            top = name.split(".")[0]
            if top in OURS and top not in allowed:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
            if top in FORBIDDEN.get(package, set()):
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_only_the_rig_joins_software_and_a_device() -> None:
    joins = []
    for path in files("shootdown"):
        names = imports(path)
        software = any(name.startswith(("sw_stack", "shootdown.software", "shootdown.session")) for name in names)
        if software and any(name.split(".")[0] == "tb" and not name.startswith("tb.plan") for name in names):  # a plan is data
            joins.append(path.name)
    assert joins == ["rig.py"]


def test_software_layers_point_upwards() -> None:
    wrong = []
    for path in files("sw_stack"):
        parts = path.relative_to(ROOT / "sw_stack").parts
        if len(parts) < 2:
            continue
        level = SW_LEVELS[parts[0]]
        for name in imports(path):
            if name.startswith("sw_stack.") and SW_LEVELS[name.split(".")[1]] > level:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_rtl_layers() -> None:
    """pkg knows nothing; common knows no package of a device; props are bound, never instantiated."""
    wrong = []
    for path in (ROOT / "rtl" / "common").glob("*.sv"):
        if re.search(r"\bgru_(int_)?pkg\b", path.read_text()):
            wrong.append(f"{path.name} knows a device package")
    for folder in ("common", "gru"):
        for path in (ROOT / "rtl" / folder).glob("*.sv"):
            if re.search(r"\b\w+_props\b", re.sub(r"//.*", "", path.read_text())):
                wrong.append(f"{path.name} names a property module")
    assert not wrong, "\n".join(wrong)


def test_the_layering_test_can_fail(tmp_path: Path) -> None:
    sample = tmp_path / "sample.py"
    sample.write_text("import tb.hil.native\nfrom cocotb.triggers import Timer\n")
    assert imports(sample) == {"tb.hil.native", "cocotb.triggers"}
