"""Say what this machine lacks before anything is built. Standard library only: it runs before the virtual environment exists.

Exit status 2 with one line per missing thing when the build cannot work; a note, status 0, when only waveforms would be missing.
"""

from __future__ import annotations

import shutil
import subprocess
import sys

PROGRAMS = {"g++": "g++", "make": "make", "perl": "perl"}
WAVE_HEADERS = {"lz4.h": "liblz4-dev", "zlib.h": "zlib1g-dev"}


def has_header(name: str) -> bool:
    """Whether the compiler finds a header."""
    probe = subprocess.run(
        ["g++", "-E", "-x", "c++", "-"], input=f"#include <{name}>\n", capture_output=True, text=True, check=False
    )
    return probe.returncode == 0


def main() -> int:
    missing = []
    if sys.version_info < (3, 11):  # noqa: UP036 - the point of the check
        found = ".".join(str(part) for part in sys.version_info[:3])
        missing.append(f"Python 3.11 or newer is needed, this is {found}; set PYTHON=python3.11 (Debian: python3.11)")
    for program, package in PROGRAMS.items():
        if shutil.which(program) is None:
            missing.append(f"{program} is missing: install the package '{package}' (Debian: apt-get install {package})")
    try:
        import ensurepip  # noqa: F401, PLC0415
        import venv  # noqa: F401, PLC0415
    except ImportError:
        missing.append("Python's venv is missing: install the package 'python3-venv' (Debian: apt-get install python3-venv)")
    for line in missing:
        print(f"shootdown: {line}", file=sys.stderr)
    if missing:
        return 2
    absent = [package for name, package in WAVE_HEADERS.items() if not has_header(name)]
    if absent:
        print(
            f"shootdown: note: waveforms (--waves) need {' and '.join(absent)} "
            f"(Debian: apt-get install {' '.join(absent)}); everything else works without",
            file=sys.stderr,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
