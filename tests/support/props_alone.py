"""The assertions of rtl/props without the RTL they watch: one model of all their modules, whose inputs Python sets by name.

A bound module is a module with inputs, so values that no sound RTL would show can be put straight on them. A play is text: steps
with ";" between them, each a list of inputs with values,

    arvalid_i ar_i=5; 3* -; arvalid_i ar_i=6

A name alone is 1, what is not named is 0 (or its value in IDLE), "-" is a step with nothing, "3*" repeats a step. A name is any
assignable expression of SystemVerilog ("ctx.una.psn", "fault_q[3][5]"), a value a number or a constant expression of the module's
packages ("QP_STATE_RTS"). The top module is generated for the inputs that the plays name, so the compiler finds every field.

Promises: `Props.play` says which assertions failed, in a fresh model after reset.
Needs: as tb/block/stepped.py; port lists of one declaration a line.
Costs: one build of about a minute; then milliseconds a play.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tb.block.stepped import Block, Library
from tb.plan.assertions import assertions
from tb.toolchain import ROOT

__all__ = ["Props", "labels"]

FOLDER = ROOT / "rtl/props"
PACKAGES = [
    *(ROOT / "rtl/pkg" / f"{name}.sv" for name in ("gru_pkg", "gru_int_pkg", "gru_eng_pkg")),
    ROOT / "rtl/hca/gen/hca_pkg.sv",
    *(ROOT / "rtl/hca" / f"hca_{name}_pkg.sv" for name in ("int", "xlt", "qp", "tx")),
]
# Smaller than the RTL's where that is quicker to build or to fill, wider where payload must differ.
PARAMETERS = {
    "axi_props": {"AxW": 8, "WW": 8},
    "gru_tlb_props": {"Entries": 64, "LogDepth": 16},
    "hca_qp_fifo_props": {"Depth": 4},
    "hca_qp_queue_props": {"Depth": 4},
    "hca_stable_props": {"Width": 8},
    "hca_xlt_cache_props": {"Entries": 64},
}
# What rests at another value than 0.
IDLE = {
    "gru_tlb_props": {"lkp_ready_o": "1"},
    "hca_fault_props": {"enable_i": "1", "fq_size_i": "4"},
    "hca_port_props": {"enable": "1"},
    "hca_xlt_props": {"enable_i": "1", "req_ready_o": "3"},
    **{
        f"hca_{name}_props": {"enable_i": "1"}
        for name in ("cmd", "cq", "qp", "qp_send", "qp_recv", "rx", "stable", "tx", "xlt_cache")
    },
}
SIZES = ("WIDTHEXPAND", "WIDTHTRUNC", "ENUMVALUE")  # the inputs of a play are all 64 bits wide
ALLOW = (*SIZES, "UNUSEDPARAM", "UNDRIVEN", "DECLFILENAME", "BLKSEQ", "UNUSEDLOOP", "SYNCASYNCNET")
HEADER = re.compile(r"^module (\w+)\b(.*?)\n\);", re.MULTILINE | re.DOTALL)


def labels() -> dict[str, set[str]]:
    """Labels of the assertions, and the files of rtl/props that have them. What has no label stands under ""."""
    found: dict[str, set[str]] = {}
    for one in assertions(FOLDER):
        if one.kind == "assert":
            found.setdefault(one.label, set()).add(Path(one.file).stem)
    return found


def _steps(play: str) -> list[dict[str, str]]:
    steps = []
    for text in play.split(";"):
        words = text.split()
        times = int(words.pop(0)[:-1]) if re.fullmatch(r"\d+\*", words[0]) else 1
        pairs = (word.partition("=") for word in words if word != "-")
        steps += [{name: value or "1" for name, _, value in pairs}] * times
    return steps


def _number(value: str) -> int | None:
    """What a literal says; "~0" is all ones. None: it is a constant's name."""
    if value == "~0":
        return (1 << 64) - 1
    return int(value, 0) if value[0].isdigit() else None


@dataclass(frozen=True)
class _Module:
    """A module of rtl/props: its imports, parameters and inputs, as they stand in its header."""

    name: str
    imports: str
    parameters: tuple[tuple[str, str], ...]
    inputs: tuple[tuple[str, str, str], ...]  # type, name, unpacked dimensions
    outputs: tuple[tuple[str, str, str], ...]

    @classmethod
    def of(cls, name: str, header: str) -> _Module:
        plain = re.sub(r"//.*", "", header)
        imports = " ".join(re.findall(r"import \w+::\*;", plain))
        parameters = re.findall(r"\b(?:parameter|localparam)\s+([\w ]+?)\s*=\s*([^,\n]+?),?\s*\n", plain)
        ports = re.findall(r"\b(input|output)\s+(\w+\s*(?:\[[^\n]*?\]\s*)*)(\w+)\s*((?:\[[^\n]*?\])?),?\s*(?:\n|$)", plain)
        inputs = tuple(port[1:] for port in ports if port[0] == "input" and port[2] not in ("clk_i", "rst_ni"))
        return cls(name, imports, tuple(parameters), inputs, tuple(port[1:] for port in ports if port[0] == "output"))

    def wrapper(self, named: Mapping[str, str], constants: Mapping[str, str]) -> str:
        """It alone, an input for each name and an output for each constant."""
        chosen = PARAMETERS.get(self.name, {})
        plain, zeros = "'0", "'{default: '0}"
        ports = ["input logic clk_i", "input logic rst_ni", *(f"input logic [63:0] {port}" for port in named.values())]
        ports += [f"output logic [63:0] {port}" for port in constants.values()]
        own = [f"  localparam {kind} = {chosen.get(kind.split()[-1], value)};" for kind, value in self.parameters]
        own += [f"  {kind} {name} {dimensions};" for kind, name, dimensions in (*self.inputs, *self.outputs)]
        zero = [f"    {name} = {zeros if more else plain};" for _, name, more in self.inputs]
        given = [f"    {name} = {port};" for name, port in sorted(named.items())]
        shown = [f"  assign {port} = 64'({constant});" for constant, port in constants.items()]
        override = ", ".join(f".{name}({name})" for name in chosen)
        lines = [f"module {self.name}_alone {self.imports} (", "  " + ",\n  ".join(ports), ");", *own, "  always_comb begin", *zero]
        lines += [*given, "  end", *shown, f"  {self.name} #({override}) u_props (.*);", "endmodule", ""]
        return "\n".join(lines)


class Props:
    """Everything `plays` can name: module of rtl/props -> the plays for it."""

    def __init__(self, plays: Mapping[str, Iterable[str]]) -> None:
        modules = [_Module.of(*found) for path in sorted(FOLDER.glob("*.sv")) for found in HEADER.findall(path.read_text())]
        self._inputs: dict[str, dict[str, str]] = {}
        self._constants: dict[str, dict[str, str]] = {}
        for number, module in enumerate(modules):
            steps = [step for play in plays.get(module.name, ()) for step in [*_steps(play), IDLE.get(module.name, {})]]
            names = sorted({name for step in steps for name in step})
            values = sorted({value for step in steps for value in step.values() if _number(value) is None})
            self._inputs[module.name] = {name: f"m{number}p{index}_i" for index, name in enumerate(names)}
            self._constants[module.name] = {value: f"m{number}c{index}_o" for index, value in enumerate(values)}
        unknown = set(plays) - {module.name for module in modules}
        if unknown:
            raise ValueError(f"no module {min(unknown)} in rtl/props")
        self._library = self._made(modules)

    def _made(self, modules: list[_Module]) -> Library:
        named = [port for module in modules for port in self._inputs[module.name].values()]
        shown = [port for module in modules for port in self._constants[module.name].values()]
        ports = ["input logic clk_i", "input logic rst_ni", "input logic [63:0] mutant_i"]
        ports += [*(f"input logic [63:0] {port}" for port in named), *(f"output logic [63:0] {port}" for port in shown)]
        top = "module props_alone_tb (\n  " + ",\n  ".join(ports) + "\n);\n"
        top += "".join(f"  {module.name}_alone u_{module.name} (.*);\n" for module in modules) + "endmodule\n"
        texts = {"props_alone_tb.sv": top}
        for module in modules:
            texts["props_alone_tb.sv"] += module.wrapper(self._inputs[module.name], self._constants[module.name])
        for path in sorted(FOLDER.glob("*.sv")):  # without what binds them, line by line as they were
            texts[path.name] = re.sub(
                r"^bind .*?;$", lambda found: "\n" * found[0].count("\n"), path.read_text(), flags=re.M | re.S
            )
        macro = {"INPUTS": ["mutant_i", *named], "OUTPUTS": shown}
        cpp = '#include "Vprops_alone_tb.h"\n#define TOP Vprops_alone_tb\n'
        cpp += "".join(f"#define {name}(X) {' '.join(f'X({port[:-2]})' for port in found)}\n" for name, found in macro.items())
        texts["props_alone_lib.cpp"] = cpp + '#include "stepped.h"\n'
        folder = ROOT / "build/props_alone/from" / hashlib.sha256("".join(texts.values()).encode()).hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            path = folder / name
            if not path.exists() or path.read_text() != text:
                path.write_text(text)
        props = [folder / path.name for path in sorted(FOLDER.glob("*.sv"))]
        sources = [*PACKAGES, *props, folder / "props_alone_tb.sv"]
        return Library("props_alone", "props_alone_tb", sources, props, folder / "props_alone_lib.cpp", ALLOW)

    def play(self, module: str, play: str) -> set[str]:
        """Labels that failed. The other modules rest."""
        block = Block(self._library, 0, 1)
        try:
            known = vars(block.step())
            for step in [{}, *_steps(play)]:
                pins: dict[str, int] = {}
                for other, ports in self._inputs.items():
                    for name, text in {**IDLE.get(other, {}), **(step if other == module else {})}.items():
                        value = _number(text)
                        pins[ports[name][:-2]] = known[self._constants[other][text][:-2]] if value is None else value
                block.step(**pins)
            return set(block.failed)
        finally:
            block.close()
