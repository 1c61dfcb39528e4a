"""What comes from spec/ is up to date, consistent, and the loader refuses contradictions."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwif.fields import new_line
from hwif.gen import gru
from spec import load
from spec.generate import outputs

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", sorted(outputs()))
def test_committed_file_is_what_the_pages_say(name: str) -> None:
    assert (ROOT / name).read_text() == outputs()[name], "run `make gen` and commit"


@pytest.mark.parametrize("handle", load.load_gru().handles, ids=lambda handle: handle.name)
def test_fields_round_trip_without_touching_their_neighbours(handle: load.Handle) -> None:
    owner = getattr(gru, handle.name.capitalize())
    for spec_field in handle.fields:
        field = getattr(owner, {"global": "is_global"}.get(spec_field.name, spec_field.name))
        line = new_line()
        field.put(line, (1 << field.width) - 1)
        whole = sum(word << (64 * index) for index, word in enumerate(line))
        assert whole == ((1 << field.width) - 1) << field.lsb
        assert field.get(line) == (1 << field.width) - 1
        with pytest.raises(ValueError, match="does not fit"):
            field.put(line, 1 << field.width)


def test_page_size_code_follows_the_driver() -> None:
    """GRU_PAGESIZE of the Linux driver: code = ((shift > 20 ? shift + 2 : shift) >> 1) - 6."""
    for code, shift in load.load_gru().page_sizes:
        assert code == ((shift + 2 if shift > 20 else shift) >> 1) - 6


def test_overlapping_fields_are_refused() -> None:
    with pytest.raises(load.SpecError, match="overlaps"):
        load._handle("h", {"doc": "", "fields": {"a": [0, "3:0", ""], "b": [0, "5:3", ""]}})


def test_wide_enum_value_is_refused() -> None:
    with pytest.raises(load.SpecError, match="does not fit"):
        load._enum("e", {"width": 2, "A": 4})
