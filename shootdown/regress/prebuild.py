"""What tests need built, once each and before they run: `python -m shootdown.regress.prebuild KIND TARGET WAVES
COVERAGE ASSERTS`, the last three 0 or 1.

Promises: builds what the runs of the given kind and target will look for, as they will look for it (the environment says whether
it is instrumented); a failure is one line, "build: ...", and exit status 1. SIGTERM ends the compilers too.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import FrameType

from shootdown.regress.commands import COVERAGE_VARIABLE
from shootdown.regress.run import Run
from tb.plan.test import Kind
from tb.toolchain import ROOT, BuildError

__all__ = ["Build", "needed"]


@dataclass(frozen=True)
class Build:
    """`target`: a simulator's name, a module, or a device, by kind."""

    kind: Kind
    target: str
    waves: bool
    coverage: bool
    asserts: bool

    @property
    def name(self) -> str:
        """For files and reports."""
        safe = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in self.target)
        return f"{self.kind.value}.{safe}{'.waves' if self.waves else ''}"

    @property
    def command(self) -> list[str]:
        """For Python."""
        options = [str(int(option)) for option in (self.waves, self.coverage, self.asserts)]
        return ["-m", "shootdown.regress.prebuild", self.kind.value, self.target, *options]

    def environment(self, folder: Path) -> Mapping[str, str]:
        """Of its process. `folder`: for what it writes by the way."""
        path = os.pathsep.join([str(ROOT), *(entry for entry in sys.path if entry)])
        kept = {name: value for name, value in os.environ.items() if name != COVERAGE_VARIABLE}
        return {**kept, "PYTHONPATH": path, **({COVERAGE_VARIABLE: str(folder / "counts")} if self.coverage else {})}


def needed(run: Run) -> Build:
    """What a run needs, as far as that is known before it runs."""
    kind, target = run.test.kind, run.test.target
    chosen = {
        Kind.UVM: run.test.simulator,
        Kind.BLOCK: target.partition(":")[0],
        Kind.COSIM: target.partition(":")[0],
        Kind.PYTEST: target.partition("::")[0],
    }[kind]
    waves = run.waves and kind in (Kind.UVM, Kind.COSIM)
    return Build(kind, chosen, waves, run.coverage, run.asserts)


def main(arguments: Sequence[str]) -> int:
    """Build; the exit status."""
    signal.signal(signal.SIGTERM, _interrupt)
    kind, target = Kind(arguments[0]), arguments[1]
    waves, coverage, asserts = (option == "1" for option in arguments[2:])
    if coverage:
        Path(os.environ[COVERAGE_VARIABLE]).mkdir(parents=True, exist_ok=True)
    try:
        if kind is Kind.UVM:
            from tb.uvm.build import Options, build  # noqa: PLC0415 - each kind loads its own machinery

            build(target, Options(waves=waves, coverage=coverage, asserts=asserts))
        elif kind is Kind.COSIM:
            from tb.hil.build import HARNESS, HCA_HARNESS, BuildOptions, build_native  # noqa: PLC0415

            build_native(BuildOptions(waves=waves), HCA_HARNESS[2] if target == "hca" else HARNESS)
        else:
            _import(kind, target)
            _build_benches(module for name, module in list(sys.modules.items()) if name.startswith("tb."))
    except (BuildError, KeyError, ImportError) as error:
        print(f"build: {' '.join(str(error).split())}", flush=True)
        return 1
    return 0


def _import(kind: Kind, target: str) -> None:
    """Load what the tests load."""
    if kind is Kind.BLOCK:
        import_module(target)
        return
    path = ROOT / target
    sys.path[:0] = [str(path.parent), str(ROOT / "tests"), str(ROOT)]
    with suppress(Exception):  # pytest will say it better
        import_module(path.stem)


def _build_benches(modules: Iterable[object]) -> None:
    """Every bench that a loaded module of tb has at its top."""
    from tb.block.program import Program  # noqa: PLC0415
    from tb.block.stepped import Library  # noqa: PLC0415

    for module in modules:
        for value in list(vars(module).values()):
            if isinstance(value, Library):
                _ = value.loaded
            elif isinstance(value, Program):
                value._built()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
