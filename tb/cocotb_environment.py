"""What a simulator process needs in its environment so that cocotb finds Python, the design's top and the test to run."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tb.toolchain import ROOT, BuildError

__all__ = ["cocotb_environment"]


@cache
def _library() -> str:
    import find_libpython  # type: ignore[import-not-found, import-untyped, unused-ignore]  # noqa: PLC0415 - only a launcher needs it

    library = find_libpython.find_libpython()
    if library is None:
        raise BuildError(f"cocotb {importlib.metadata.version('cocotb')} needs a shared libpython; this Python has none")
    return str(library)


def cocotb_environment(toplevel: str, module: str, results: Path, more: Mapping[str, str], *, seed: int = 1) -> dict[str, str]:
    """The environment (cocotb's own runner sets the same). `module`: tests to run. `more`: further variables."""
    import cocotb_tools.config as cocotb  # noqa: PLC0415

    return {
        **os.environ,
        "PATH": os.environ["PATH"] + os.pathsep + str(cocotb.libs_dir),
        "PYTHONPATH": os.pathsep.join([str(ROOT), *(entry for entry in sys.path if entry)]),
        "PYGPI_PYTHON_BIN": sys.executable,
        "GPI_USERS": f"{_library()};{cocotb.pygpi_entry_point()}",
        "COCOTB_TOPLEVEL": toplevel,
        "COCOTB_TEST_MODULES": module,
        "COCOTB_RESULTS_FILE": str(results),
        "COCOTB_LOG_LEVEL": "WARNING",
        "GPI_LOG_LEVEL": "WARNING",
        "COCOTB_RANDOM_SEED": str(seed),
        "COCOTB_TRUST_INERTIAL_WRITES": "1",
        "COCOTB_REWRITE_ASSERTION_FILES": "",  # pytest inside the simulator would double its start time
        "TOPLEVEL_LANG": "verilog",
        **more,
    }
