"""Build the conventional simulator: the GRU with flat ports, driven by cocotb alone (no C++ of ours).

Promises: the same Verilator options, compiler flags and assertions as the harness of the native and cocotb hosts.
Needs, costs: as tb/hil/build.py.
"""

from __future__ import annotations

from pathlib import Path

from tb.hil.build import BuildOptions, Design, build, cocotb_simulator

__all__ = ["TOP", "build_conventional"]

TOP = "conventional_top"
DESIGN = Design("conventional", Path(__file__).resolve().parent / f"{TOP}.sv", hooks=False)


def build_conventional(options: BuildOptions | None = None) -> Path:
    """Path of the simulator, built if need be."""
    return build(DESIGN, options or BuildOptions(), "conventional", cocotb_simulator(DESIGN, []))
