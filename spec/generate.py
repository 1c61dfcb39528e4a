"""Write the SystemVerilog package, the Python definitions and the C header from the specification pages.

Usage: `python -m spec.generate [--check]`. With --check nothing is written; exit status 1 and one line per file when a
committed file differs from what the pages say. Output is byte-deterministic.
"""

from __future__ import annotations

import sys
from pathlib import Path

from spec.generate_hca import outputs_hca
from spec.generate_ral import outputs_ral
from spec.load import LINE_BITS, Event, Gru, Handle, Port, load_events, load_gru, load_kinds, load_port, load_rules, load_timing

ROOT = Path(__file__).resolve().parent.parent
BANNER = "Generated from spec/ by `make gen`. Do not edit."


def _sv_struct(handle: Handle) -> list[str]:
    lines = [f"  // {handle.doc}.", "  typedef struct packed {"]
    position = LINE_BITS
    filler = 0
    for field in reversed(handle.fields):
        gap = position - (field.lsb + field.width)
        if gap:
            lines.append(f"    logic [{gap - 1}:0] rsvd{filler};")
            filler += 1
        lines.append(f"    logic [{field.width - 1}:0] {_sv_name(field.name)};  // {field.doc}")
        position = field.lsb
    if position:
        lines.append(f"    logic [{position - 1}:0] rsvd{filler};")
    lines += [f"  }} {handle.name}_t;", ""]
    for field in handle.fields:
        stem = f"{handle.name}_{field.name}".upper()
        lines.append(f"  localparam int unsigned {stem}_LSB = {field.lsb};")
        lines.append(f"  localparam int unsigned {stem}_WIDTH = {field.width};")
    lines.append("")
    return lines


# Field names that are keywords of the target language get another one there, and only there.
SV_NAMES = {"global": "is_global", "tri0": "tri0_off"}
PY_NAMES = {"global": "is_global"}


def _sv_name(name: str) -> str:
    return SV_NAMES.get(name, name)


def sv_package(gru: Gru) -> str:
    out = [f"// {BANNER}", "", "package gru_pkg;", ""]
    for name, (value, width, doc) in gru.constants.items():
        out.append(f"  localparam int unsigned {name} = {width}'d{value};  // {doc}")
    out.append("")
    out.append("  // Byte offsets in the chiplet window.")
    for name, (value, doc) in gru.window.items():
        out.append(f"  localparam logic [27:0] {name} = 28'h{value:07x};  // {doc}")
    out.append("")
    shifts = {code: shift for code, shift in gru.page_sizes}
    out.append(f"  localparam int unsigned NUM_PAGE_SIZES = {len(shifts)};")
    out.append("")
    out.append("  // Address bits below the page number, by page size code. Codes past the last are the last.")
    out.append("  function automatic logic [5:0] page_shift(input logic [4:0] code);")
    out.append("    unique case (code)")
    last = max(shifts)
    for code, shift in sorted(shifts.items()):
        if code != last:
            out.append(f"      5'd{code}: page_shift = 6'd{shift};")
    out.append(f"      default: page_shift = 6'd{shifts[last]};")
    out.append("    endcase")
    out.append("  endfunction")
    out.append("")
    for enum in gru.enums:
        span = f"[{enum.width - 1}:0] " if enum.width > 1 else ""
        out.append(f"  typedef enum logic {span}{{")
        rows = [f"    {enum.name.upper()}_{key} = {enum.width}'d{value}" for key, value in enum.values.items()]
        out.append(",\n".join(rows))
        out.append(f"  }} {enum.name}_e;")
        out.append("")
    for name, bits in gru.bits.items():
        for key, value in bits.items():
            out.append(f"  localparam int unsigned {name.upper()}_{key} = {value};")
        out.append("")
    out.append("  // Broken variants (mutant_i), for the tests of the checks.")
    for name, (value, doc) in gru.mutants.items():
        out.append(f"  localparam logic [7:0] MUT_{name} = 8'd{value};  // {doc}")
    out.append("")
    for handle in gru.handles:
        out += _sv_struct(handle)
    out.append("endpackage")
    return "\n".join(out) + "\n"


def sv_trace_package(events: tuple[Event, ...], port: Port) -> str:
    out = [f"// {BANNER}", "", "package trace_pkg;", ""]
    for event in events:
        out.append(f"  localparam int unsigned {event.name.upper()} = 32'd{event.ident};  // {event.doc}")
    out += ["", "  // Kinds of lines the device tells of (hwif.port.LineKind)."]
    for key, (value, doc) in port.enums["line_kind"].items():
        out.append(f"  localparam int SNOOP_{key} = {value};  // {doc}")
    out += ["", "endpackage"]
    return "\n".join(out) + "\n"


def c_trace_header(events: tuple[Event, ...]) -> str:
    out = [f"/* {BANNER} */", "#pragma once", "", "enum trace_event {"]
    out += [f"  {event.name.upper()} = {event.ident}," for event in events]
    out += ["};"]
    return "\n".join(out) + "\n"


def c_port_header(port: Port, gru: Gru) -> str:
    out = [f"/* {BANNER} */", "#pragma once", ""]
    for name, rows in port.enums.items():
        prefix = "HIL_SNOOP_" if name == "line_kind" else "HIL_REASON_" if name == "violation_reason" else "HIL_"
        out.append(f"enum hil_{name} {{")
        out += [f"  {prefix}{key} = {value}, /* {doc} */" for key, (value, doc) in rows.items()]
        out += ["};", ""]
    out.append("enum hil_shadow {")
    out += [f"  HIL_SHADOW_{name} = {value}, /* {doc} */" for name, (value, doc) in port.shadow.items()]
    out += ["};", "", "enum hil_region {"]
    out += [f"  HIL_REGION_{name} = {value}, /* {doc} */" for name, (value, doc) in port.region.items()]
    out += ["};", "", "enum hil_geometry {"]
    out += [f"  HIL_{name} = {gru.constants[name][0]}, /* {gru.constants[name][2]} */" for name in ("PAGE_SHIFT", "LINE_BYTES")]
    out.append(f"  HIL_WINDOW_BYTES = {gru.window['GRU_SIZE'][0]}, /* {gru.window['GRU_SIZE'][1]} */")
    out.append("};")
    return "\n".join(out) + "\n"


def py_port(port: Port) -> str:
    out = [f'"""What crosses the port, and the records of the oracle. {BANNER}"""', ""]
    out += ["from enum import IntEnum", "from typing import Final", ""]
    for name, rows in port.enums.items():
        out += ["", f"class {_camel(name)}(IntEnum):"]
        out += [f"    {key} = {value}  # {doc}" for key, (value, doc) in rows.items()]
        out.append("")
    out.append("")
    out += [f"SHADOW_{name}: Final = {value}  # {doc}" for name, (value, doc) in port.shadow.items()]
    out += [f"REGION_{name}: Final = {value}  # {doc}" for name, (value, doc) in port.region.items()]
    return "\n".join(out) + "\n"


def py_gru(gru: Gru) -> str:
    out = [f'"""GRU chiplet definitions. {BANNER}"""', "", "from enum import IntEnum", "from typing import Final", ""]
    out += ["from hwif.fields import Field", ""]
    for name, (value, _width, doc) in gru.constants.items():
        out.append(f"{name}: Final = {value}  # {doc}")
    out.append("")
    for name, (address, doc) in gru.window.items():
        out.append(f"{name}: Final = 0x{address:x}  # {doc}")
    out.append("")
    pairs = ", ".join(f"{code}: {shift}" for code, shift in gru.page_sizes)
    out.append("# Page size code -> page shift.")
    out.append(f"PAGE_SHIFTS: Final[dict[int, int]] = {{{pairs}}}")
    out.append("")
    for enum in gru.enums:
        out += ["", f"class {_camel(enum.name)}(IntEnum):"]
        out += [f"    {key} = {value}" for key, value in enum.values.items()]
        out.append("")
    for name, bits in gru.bits.items():
        out += ["", f"class {_camel(name)}(IntEnum):", '    """Bit numbers."""', ""]
        out += [f"    {key} = {value}" for key, value in bits.items()]
        out.append("")
    out += ["", "class RtlMutant(IntEnum):", '    """Broken variants of the RTL, for the tests of the checks."""', ""]
    out += [f"    {name} = {value}" for name, (value, _doc) in gru.mutants.items()]
    out += ["", "", f"LAST_TLB_MUTANT: Final = {gru.tlb_mutants}  # mutants up to here break the TLB, the others the chip round it"]
    out += ["", "RTL_MUTANT_TEXT: Final[dict[RtlMutant, str]] = {"]
    out += [f'    RtlMutant.{name}: "{doc}",' for name, (_value, doc) in gru.mutants.items()]
    out += ["}", ""]
    for handle in gru.handles:
        out += ["", f"class {handle.name.capitalize()}:", f'    """{handle.doc}."""', ""]
        for field in handle.fields:
            py_name = PY_NAMES.get(field.name, field.name)
            out.append(f'    {py_name}: Final = Field("{field.name}", {field.lsb}, {field.width})  # {field.doc}')
        out.append("")
    return "\n".join(out).rstrip("\n") + "\n"


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def py_timing() -> str:
    out = [f'"""Default costs in device cycles. {BANNER}"""', "", "from typing import Final", ""]
    for section, rows in load_timing().items():
        out.append(f"# {section}")
        for name, (value, doc, source) in rows.items():
            out.append(f"{name}: Final = {value}")
            out.append(f'"""{doc} ({source})."""')
        out.append("")
    return "\n".join(out).rstrip("\n") + "\n"


def py_events(events: tuple[Event, ...], kinds: dict[str, dict[str, tuple[int, str]]]) -> str:
    out = [f'"""The trace catalogue. {BANNER}"""', "", "from enum import IntEnum", "from typing import Final", ""]
    out += ["", "class TraceEvent(IntEnum):"]
    for event in events:
        out.append(f"    {event.name.upper()} = {event.ident}  # {event.doc}")
    out += [
        "",
        "",
        "# Event -> (layer, argument names).",
        "CATALOGUE: Final[dict[TraceEvent, tuple[str, tuple[str, ...]]]] = {",
    ]
    for event in events:
        args = "".join(f'"{arg}", ' for arg in event.args)
        out.append(f'    TraceEvent.{event.name.upper()}: ("{event.layer}", ({args.rstrip()})),')
    out += ["}"]
    for name, members in kinds.items():
        out += ["", "", f"class {name}(IntEnum):"]
        out += [f"    {member} = {value}" for member, (value, _words) in members.items()]
        out += ["", "    @property", "    def words(self) -> str:", '        """For a reader."""']
        out += [f"        return _{name.upper()}_WORDS[self]", "", ""]
        words = "".join(f"    {name}.{member}: {text!r},\n".replace("'", '"') for member, (_value, text) in members.items())
        out += [f"_{name.upper()}_WORDS: Final = {{", words.rstrip("\n"), "}"]
    return "\n".join(out) + "\n"


def py_rules(rules: dict[str, str]) -> str:
    out = [f'"""The rules by their ids. {BANNER}"""', "", "from typing import Final", "", "RULES: Final = {"]
    return "\n".join([*out, *(f'    "{name}": "{text}",' for name, text in rules.items()), "}"]) + "\n"


def outputs() -> dict[str, str]:
    """Path below the project's root -> contents."""
    gru, events, port = load_gru(), load_events(), load_port()
    return {
        "rtl/pkg/gru_pkg.sv": sv_package(gru),
        "rtl/pkg/trace_pkg.sv": sv_trace_package(events, port),
        "tb/hil/gen/trace_events.h": c_trace_header(events),
        "tb/hil/gen/port.h": c_port_header(port, gru),
        "hwif/gen/port.py": py_port(port),
        "hwif/gen/gru.py": py_gru(gru),
        "hwif/gen/rules.py": py_rules(load_rules()),
        "hwif/gen/timing.py": py_timing(),
        "hwif/gen/events.py": py_events(events, load_kinds()),
        **outputs_hca(),
        **outputs_ral(gru),
    }


def main(arguments: list[str]) -> int:
    check = "--check" in arguments
    stale = 0
    for name, text in outputs().items():
        path = ROOT / name
        if path.exists() and path.read_text() == text:
            continue
        if check:
            print(f"{name}: differs from spec/; run `make gen` and commit the result")
            stale += 1
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"wrote {name}")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
