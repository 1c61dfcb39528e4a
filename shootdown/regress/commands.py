"""What to start for a run: command line and environment, by the kind of its test.

Promises: nothing is started here; a file with what the process is told may be written to the run's folder. Every kind reads one
RunConfig and leaves one RunResult; pytest leaves its XML instead.
Needs: for UVM, the simulator's sources (it is built if it is not there yet).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shootdown.regress.run import Run
from tb.cocotb_environment import cocotb_environment
from tb.plan.run import CONFIG_VARIABLE
from tb.plan.test import Kind
from tb.toolchain import ROOT
from tb.uvm.build import Options, build, simulator

__all__ = ["COVERAGE_VARIABLE", "Started", "started"]

COVERAGE_VARIABLE = "SHOOTDOWN_COVERAGE"
WAVES = "waves.fst"
PYTEST_XML = "pytest.xml"
COCOTB_XML = "cocotb.xml"


@dataclass(frozen=True)
class Started:
    """A process to be: `where` it works."""

    command: list[str]
    environment: Mapping[str, str]
    where: Path


def started(run: Run, folder: Path) -> Started:
    """The process of a run whose files go to `folder`. Raises BuildError."""
    environment = {name: value for name, value in os.environ.items() if name != COVERAGE_VARIABLE}
    if run.coverage:
        code = folder / "code"
        code.mkdir(parents=True, exist_ok=True)
        environment[COVERAGE_VARIABLE] = str(code)
    if run.test.kind is Kind.UVM:
        return _uvm(run, folder, environment)
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), *(entry for entry in sys.path if entry)])
    return Started([sys.executable, *_python(run, folder)], environment, ROOT)


def _python(run: Run, folder: Path) -> list[str]:
    config = folder / "config.json"
    config.write_text(run.config(folder).dump())
    if run.test.kind is Kind.BLOCK:
        return ["-m", "tb.block.job", str(config), run.test.target]
    if run.test.kind is Kind.COSIM:
        options = {**run.test.options, **({"waves": "1"} if run.waves else {})}
        return ["-m", "shootdown.regress.cosim_job", str(config), run.test.target, run.mutant, json.dumps(options)]
    quiet = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:randomly", "--color=no", "-rA"]
    return ["-m", "pytest", *quiet, f"--junit-xml={folder / PYTEST_XML}", run.test.target]


def _uvm(run: Run, folder: Path, environment: dict[str, str]) -> Started:
    options = Options(waves=run.waves, coverage=run.coverage, asserts=run.asserts)
    command = [str(build(run.test.simulator, options)), "+verilator+rand+reset+2"]
    command.append(f"+verilator+seed+{run.seed % (1 << 31) or 1}")
    command += ["--trace", "--trace-file", str(folder / WAVES)] if run.waves else []
    command += [f"+verilator+coverage+file+{folder / 'code' / 'simulator.dat'}"] if run.coverage else []
    module, _, cls = run.test.target.partition(":")
    chosen = {"COCOTB_TEST_FILTER": rf"\b{cls}$", CONFIG_VARIABLE: run.config(folder).dump()}
    top = simulator(run.test.simulator).top
    set_by_cocotb = cocotb_environment(top, module, folder / COCOTB_XML, chosen, seed=run.seed)
    set_by_cocotb.pop(COVERAGE_VARIABLE, None)
    return Started(command, {**set_by_cocotb, **environment, **_new(set_by_cocotb)}, folder)


def _new(environment: Mapping[str, str]) -> dict[str, str]:
    """What is not as it is here."""
    return {name: value for name, value in environment.items() if os.environ.get(name) != value}
