"""Save files that open a waveform at the cycle that matters: waves.gtkw for GTKWave, waves.sucl for Surfer.

Promises: written beside the waveform, named after it; every signal in them is in the waveforms of the harness (a test reads one and
looks); marker and window stand where `now_q` shows the cycle. Needs the hierarchy of tb/hil/hil_top.sv.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Final

__all__ = ["GROUPS", "marker_time", "write_savefiles"]

# Group -> (signal, bits). All are pins and observations of the harness or registers of the handles, in reading order.
GROUPS: Final[dict[str, tuple[tuple[str, int], ...]]] = {
    "time": (
        ("hil_top.clk_i", 1),
        ("hil_top.now_q", 64),
        ("hil_top.quiescent", 1),
        ("hil_top.irq", 16),
    ),
    "TLB lookup": (
        ("hil_top.obs.tlb.lkp_valid", 1),
        ("hil_top.obs.tlb.lkp_cbr", 7),
        ("hil_top.obs.tlb.rsp_valid", 1),
        ("hil_top.obs.tlb.rsp.cbr", 7),
        ("hil_top.obs.tlb.rsp.hit", 1),
        ("hil_top.obs.tlb.rsp.pa", 53),
    ),
    "TLB fill": (
        ("hil_top.obs.tlb.fill_valid", 1),
        ("hil_top.obs.tlb.fill_dropped", 1),
        ("hil_top.obs.tlb.fill.cbr", 7),
        ("hil_top.obs.tlb.fill.va", 64),
        ("hil_top.obs.tlb.fill.asid", 24),
        ("hil_top.obs.tlb.fill.pfn", 41),
    ),
    "TLB shootdown": (
        ("hil_top.obs.tlb.shoot_accept", 1),
        ("hil_top.obs.tlb.shoot.tgh", 5),
        ("hil_top.obs.tlb.shoot.first", 52),
        ("hil_top.obs.tlb.shoot.last", 52),
        ("hil_top.obs.tlb.shoot.asid", 24),
        ("hil_top.obs.tlb.shoot.scope", 2),
        ("hil_top.obs.tlb.shoot_done", 24),
    ),
    "TGH, TFH and CB": (
        ("hil_top.u_gru.u_tgh.pend_q", 24),
        ("hil_top.obs.miss_valid", 1),
        ("hil_top.obs.miss_cbr", 7),
        ("hil_top.obs.miss_va", 64),
        ("hil_top.u_gru.u_tfh.fmm_q", 128),
        ("hil_top.u_gru.u_tfh.upm_q", 128),
        ("hil_top.obs.restart_valid", 1),
        ("hil_top.obs.restart_cbr", 7),
        ("hil_top.u_gru.active", 128),
        ("hil_top.obs.done_valid", 1),
        ("hil_top.obs.done_cbr", 7),
    ),
    "AXI reads": (
        ("hil_top.arvalid", 1),
        ("hil_top.arready_q", 1),
        ("hil_top.arid", 7),
        ("hil_top.araddr", 53),
        ("hil_top.aruser.va", 64),
        ("hil_top.aruser.ctx", 4),
        ("hil_top.rvalid_q", 1),
        ("hil_top.rready", 1),
        ("hil_top.rid_q", 7),
    ),
    "AXI writes": (
        ("hil_top.awvalid", 1),
        ("hil_top.awready_q", 1),
        ("hil_top.awid", 7),
        ("hil_top.awaddr", 53),
        ("hil_top.awuser.va", 64),
        ("hil_top.bvalid_q", 1),
        ("hil_top.bready", 1),
        ("hil_top.bid_q", 7),
    ),
    "AXI-Lite": (
        ("hil_top.axil_awvalid_q", 1),
        ("hil_top.axil_arvalid_q", 1),
        ("hil_top.axil_addr_q", 27),
        ("hil_top.axil_wdata_q", 64),
        ("hil_top.axil_rvalid", 1),
        ("hil_top.axil_rdata", 64),
    ),
}

# Registers with a bit for each control block, and for each shootdown handle: GTKWave can show the one bit that matters.
OF_A_BLOCK: Final = ("hil_top.u_gru.active", "hil_top.u_gru.u_tfh.fmm_q", "hil_top.u_gru.u_tfh.upm_q")
OF_A_HANDLE: Final = ("hil_top.u_gru.u_tgh.pend_q", "hil_top.obs.tlb.shoot_done")
BITS: Final = {name: bits for signals in GROUPS.values() for name, bits in signals}

BEFORE: Final = 120  # cycles shown left of the marker
PER_FRAME: Final = 50  # cycles in 200 pixels
MARKERS: Final = 27  # GTKWave's named markers, unused
SIGNALS_WIDTH: Final = 380  # pixels
HEADLINE: Final = 56  # characters
ZOOM_STEPS: Final = 5  # of Surfer, from the whole file (some two thousand cycles) to about a hundred

HEX, BINARY, COMMENT, OPEN, CLOSE = "@22", "@28", "@200", "@800200", "@1000200"


def marker_time(cycle: int) -> int:
    """Where the pins show what happens at a cycle. The harness dumps twice a cycle, and the edge that ends cycle n is at 2 n."""
    return max(0, 2 * cycle - 1)


def write_savefiles(waves: Path, cycle: int, what: str, chain: Sequence[str] = ()) -> tuple[Path, Path]:
    """Both files for the waveform `waves`, at `cycle`, with a line on what happened there. `chain`: the events that led there; the
    control block and the shootdown handle they name last are the ones to look at. Raises OSError."""
    gtkwave, surfer = waves.with_suffix(".gtkw"), waves.with_suffix(".sucl")
    texts = [*chain, what]
    bits = _bits("CB", _last(r"\b(?:CB|control block) (\d+)", texts), OF_A_BLOCK)
    bits += _bits("TGH", _last(r"\bTGH (\d+)", texts), OF_A_HANDLE)
    gtkwave.write_text(_gtkwave(waves, gtkwave, cycle, what, bits), encoding="utf-8")
    surfer.write_text(_surfer(waves, cycle, what), encoding="utf-8")
    return gtkwave, surfer


def _last(pattern: str, texts: Sequence[str]) -> int | None:
    """The number that the pattern finds last."""
    found = [int(match) for text in texts for match in re.findall(pattern, text)]
    return found[-1] if found else None


def _bits(kind: str, number: int | None, registers: Sequence[str]) -> list[str]:
    """Lines that show one bit of each register: GTKWave counts bits from the left."""
    if number is None or number >= min(BITS[name] for name in registers):
        return []
    bits = [f"({BITS[name] - 1 - number}){name}[{BITS[name] - 1}:0]" for name in registers]
    return [COMMENT, f"-bit {number}: {kind} {number}", BINARY, *bits]


def _headline(cycle: int, what: str) -> str:
    """What happened, short: GTKWave makes its column of names as wide as the longest line in it, and right-justifies the names."""
    plain = re.sub(r".*Assertion failed in (?:\w+\.)*", "", " ".join(what.split()))
    return textwrap.shorten(f"cycle {cycle}: {plain}", HEADLINE, placeholder="...")


def _gtkwave(waves: Path, save: Path, cycle: int, what: str, bits: Sequence[str]) -> str:
    time = marker_time(cycle)
    lines = [
        "[*] shootdown",
        f"[signals_width] {SIGNALS_WIDTH}",
        f'[dumpfile] "{waves.resolve()}"',
        f'[savefile] "{save.resolve()}"',  # with both, GTKWave finds the waveform when the folder has moved
        "[size] 1500 900",
        f"[timestart] {max(0, time - 2 * BEFORE)}",
        f"*{-math.log2(2 * PER_FRAME):.6f} {time}" + " -1" * MARKERS,
        COMMENT,
        f"-{_headline(cycle, what)}",
        *bits,
    ]
    for group, signals in GROUPS.items():
        lines += [OPEN, f"-{group}"]
        for name, width in signals:
            lines += [BINARY, name] if width == 1 else [HEX, f"{name}[{width - 1}:0]"]
        lines += [CLOSE, f"-{group}"]
    return "\n".join([*lines, "[pattern_trace] 1", "[pattern_trace] 0", ""])


def _surfer(waves: Path, cycle: int, what: str) -> str:
    lines = [f"load_file {waves.resolve()}", f"divider_add {_headline(cycle, what)}"]
    for group, signals in GROUPS.items():
        lines += [f"divider_add {group}", *(f"variable_add {name}" for name, _bits in signals)]
    lines += ["zoom_fit", f"cursor_set {marker_time(cycle)}", "goto_cursor", *(["zoom_in", "goto_cursor"] * ZOOM_STEPS)]
    return "\n".join([*lines, ""])
