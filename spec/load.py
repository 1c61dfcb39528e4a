"""Read the specification pages and check them.

Promises: what it returns is internally consistent (no overlapping fields, no field past its handle, no enum value wider
than its enum, no name twice). Needs only the standard library. Raises `SpecError` with file, item and reason.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
LINE_BITS = 512


class SpecError(Exception):
    """A specification page contradicts itself."""


@dataclass(frozen=True)
class Field:
    """One field of a handle. `lsb` counts from bit 0 of double-word 0; `width` in bits."""

    name: str
    lsb: int
    width: int
    doc: str

    @property
    def dw(self) -> int:
        return self.lsb // 64


@dataclass(frozen=True)
class Handle:
    name: str
    doc: str
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Enum:
    name: str
    width: int
    values: dict[str, int]


@dataclass(frozen=True)
class Event:
    ident: int
    name: str
    layer: str
    args: tuple[str, ...]
    doc: str


@dataclass(frozen=True)
class Gru:
    constants: dict[str, tuple[int, int, str]]
    window: dict[str, tuple[int, str]]
    page_sizes: tuple[tuple[int, int], ...]
    handles: tuple[Handle, ...]
    enums: tuple[Enum, ...]
    bits: dict[str, dict[str, int]]
    mutants: dict[str, tuple[int, str]]
    tlb_mutants: int


@dataclass(frozen=True)
class Port:
    """Enums (name -> key -> (value, meaning)) and the layouts of the oracle's records (name -> (value, meaning)): of frames
    (`shadow`) and of an HCA's memory regions (`region`)."""

    enums: dict[str, dict[str, tuple[int, str]]]
    shadow: dict[str, tuple[int, str]]
    region: dict[str, tuple[int, str]]


def _page(name: str) -> dict[str, Any]:
    with (HERE / name).open("rb") as file:
        return tomllib.load(file)


def _handle(name: str, raw: dict[str, Any]) -> Handle:
    fields = []
    for field, (dw, span, doc) in raw["fields"].items():
        high, low = (int(part) for part in span.split(":"))
        if high < low:
            raise SpecError(f"{name}.{field}: bits {span} run backwards")
        fields.append(Field(field, dw * 64 + low, high - low + 1, doc))
    fields.sort(key=lambda item: item.lsb)
    end = 0
    for item in fields:
        if item.lsb < end:
            raise SpecError(f"{name}.{item.name}: overlaps the field below it")
        end = item.lsb + item.width
    if end > LINE_BITS:
        raise SpecError(f"{name}: runs past its 64-byte line")
    return Handle(name, raw["doc"], tuple(fields))


def _enum(name: str, raw: dict[str, Any]) -> Enum:
    width = raw["width"]
    values = {key: value for key, value in raw.items() if key != "width"}
    if len(set(values.values())) != len(values):
        raise SpecError(f"gru.toml: enum {name}: a value is given twice")
    for key, value in values.items():
        if value >= 1 << width:
            raise SpecError(f"gru.toml: enum {name}.{key}: {value} does not fit {width} bits")
    return Enum(name, width, values)


def load_gru() -> Gru:
    """The GRU chiplet (spec/gru.toml)."""
    raw = _page("gru.toml")
    return Gru(
        constants={key: (row[0], row[1], row[2]) for key, row in raw["constants"].items()},
        window={key: (row[0], row[1]) for key, row in raw["window"].items()},
        page_sizes=tuple((code, shift) for code, shift in raw["page_size"]["all"]),
        handles=tuple(_handle(name, row) for name, row in raw["handle"].items()),
        enums=tuple(_enum(name, row) for name, row in raw["enum"].items()),
        bits=raw["bits"],
        mutants={name: (row[0], row[1]) for name, row in raw["mutant"].items()},
        tlb_mutants=raw["mutants"]["tlb"],
    )


def load_port() -> Port:
    """The port and the oracle's records (spec/port.toml)."""
    raw = _page("port.toml")
    enums = {name: {key: (row[0], row[1]) for key, row in rows.items()} for name, rows in raw["enum"].items()}
    for name, rows in enums.items():
        if len({value for value, _doc in rows.values()}) != len(rows):
            raise SpecError(f"port.toml: enum {name}: a value is given twice")
    shadow = {name: (row[0], row[1]) for name, row in raw["shadow"].items()}
    rights = shadow["READ"][0] | shadow["WRITE"][0] | shadow["KERNEL"][0]
    if rights >> shadow["RIGHTS_BITS"][0] or not 0 < shadow["VPN_BITS"][0] < 64:
        raise SpecError("port.toml: shadow: a field does not fit its word")
    region = {name: (row[0], row[1]) for name, row in raw["region"].items()}
    return Port(enums, shadow, region)


def load_timing() -> dict[str, dict[str, tuple[int, str, str]]]:
    """Default costs (spec/timing.toml): section -> name -> (value, meaning, source)."""
    return {
        section: {name: (row[0], row[1], row[2]) for name, row in rows.items()} for section, rows in _page("timing.toml").items()
    }


def load_kinds() -> dict[str, dict[str, tuple[int, str]]]:
    """What the `kind` of an event means (spec/kinds.toml): enumeration -> name -> (value, words)."""
    return {name: {member: (row[0], row[1]) for member, row in rows.items()} for name, rows in _page("kinds.toml").items()}


def load_events() -> tuple[Event, ...]:
    """The trace catalogue (spec/events.toml). Identifiers follow the order of the page, from 1."""
    events: list[Event] = []
    for layer, rows in _page("events.toml").items():
        for name, (args, doc) in rows.items():
            events.append(Event(len(events) + 1, name, layer, tuple(args), doc))
    return tuple(events)


def load_rules() -> dict[str, str]:
    """The rules (spec/rules.toml): id -> words."""
    return {f"{family}-{number}": text for family, rules in _page("rules.toml").items() for number, text in rules.items()}
