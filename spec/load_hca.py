"""Read the HCA's page (spec/hca.toml) and its register block (spec/hca.rdl), and check them.

Promises: as spec.load. Registers come from the SystemRDL compiler, so what they are is decided in one place. Needs
systemrdl-compiler for `load_registers`.
"""

from __future__ import annotations

from dataclasses import dataclass

from spec.load import HERE, Enum, Field, Handle, SpecError, _enum, _handle, _page

RDL = HERE / "hca.rdl"


@dataclass(frozen=True)
class Hca:
    """Everything of spec/hca.toml."""

    constants: dict[str, tuple[int, str]]
    irqs: dict[str, tuple[int, str]]
    structs: tuple[Handle, ...]
    mtt: tuple[Field, ...]
    enums: tuple[Enum, ...]
    counters: dict[str, tuple[int, str]]
    mutants: dict[str, tuple[int, str]]


@dataclass(frozen=True)
class Register:
    """A register: byte offset, number of copies 8 bytes apart, fields."""

    name: str
    offset: int
    copies: int
    doc: str
    fields: tuple[Field, ...]


def load_hca() -> Hca:
    """The HCA's structures (spec/hca.toml)."""
    raw = _page("hca.toml")
    for table in ("counter", "mutant", "irq"):
        values = [row[0] for row in raw[table].values()]
        if len(set(values)) != len(values):
            raise SpecError(f"hca.toml: {table}: a number is given twice")
    mtt = []
    for name, (span, doc) in raw["mtt"].items():
        high, low = (int(part) for part in span.split(":"))
        mtt.append(Field(name, low, high - low + 1, doc))
    return Hca(
        constants={key: (row[0], row[1]) for key, row in raw["constants"].items()},
        irqs={key: (row[0], row[1]) for key, row in raw["irq"].items()},
        structs=tuple(_handle(name, row) for name, row in raw["struct"].items()),
        mtt=tuple(mtt),
        enums=tuple(_enum(name, row) for name, row in raw["enum"].items()),
        counters={key: (row[0], row[1]) for key, row in raw["counter"].items()},
        mutants={key: (row[0], row[1]) for key, row in raw["mutant"].items()},
    )


def load_registers() -> tuple[tuple[Register, ...], int]:
    """The register block (spec/hca.rdl), and the bytes it spans."""
    from systemrdl.compiler import RDLCompiler  # noqa: PLC0415 - only whoever generates needs it
    from systemrdl.node import AddrmapNode, RegNode  # noqa: PLC0415

    compiler = RDLCompiler()
    compiler.compile_file(str(RDL))
    top = compiler.elaborate().top
    assert isinstance(top, AddrmapNode)
    found = []
    for node in top.children(unroll=False):
        if not isinstance(node, RegNode):
            continue
        copies = node.array_dimensions[0] if node.is_array and node.array_dimensions else 1
        fields = tuple(Field(f.inst_name, f.lsb, f.width, str(f.get_property("desc") or "")) for f in node.fields())
        found.append(Register(node.inst_name, node.raw_address_offset, copies, str(node.get_property("desc") or ""), fields))
    return tuple(found), 1 << (top.size - 1).bit_length()
