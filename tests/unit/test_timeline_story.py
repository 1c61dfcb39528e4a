"""What a timeline says of short known runs: names, cycles, nesting, arrows."""

from __future__ import annotations

from pathlib import Path

from support.perfetto_trace import Event, Parsed, parse
from support.stories import FAULT, POLLED, SHOOTDOWN, Row, write

from hwif.gen.gru import CbOpc
from hwif.gen.timing import CLOCK_MHZ

NS = 1000 // CLOCK_MHZ


def told(rows: list[Row], tmp_path: Path) -> Parsed:
    path = tmp_path / "timeline.pftrace"
    write(rows, path)
    return parse(path.read_bytes())


def spans(events: list[Event]) -> list[tuple[str, int, int, int]]:
    """(name, first cycle, last cycle, depth)."""
    return [(event.name, event.start // NS, event.end // NS, event.depth) for event in events]


def test_a_shootdown_from_the_call_to_its_return(tmp_path: Path) -> None:
    parsed = told(SHOOTDOWN, tmp_path)
    assert spans(parsed.on("program")) == [
        ("munmap 0x10000 +4 pages", 100, 410, 0),
        ("range active: 4 pages", 110, 400, 1),
        ("invalidate_range_begin", 110, 330, 2),
        ("shootdown TGH 5: 4 pages", 130, 330, 3),
        ("post", 130, 190, 4),
        ("status seen", 330, 330, 4),
        ("invalidate_range_begin returned", 330, 330, 2),
    ]
    assert spans(parsed.on("TGH 5")) == [("drain: 4 pages", 190, 260, 0)]
    assert spans(parsed.on("TLB kills")) == [("kill 4 KiB", 195, 195, 0), ("kill 4 KiB", 196, 196, 0)]
    assert parsed.arrow_names() == [
        ("munmap 0x10000 +4 pages", "invalidate_range_begin"),
        ("invalidate_range_begin", "shootdown TGH 5: 4 pages"),
        ("post", "drain: 4 pages"),
        ("drain: 4 pages", "status seen"),
        ("status seen", "invalidate_range_begin returned"),
    ]


def test_a_fault_from_the_miss_to_the_user(tmp_path: Path) -> None:
    parsed = told(FAULT, tmp_path)
    assert spans(parsed.on("CB 7")) == [
        ("VLOAD", 1000, 2400, 0),
        ("miss", 1080, 1080, 1),
        ("parked on 0x28000", 1080, 2269, 1),
        ("restart", 2269, 2269, 1),
        ("done", 2400, 2400, 1),
    ]
    assert spans(parsed.on("IRQ 1")) == [("raised", 1081, 2091, 0)]
    assert spans(parsed.on("gru_intr1")) == [("gru_intr: 1 fault", 2090, 2266, 0), ("drop-in CB 7", 2200, 2266, 1)]
    assert spans(parsed.on("user")) == [("VLOAD", 1000, 2470, 0), ("done seen", 2470, 2470, 1)]
    assert parsed.arrow_names() == [
        ("miss", "raised"),
        ("raised", "gru_intr: 1 fault"),
        ("gru_intr: 1 fault", "drop-in CB 7"),
        ("drop-in CB 7", "fill 4 KiB"),
        ("fill 4 KiB", "restart"),
        ("restart", "done"),
        ("done", "done seen"),
    ]


def test_a_fault_that_goes_to_user_polling_and_is_dropped(tmp_path: Path) -> None:
    parsed = told(POLLED, tmp_path)
    assert parsed.arrow_names() == [
        ("write miss", "raised"),
        ("raised", "gru_intr: 1 fault"),
        ("CB 7 to user polling", "call_os"),
        ("call_os", "drop-in CB 7"),
        ("drop-in CB 7", "dropped"),
        ("dropped", "restart"),
    ]
    (fault,) = parsed.named("fault: first touch")
    assert (fault.track, fault.depth, fault.start // NS, fault.end // NS) == ("user", 2, 2600, 3500)
    (dropped,) = parsed.on("TLB drop-ins dropped")
    assert dropped.start // NS == 3668


def test_what_a_run_that_ended_left_open_ends_with_it_and_says_so(tmp_path: Path) -> None:
    parsed = told(POLLED, tmp_path)
    open_ones = [event for event in parsed.events if event.details.get("unfinished")]
    assert {(event.track, event.name) for event in open_ones} == {
        ("CB 7", "VSTORE"),
        ("CB 7", "parked on 0x28000"),
        ("user", "VSTORE"),
    }
    assert {event.end // NS for event in open_ones} == {3680}


def test_details_carry_the_record(tmp_path: Path) -> None:
    parsed = told(SHOOTDOWN, tmp_path)
    (drain,) = parsed.on("TGH 5")
    assert drain.details == {"cycle": 190, "tgh": 5, "vaddr": 0x10000, "asid": 8, "n": 3, "global": 0}
    assert drain.category == "device"


def test_a_line_already_up_is_not_what_a_later_miss_raised(tmp_path: Path) -> None:
    later = (1500, -1, 0, FAULT[1][3], (9, 0x50000, 8, 1))
    answered = (2230, 1, 2, FAULT[5][3], (9, 0x50000, 98, 0))
    parsed = told(sorted([*FAULT, later, answered]), tmp_path)
    assert parsed.arrow_names().count(("miss", "raised")) == 1
    assert ("miss", "drop-in CB 9") in parsed.arrow_names(), "the arrow goes to what answered it"


def test_two_instructions_of_one_task_have_rows_of_their_own(tmp_path: Path) -> None:
    issue = FAULT[0]
    second = (1010, 1, 3, issue[3], (8, CbOpc.VSTORE, 0x60000, 0, 0, 8))
    first_done = (1300, 1, 3, FAULT[-1][3], (7, 0, 0, 7))
    second_done = (1400, 1, 3, FAULT[-1][3], (8, 0, 0, 8))
    parsed = told([issue, second, first_done, second_done], tmp_path)
    assert spans(parsed.on("user"))[0] == ("VLOAD", 1000, 1300, 0)
    assert spans(parsed.on("user, control block 8"))[0] == ("VSTORE", 1010, 1400, 0)
    assert parsed.parents["user, control block 8"] == "user"


def test_marks_stand_on_the_oracles_row(tmp_path: Path) -> None:
    path = tmp_path / "timeline.pftrace"
    write(SHOOTDOWN, path, marks=[(262, "REVOKED: read of 0x10000"), (9000, "later than everything")])
    parsed = parse(path.read_bytes())
    assert spans(parsed.on("oracle")) == [("REVOKED: read of 0x10000", 262, 262, 0), ("later than everything", 9000, 9000, 0)]
