"""Which tests could notice a mutant, and in which order to ask them.

Promises: every test of the regression that simulates the mutant's file, and every file of directed tests that does, is asked until
one notices. A test's fingerprint changes when anything changes that it is made of, and with nothing else.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from shootdown.regress.plan import tests
from shootdown.rtl_mutants.draw import Mutant
from shootdown.rtl_mutants.parsed import CHIPS, RTL
from tb.plan.test import Kind, Test
from tb.toolchain import ROOT
from tb.uvm.build import simulator

__all__ = ["fingerprint", "simulates", "suite"]

DIRECTED: Mapping[str, str] = {
    "unit/test_rtl_gru.py": "gru",
    "unit/test_rtl_gru_handles.py": "gru",
    "unit/test_rtl_gru_timing.py": "gru",
    "unit/test_rtl_gru_told.py": "gru",
    "unit/test_rtl_tlb.py": "gru_tlb",
    "unit/test_rtl_tlb_fills.py": "gru_tlb",
    "unit/test_rtl_tlb_checks.py": "gru_tlb",
    "unit/test_rtl_hca_xlt.py": "hca_xlt",
    "unit/test_rtl_hca_xlt_invalidation.py": "hca_xlt",
    "unit/test_rtl_hca_xlt_checks.py": "hca_xlt",
    "unit/test_rtl_hca_mmu.py": "hca_mmu",
    "unit/test_rtl_hca_fault.py": "hca_mmu",
    "unit/test_rtl_hca_rx.py": "hca_rx",
    "unit/test_rtl_hca_tx.py": "hca_tx",
    "unit/test_rtl_hca_qp.py": "hca_qp",
    "unit/test_rtl_hca_events.py": "hca_qp",
    "unit/test_rtl_hca_link.py": "hca_link",
    "unit/test_rtl_hca_seen.py": "hca_xlt",
    "unit/test_rtl_hca_overlooked.py": "hca_mmu",
    "unit/test_rtl_hca_told.py": "hca",
    "unit/test_rtl_hca_chip.py": "hca",
    "unit/test_rtl_hca_rules.py": "hca",
    "equiv/test_model_agrees.py": "gru",  # these two compare the trace too, record by record
    "equiv/test_model_hca_latency.py": "hca",
}
"""Files of tests/ that simulate RTL, and the block each is about."""
DIRECTED_SECONDS = 240.0
OURS = ("tb", "hwif", "pymodels", "shootdown", "sw_stack", "tests", "support")


@cache
def suite() -> tuple[Test, ...]:
    """All that may be asked."""
    known = list(tests().values())
    named = {test.target for test in known if test.kind is Kind.PYTEST}
    for file, block in DIRECTED.items():
        target = f"tests/{file}"
        if target not in named and (ROOT / target).exists():
            name = f"directed_{Path(file).stem.removeprefix('test_').removeprefix('rtl_')}"
            known.append(Test(name, f"directed tests of {block}", Kind.PYTEST, target, block, seconds=DIRECTED_SECONDS))
    return tuple(known)


def simulates(test: Test, mutant: Mutant) -> bool:
    """Has the test the mutant's file in what it simulates?"""
    return mutant.edit.file in _simulated(test)


@cache
def _simulated(test: Test) -> frozenset[str]:
    """Files below rtl/: those of the benches that a block's test imports, of its simulator, or of a whole chip."""
    if test.kind is Kind.UVM:
        return _below_rtl(simulator(test.simulator).sources)
    if test.kind is not Kind.COSIM:
        benches = [
            path.parent.name for path in _closure(_modules(test)) if path.name == "bench.py" and path.is_relative_to(ROOT / "tb")
        ]
        if benches:
            return frozenset().union(*map(_of_bench, benches))
    device = (test.target if test.kind is Kind.COSIM else test.block).partition("_")[0].partition(":")[0]
    return _below_rtl(path for chip in CHIPS if chip.name == device for path in chip.files(RTL))


def _of_bench(folder: str) -> frozenset[str]:
    """All that its testbenches instantiate or import, and what that does."""
    by_name = {path.stem: path for chip in CHIPS for path in chip.files(RTL)}
    found: set[Path] = set()
    waiting = sorted((ROOT / "tb" / folder).glob("*.sv"))
    while waiting:
        words = set(re.findall(r"\w+", re.sub(r"//.*", "", waiting.pop().read_text())))
        reached = [path for name, path in by_name.items() if name in words and path not in found]
        found.update(reached)
        waiting += reached
    return _below_rtl(found)


def _below_rtl(paths: Iterable[Path]) -> frozenset[str]:
    return frozenset(str(path.relative_to(RTL)) for path in paths if path.is_relative_to(RTL))


def fingerprint(test: Test) -> str:
    """Of the test as it is now: its entry in the plan, its code, and all code and benches that this imports."""
    made_of = hashlib.sha256(repr(test).encode())
    for path in sorted(_closure(_modules(test))):
        made_of.update(f"{path.relative_to(ROOT)}\0".encode() + _read(path).digest)
    return made_of.hexdigest()[:16]


def _modules(test: Test) -> list[Path]:
    target = test.target.partition(":")[0]
    if test.kind is Kind.PYTEST:
        return [ROOT / target, ROOT / "tests/conftest.py"]
    if test.kind is Kind.COSIM:
        return [ROOT / "shootdown/rig.py", *sorted((ROOT / "sw_stack").rglob("*.py"))]
    found = [_file(target)]
    if test.simulator:
        folder = ROOT / "tb/uvm" / test.simulator.partition(":")[0]
        found += sorted(folder.rglob("*.py"))
    return [path for path in found if path is not None]


@cache
def _file(module: str) -> Path | None:
    for base in (ROOT, ROOT / "tests"):
        path = base.joinpath(*module.split("."))
        for candidate in (path.with_suffix(".py"), path / "__init__.py"):
            if candidate.exists():
                return candidate
    return None


def _closure(first: Iterable[Path]) -> set[Path]:
    found: set[Path] = set()
    folders: set[Path] = set()
    waiting = list(first)
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        folders.add(path.parent)
        waiting += [imported for name in _read(path).imports if (imported := _file(name)) is not None]
    # A bench is its Python and what lies beside it.
    return found.union(*(_beside(folder, folder.stat().st_mtime_ns) for folder in folders))


@cache
def _beside(folder: Path, _written: int) -> frozenset[Path]:
    return frozenset(path for path in folder.iterdir() if path.suffix in (".sv", ".svh", ".cpp", ".h", ".vlt"))


@dataclass(frozen=True)
class _Content:
    digest: bytes
    imports: tuple[str, ...]


_contents: dict[Path, tuple[tuple[int, int], _Content]] = {}


def _read(path: Path) -> _Content:
    """Read again when the file was written: a test may be edited while mutants are hunted."""
    try:
        state = path.stat()
    except FileNotFoundError:
        return _Content(b"gone", ())
    written = (state.st_mtime_ns, state.st_size)
    known = _contents.get(path)
    if known is None or known[0] != written:
        text = path.read_bytes()
        known = _contents[path] = written, _Content(hashlib.sha256(text).digest(), _imports(text) if path.suffix == ".py" else ())
    return known[1]


def _imports(text: bytes) -> tuple[str, ...]:
    try:
        tree = ast.parse(text)
    except SyntaxError:  # half written
        return ()
    names: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(dict.fromkeys(alias.name for alias in node.names))
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update(dict.fromkeys([node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]))
    return tuple(name for name in names if name.partition(".")[0] in OURS)
