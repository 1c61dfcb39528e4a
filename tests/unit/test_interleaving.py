"""The table of a failure: columns, wrapping, width; and which events it is made of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.stories import FAULT, PAGE, SHOOTDOWN, Row, blocks

from hwif.gen.events import TraceEvent as T
from hwif.port import Violation, ViolationReason
from shootdown.explain import EventRing, explain, explain_data, recent
from shootdown.interleaving import MIN_WIDTH, render
from shootdown.result import ChainRow, Column, ViolationReport
from shootdown.timeline.sentences import SENTENCES, sentence

RACE = [
    ChainRow(1_100, Column.CPU0, "munmap 0x10000 +4 pages"),
    ChainRow(1_130, Column.CPU0, "shootdown on TGH 5: 4 pages from 0x10000 of asid 8"),
    ChainRow(1_140, Column.CPU1, "drop-in for CB 7: 0x11000 is frame 99, writable"),
    ChainRow(1_190, Column.DEVICE, "TGH 5 accepts 4 pages from 0x10000 of asid 8"),
    ChainRow(12_262, Column.DEVICE, "CB 7: write of 0x11000, frame 99: REVOKED"),
]
CELL = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="|"), min_size=1, max_size=60)
TEXT = st.lists(CELL, min_size=1, max_size=8).map(" ".join)


def test_the_table_reads_as_a_race_is_drawn() -> None:
    assert render(RACE, 100) == [
        " cycle | CPU 0                         | CPU 1                        | device",
        "-------+-------------------------------+------------------------------+-----------------------------",
        " 1,100 | munmap 0x10000 +4 pages       |                              |",
        " 1,130 | shootdown on TGH 5: 4 pages   |                              |",
        "       |   from 0x10000 of asid 8      |                              |",
        " 1,140 |                               | drop-in for CB 7: 0x11000 is |",
        "       |                               |   frame 99, writable         |",
        " 1,190 |                               |                              | TGH 5 accepts 4 pages from",
        "       |                               |                              |   0x10000 of asid 8",
        "12,262 |                               |                              | CB 7: write of 0x11000,",
        "       |                               |                              |   frame 99: REVOKED",
    ]


def test_a_column_without_events_leaves_its_room_to_the_others() -> None:
    lines = render([row for row in RACE if row.column != Column.CPU1], 120)
    assert "| CPU 1 |" in lines[0]
    assert any(line.endswith("shootdown on TGH 5: 4 pages from 0x10000 of asid 8 |       |") for line in lines)


def test_no_rows_no_table() -> None:
    assert render([], 100) == []


@given(
    st.lists(st.builds(ChainRow, st.integers(0, 10**9), st.sampled_from(Column), TEXT), min_size=1, max_size=12),
    st.integers(20, 200),
)
def test_no_line_is_too_wide_and_no_letter_is_lost(rows: list[ChainRow], width: int) -> None:
    lines = render(rows, width)
    assert max(map(len, lines)) <= max(width, MIN_WIDTH)
    bars = [at for at, letter in enumerate(lines[1]) if letter == "+"]
    cells = ["", "", "", ""]
    for line in lines[2:]:
        padded = line.ljust(bars[-1] + 1)
        assert all(padded[at] == "|" for at in bars)
        parts = [padded[start + 1 : end] for start, end in zip([-1, *bars], [*bars, len(padded)], strict=True)]
        cells = [cell + part for cell, part in zip(cells, parts, strict=True)]
    for column in Column:
        written = "".join(row.text for row in rows if row.column == column)
        assert "".join(cells[1 + column].split()) == "".join(written.split())


# ---- the events ----------------------------------------------------------------------------------------------------------


def records(rows: list[Row]) -> list[list[int]]:
    ring = EventRing()
    for block in blocks(sorted(rows, key=lambda row: row[0])):
        ring(block)
    return ring.records()


def violation(cycle: int, va: int, cbr: int = 7) -> Violation:
    return Violation(cycle, ViolationReason.REVOKED, True, True, 0, cbr, 8, 1, va, 99 * PAGE)


def test_the_chain_of_a_violation_is_what_touched_the_page() -> None:
    chain = explain(records([*SHOOTDOWN, *FAULT]), violation(2_500, 17 * PAGE))
    assert [(row.cycle, row.column, row.text) for row in chain] == [
        (100, Column.CPU0, "munmap 0x10000 +4 pages"),
        (110, Column.CPU0, "invalidate_range_begin 0x10000 +4 pages"),
        (130, Column.CPU0, "shootdown on TGH 5: 4 pages from 0x10000 of asid 8"),
        (190, Column.DEVICE, "TGH 5 accepts 4 pages from 0x10000 of asid 8"),
        (196, Column.DEVICE, "TLB entry 0x11000 of asid 8 gone, 4 KiB"),
        (260, Column.DEVICE, "TGH 5 done: drained"),
        (330, Column.CPU0, "status of TGH 5 seen"),
        (330, Column.CPU0, "invalidate_range_begin 0x10000 +4 pages returned: revoked"),
        (400, Column.CPU0, "invalidate_range_end 0x10000 +4 pages returned"),
        (1000, Column.CPU1, "VLOAD 0x28000 on CB 7"),
        (2269, Column.DEVICE, "CB 7 restarts"),
        (2500, Column.DEVICE, "CB 7: write of 0x11000, frame 99: REVOKED"),
    ]


def test_what_the_block_did_before_its_present_instruction_is_left_out() -> None:
    again = (2_600, 1, 3, T.USR_ISSUE, (7, 1, 50 * PAGE, 51 * PAGE, 0, 7))
    chain = explain(records([*FAULT, again]), violation(2_700, 17 * PAGE))
    assert [row.text for row in chain[:-1]] == ["BCOPY 0x32000, 0x33000 on CB 7"]


def test_the_chain_ends_at_the_failure_and_is_no_longer_than_asked() -> None:
    chain = explain(records([*SHOOTDOWN, *FAULT]), violation(191, 17 * PAGE), rows=2)
    assert [row.cycle for row in chain] == [130, 190, 191]


def test_another_address_spaces_calls_are_no_reason() -> None:
    other = (95, 0, 1, T.VM_MUNMAP, (2, 16 * PAGE, 20 * PAGE))
    texts = [row.cycle for row in explain(records([*SHOOTDOWN, other]), violation(500, 17 * PAGE))]
    assert 95 not in texts and 100 in texts


def test_wrong_data_is_explained_by_its_page() -> None:
    chain = explain_data(records([*SHOOTDOWN, *FAULT]), 2_470, 40 * PAGE + 8, "load result: expected 00, found ff")
    texts = [row.text for row in chain]
    assert texts[0] == "VLOAD 0x28000 on CB 7"
    assert "TLB takes 0x28000 of asid 8: frame 99, 4 KiB, read-only" in texts
    assert texts[-1] == "load result: expected 00, found ff"
    assert not any("munmap" in text for text in texts)


def test_an_assertion_is_explained_by_what_came_last() -> None:
    said = "[0] %Error: gru_tlb_props.sv:301: Assertion failed in hil_top.u_gru.u_tlb.u_props.sd_2_ack: acknowledged too early"
    chain = recent(records([*SHOOTDOWN, *FAULT]), ViolationReport(261, "SVA", said), rows=3)
    assert [row.cycle for row in chain] == [195, 196, 260, 261]
    assert chain[-1] == ChainRow(261, Column.DEVICE, "assertion sd_2_ack: acknowledged too early")


@pytest.mark.parametrize(
    ("rule", "said", "column"),
    [
        ("LOCKDEP", "worker (CPU 1): sleep(10) in atomic context", Column.CPU1),
        ("LOCKDEP", "worker (CPU 7): sleep(10) in atomic context", Column.CPU1),
        ("MN-1", "empty range", Column.CPU0),
        ("BUS", "read of 0x10: the device answered SLVERR", Column.DEVICE),
    ],
)
def test_a_broken_rule_stands_with_who_broke_it(rule: str, said: str, column: Column) -> None:
    assert recent(records(SHOOTDOWN), ViolationReport(300, rule, said))[-1] == ChainRow(300, column, said)


@pytest.mark.parametrize("event", sorted(T))
def test_every_event_has_a_sentence(event: T) -> None:
    assert event in SENTENCES
    for args in ([0] * 6, [3, 0x1000, 0x3000, 4, 1, 1], [(1 << 64) - 1] * 6):
        text = sentence(event, args)
        assert text and text == " ".join(text.split())
