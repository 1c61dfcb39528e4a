"""Write what follows from the HCA's page and register block: the SystemVerilog packages, the register block's RTL and the Python
definitions. Called by spec.generate.

Promises: byte-deterministic. Needs systemrdl-compiler, peakrdl-regblock and peakrdl-pyuvm, which generate the register
block and its model for UVM.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from spec.load import LINE_BITS, Field, Handle
from spec.load_hca import RDL, Hca, Register, load_hca, load_registers

BANNER = "Generated from spec/ by `make gen`. Do not edit."


def outputs_hca() -> dict[str, str]:
    """Path below the project's root -> contents."""
    hca = load_hca()
    registers, span = load_registers()
    return {
        "rtl/hca/gen/hca_pkg.sv": _sv_package(hca, registers, span),
        "hwif/gen/hca.py": _py_hca(hca, registers, span),
        "tb/hil/gen/hca.h": _c_header(hca, span),
        **_regblock(),
        "tb/uvm/gen/hca_ral.py": _register_model(),
    }


def _c_header(hca: Hca, span: int) -> str:
    """What the harness must know of the device."""
    value, doc = hca.constants["NODE_IRQS"]
    out = [f"/* {BANNER} */", "#pragma once", "", "enum hil_hca {"]
    out += [f"  HIL_HCA_CSR_BYTES = {span}, /* bytes of a node's register block */", f"  HIL_HCA_NODE_IRQS = {value}, /* {doc} */"]
    for name in ("need", "pkt_op"):
        (enum,) = (enum for enum in hca.enums if enum.name == name)
        out += ["};", "", f"enum hil_hca_{name} {{"]
        out += [f"  HIL_{name.upper()}_{key} = {value}," for key, value in enum.values.items()]
    return "\n".join([*out, "};"]) + "\n"


def _register_model() -> str:
    """The register block as pyuvm's register layer wants it, by PeakRDL-pyuvm."""
    from peakrdl_pyuvm.exporter import PyUVMExporter  # noqa: PLC0415 - only whoever generates needs it
    from systemrdl.compiler import RDLCompiler  # noqa: PLC0415

    compiler = RDLCompiler()
    compiler.compile_file(str(RDL))
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "hca_ral.py"
        PyUVMExporter().export(compiler.elaborate(), str(path))
        lines = [line.rstrip() for line in path.read_text().splitlines()]
    return f'"""The HCA\'s register model. {BANNER}"""\n\n# mypy: ignore-errors\n' + "\n".join(lines).rstrip() + "\n"


def _regblock() -> dict[str, str]:
    """The register block's RTL, by PeakRDL."""
    from peakrdl_regblock import RegblockExporter  # noqa: PLC0415 - only whoever generates needs it
    from peakrdl_regblock.cpuif.axi4lite import AXI4Lite_Cpuif_flattened  # noqa: PLC0415
    from peakrdl_regblock.udps import ALL_UDPS  # noqa: PLC0415
    from systemrdl.compiler import RDLCompiler  # noqa: PLC0415

    compiler = RDLCompiler()
    for udp in ALL_UDPS:
        compiler.register_udp(udp)
    compiler.compile_file(str(RDL))
    with tempfile.TemporaryDirectory() as name:
        RegblockExporter().export(
            compiler.elaborate(),
            name,
            cpuif_cls=AXI4Lite_Cpuif_flattened,
            default_reset_activelow=True,
            default_reset_async=True,
            err_if_bad_addr=True,
            reuse_hwif_typedefs=False,
        )
        return {f"rtl/hca/gen/{path.name}": path.read_text() for path in sorted(Path(name).glob("*.sv"))}


def _sv_fields(struct: Handle) -> list[str]:
    lines = [f"  // {struct.doc}.", "  typedef struct packed {"]
    position, filler = LINE_BITS, 0
    for field in reversed(struct.fields):
        gap = position - (field.lsb + field.width)
        if gap:
            lines.append(f"    logic [{gap - 1}:0] rsvd{filler};")
            filler += 1
        lines.append(f"    logic [{field.width - 1}:0] {field.name};  // {field.doc}")
        position = field.lsb
    if position:
        lines.append(f"    logic [{position - 1}:0] rsvd{filler};")
    lines += [f"  }} hca_{struct.name}_t;", ""]
    return lines


def _sv_package(hca: Hca, registers: tuple[Register, ...], span: int) -> str:
    out = [f"// {BANNER}", "", "package hca_pkg;", ""]
    for name, (value, doc) in hca.constants.items():
        out.append(f"  localparam int unsigned {name} = {value};  // {doc}")
    out.append("")
    for name, (value, doc) in hca.irqs.items():
        out.append(f"  localparam int unsigned IRQ_{name} = {value};  // {doc}")
    out += ["", f"  localparam int unsigned CSR_BYTES = {span};", "  // Byte offsets in the register block."]
    for reg in registers:
        out.append(f"  localparam int unsigned CSR_{reg.name} = 'h{reg.offset:03x};  // {reg.doc}")
    out.append("")
    for enum in hca.enums:
        prefix = enum.name.upper()
        out.append(f"  typedef enum logic [{enum.width - 1}:0] {{")
        out.append(",\n".join(f"    {prefix}_{key} = {enum.width}'d{value}" for key, value in enum.values.items()))
        out += [f"  }} {enum.name}_e;", ""]
    for name, (value, doc) in hca.counters.items():
        out.append(f"  localparam int unsigned COUNT_{name} = {value};  // {doc}")
    out += ["", "  // Broken variants (mutant_i), for the tests of the checks."]
    for name, (value, doc) in hca.mutants.items():
        out.append(f"  localparam logic [7:0] HMUT_{name} = 8'd{value};  // {doc}")
    out.append("")
    for struct in hca.structs:
        out += _sv_fields(struct)
    out.append("  // Translation table entry.")
    for field in hca.mtt:
        out.append(f"  localparam int unsigned MTT_{field.name.upper()}_LSB = {field.lsb};  // {field.doc}")
        out.append(f"  localparam int unsigned MTT_{field.name.upper()}_WIDTH = {field.width};")
    out += ["", "endpackage"]
    return "\n".join(out) + "\n"


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _py_field(field: Field) -> str:
    return f'    {field.name}: Final = Field("{field.name}", {field.lsb}, {field.width})  # {field.doc}'


def _py_hca(hca: Hca, registers: tuple[Register, ...], span: int) -> str:
    out = [f'"""HCA definitions: structures, enums, registers, counters. {BANNER}"""', ""]
    out += ["from enum import IntEnum", "from typing import Final", "", "from hwif.fields import Field", ""]
    for name, (value, doc) in hca.constants.items():
        out.append(f"{name}: Final = {value}  # {doc}")
    for enum in hca.enums:
        out += ["", "", f"class {_camel(enum.name)}(IntEnum):"]
        out += [f"    {key} = {value}" for key, value in enum.values.items()]
    for title, table, doc in (
        ("IrqLine", hca.irqs, "Interrupt lines of a node."),
        ("Counter", hca.counters, "COUNTER[n] of the register block."),
        ("HcaMutant", hca.mutants, "Broken variants of the RTL, for the tests of the checks."),
    ):
        out += ["", "", f"class {title}(IntEnum):", f'    """{doc}"""', ""]
        out += [f"    {key} = {value}  # {text}" for key, (value, text) in table.items()]
    out += ["", "", "HCA_MUTANT_TEXT: Final[dict[HcaMutant, str]] = {"]
    out += [f'    HcaMutant.{key}: "{text}",' for key, (_value, text) in hca.mutants.items()]
    out += ["}"]
    for struct in hca.structs:
        out += ["", "", f"class {_camel(struct.name)}:", f'    """{struct.doc}."""', ""]
        out += [
            f'    {field.name}: Final = Field("{field.name}", {field.lsb}, {field.width})  # {field.doc}' for field in struct.fields
        ]
    out += ["", "", "class Mtt:", '    """Translation table entry, 8 bytes."""', ""]
    out += map(_py_field, hca.mtt)
    out += ["", "", f"CSR_BYTES: Final = {span}  # bytes of the register block"]
    for reg in registers:
        out += ["", "", f"class {_camel(reg.name.lower())}Reg:", f'    """{reg.doc}."""', ""]
        out.append(f"    offset: Final = 0x{reg.offset:03x}")
        if reg.copies > 1:
            out.append(f"    copies: Final = {reg.copies}  # 8 bytes apart")
        out += [
            f'    {field.name}: Final = Field("{field.name}", {field.lsb}, {field.width})  # {field.doc}' for field in reg.fields
        ]
    return "\n".join(out).rstrip("\n") + "\n"
