"""Code coverage: covers beside assertions, the merge of count files, exclusions and lcov's tracefile."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from shootdown.regress import exclusions as rules
from shootdown.regress.code_coverage import CodeCoverage
from shootdown.regress.exclusions import BadExclusionError, Exclusion, apply, read_exclusions
from shootdown.regress.lcov import write_lcov
from shootdown.regress.points import Kind, Point, block_of
from shootdown.regress.show_coverage import main, told
from tb.coverage.assertions import Assertion, UnlabelledError, assertions, with_covers
from tb.toolchain import ROOT

PROPS = sorted((ROOT / "rtl/props").glob("*.sv"))


# ---- covers beside assertions


def seen(condition: str) -> tuple[str, ...]:
    (found,) = assertions(f'one: assert ({condition}) else $error("no");')
    return found.seen


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("!a || b", ["!(!a)"]),
        ("!a || !b || c", ["!(!a) && !(!b)"]),
        ("a == C || !f(a, b || c)", ["!(a == C)"]),
        ("!(a && b) || (c || d)", ["!(!(a && b))"]),
        ("(!a || b) && (!c || d)", ["!(!a)", "!(!c)"]),
        ("((!a || b) && c)", ["!(!a)"]),
        ("a && b || c", ["!(a && b)"]),
        ("a", ["1'b1"]),
        ("x == (y || z)", ["1'b1"]),
        ("s inside {A, B} || t", ["!(s inside {A, B})"]),
        ("!a || b ? c : d", ["1'b1"]),
    ],
)
def test_an_assertion_is_tried_when_what_excuses_it_is_absent(condition: str, expected: list[str]) -> None:
    assert seen(condition) == tuple(expected)


def test_strings_and_comments_are_not_code() -> None:
    text = 'x: assert (!a /* || no */ || // nor || this\n b) else $error("(; || %0d)", c); y: assert (d);'
    first, second = assertions(text)
    assert (first.seen, first.line, second.seen, second.line) == (("!(!a)",), 1, ("1'b1",), 2)
    assert with_covers(text).count("\n") == text.count("\n")


def test_a_cover_stands_under_the_conditions_of_its_assertion() -> None:
    text = "if (a)\n  one: assert (!b || c)\n    else $error(1);\nelse two: assert (d);\n"
    assert with_covers(text) == (
        "if (a)\n  begin one_seen: cover (!(!b)); if (1'b1) one: assert (!b || c)\n    else $error(1); end\n"
        "else begin two_seen: cover (1'b1); if (1'b1) two: assert (d); end\n"
    )


@pytest.mark.parametrize("text", ["assert (a);", "p: assert property (@(posedge c) a);", "begin assert (a); end"])
def test_an_assertion_that_cannot_be_named_is_refused(text: str) -> None:
    with pytest.raises(UnlabelledError, match="line 1"):
        assertions(text)


@pytest.mark.parametrize("path", PROPS, ids=lambda path: path.stem)
def test_every_assertion_of_the_rtl_gets_covers(path: Path) -> None:
    text = path.read_text()
    found = assertions(text)
    labels = re.findall(r"\b(\w+): assert\b", text)
    assert [one.label for one in found] == labels
    covered = with_covers(text)
    assert covered.count("\n") == text.count("\n"), "lines keep their numbers"
    again = assertions(covered)
    assert [(one.label, one.line, one.seen) for one in again] == [(one.label, one.line, one.seen) for one in found]
    for one in found:
        assert f"{one.label}_seen: cover (" in covered


def test_two_conditions_two_covers() -> None:
    covered = with_covers("one: assert ((!a || b) && (!c || d));")
    assert "one_seen: cover (!(!a)); one_seen_2: cover (!(!c));" in covered
    assert isinstance(assertions(covered)[0], Assertion)


# ---- merging


def record(kind: str, file: str, line: int, comment: str, count: int, *, column: int = 3, lines: str = "", page: str = "m") -> str:
    """As Verilator writes one."""
    fields = {"f": file, "l": line, "n": column, "t": kind, "page": f"v_{kind}/{page}", "o": comment}
    if lines:
        fields["S"] = lines
    fields["h"] = "tb.top"
    return "C '" + "".join(f"\1{key}\2{value}" for key, value in fields.items()) + f"' {count}\n"


def counts_file(folder: Path, name: str, *records: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("# SystemC::Coverage-3\n" + "".join(records))


def merged(folder: Path) -> CodeCoverage:
    return CodeCoverage.merge([folder], exclusions=[])


RTL = "/anywhere/rtl/gru/gru_tlb.sv"


def test_a_bit_must_rise_and_fall(tmp_path: Path) -> None:
    counts_file(tmp_path, "1.dat", record("toggle", RTL, 7, "a[3]:0->1", 4), record("toggle", RTL, 7, "a[3]:1->0", 0))
    bit = Point(Kind.TOGGLE, "rtl/gru/gru_tlb.sv", 7, "a[3]")
    assert merged(tmp_path).holes(Kind.TOGGLE) == [bit]
    counts_file(tmp_path, "2.dat", record("toggle", RTL, 7, "a[3]:0->1", 0), record("toggle", RTL, 7, "a[3]:1->0", 2))
    assert merged(tmp_path).counts == {bit: 2}


def test_points_add_up_over_parameters_tops_and_clones(tmp_path: Path) -> None:
    counts_file(tmp_path / "a", "1.dat", record("line", RTL, 5, "block", 0, lines="5", page="m__W8"))
    counts_file(tmp_path / "b", "1.dat", record("line", "/other/rtl/gru/gru_tlb.sv", 5, "block", 3, lines="5", page="m__W9"))
    both = CodeCoverage.merge([tmp_path / "a", tmp_path / "b"], exclusions=[])
    assert both.counts == {Point(Kind.LINE, "rtl/gru/gru_tlb.sv", 5): 3}


def test_a_line_counts_as_its_least_run_part(tmp_path: Path) -> None:
    block = record("line", RTL, 4, "block", 9, lines="4-6,8")
    arm = record("branch", RTL, 5, "if", 0, lines="5", column=5)
    other = record("branch", RTL, 5, "else", 9, column=6)
    counts_file(tmp_path, "1.dat", block, arm, other)
    found = merged(tmp_path)
    assert [point.line for point in found.points(Kind.LINE)] == [4, 5, 6, 8]
    assert [point.line for point in found.holes(Kind.LINE)] == [5]
    assert [point.name for point in found.holes(Kind.BRANCH)] == ["5 if"]
    assert found.line == 3 / 4


def test_only_the_design_counts_and_of_assertions_their_covers(tmp_path: Path) -> None:
    props = "/anywhere/build/tlb/0123/rtl/props/gru_tlb_props.sv"
    counts_file(
        tmp_path,
        "1.dat",
        record("line", "/anywhere/tb/tlb/tlb_tb.sv", 5, "block", 0, lines="5"),
        record("line", props, 5, "block", 0, lines="5"),
        record("toggle", props, 6, "stale_q:0->1", 0),
        record("user", props, 9, "sd_1_seen", 4),
        record("user", props, 10, "sd_2_seen", 4),
        record("user", props, 10, "sd_2_seen_2", 0),
        record("user", props, 12, "fq_7_all_entries", 0),
    )
    found = merged(tmp_path)
    assert [str(point) for point in found.points(Kind.ASSERTION)] == [
        "rtl/props/gru_tlb_props.sv:9 sd_1",
        "rtl/props/gru_tlb_props.sv:10 sd_2",
        "rtl/props/gru_tlb_props.sv:12 fq_7_all_entries",
    ]
    assert [point.name for point in found.holes(Kind.ASSERTION)] == ["sd_2", "fq_7_all_entries"]
    assert len(found.counts) == 3


def test_what_only_a_reset_runs_is_no_point(tmp_path: Path) -> None:
    path = ROOT / "rtl/gru/gru_tlb_drain.sv"
    line = next(number for number, text in enumerate(path.read_text().splitlines(), 1) if "if (!rst_ni)" in text)
    arms = [record("branch", str(path), line, arm, 0, lines=f"{line + n}") for n, arm in ((1, "if"), (5, "else"))]
    counts_file(tmp_path, "1.dat", *arms)
    assert sorted(point.line for point in merged(tmp_path).counts) == [line, line + 5]


def test_the_unconditional_part_of_an_always_comb_always_runs(tmp_path: Path) -> None:
    """Verilator leaves its counter where nothing counts; that of a clocked block counts."""
    path = ROOT / "rtl/hca/hca_fault_write.sv"
    numbered = list(enumerate(path.read_text().splitlines(), 1))
    comb, clocked = (next(number for number, text in numbered if word in text) for word in ("always_comb begin", "always_ff @"))
    blocks = [record("line", str(path), line, "block", 0, lines=f"{line}-{line + 1}") for line in (comb, clocked)]
    counts_file(tmp_path, "1.dat", *blocks, record("line", str(path), comb, "if", 0, lines=f"{comb + 2}"))
    assert [point.line for point in merged(tmp_path).holes(Kind.LINE)] == sorted([comb + 2, clocked, clocked + 1])


def test_a_file_cut_short_counts_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = record("line", RTL, 5, "block", 2, lines="5")
    (tmp_path / "1.dat").write_text("# SystemC::Coverage-3\n" + whole + whole[: len(whole) // 2])
    (tmp_path / "2.dat").write_text("# SystemC::Coverage-3\n" + whole + whole.replace("' 2\n", "' 71")[:-1])
    assert merged(tmp_path).counts == {Point(Kind.LINE, "rtl/gru/gru_tlb.sv", 5): 4}


def test_nothing_is_nothing(tmp_path: Path) -> None:
    assert merged(tmp_path).counts == {}
    assert merged(tmp_path).toggle == 1.0


def test_written_and_read_again(tmp_path: Path) -> None:
    points = {Point(Kind.TOGGLE, "rtl/gru/gru_tlb.sv", 7, "a.b[3]"): 0, Point(Kind.LINE, "rtl/hca/hca_qp.sv", 2): 1 << 40}
    before = CodeCoverage(points, {next(iter(points)): "because"}, ("an entry",))
    before.write(tmp_path / "code.json")
    assert CodeCoverage.read(tmp_path / "code.json") == before


def test_by_block() -> None:
    assert block_of("rtl/gru/gru_tlb_slots.sv") == block_of("rtl/props/gru_tlb_props.sv") == "gru_tlb"
    assert block_of("rtl/hca/hca_top.sv") == block_of("rtl/props/hca_port_props.sv") == "hca"
    assert block_of("rtl/common/plru_tree.sv") == block_of("rtl/props/axi_props.sv") == "common"
    found = CodeCoverage({Point(Kind.LINE, "rtl/gru/gru_tlb.sv", 1): 1, Point(Kind.LINE, "rtl/gru/gru_tgh.sv", 1): 0})
    assert found.table()["gru_tlb"]["line"] == (1, 1)
    assert found.fraction(Kind.LINE, "gru_tgh") == 0.0


def test_files_of_one_build_add_up(tmp_path: Path) -> None:
    records = [record("toggle", RTL, line, f"s[{bit}]:0->1", bit) for line in range(40) for bit in range(20)]
    counts_file(tmp_path, "00.dat", *records)
    one = merged(tmp_path)
    for number in range(1, 20):
        (tmp_path / f"{number:02}.dat").write_bytes((tmp_path / "00.dat").read_bytes())
    assert {point: 20 * count for point, count in one.counts.items()} == merged(tmp_path).counts


# ---- exclusions


@pytest.fixture
def source(tmp_path: Path) -> dict[Point, int]:
    rules._source.cache_clear()
    (tmp_path / "rtl").mkdir()
    code = "logic [7:0] pa;\nlogic [7:0] va;\nif (mutant_i == X) b = c;\nelse d = e;\n"
    function = "function logic mask(x);\n  mask = x;\nendfunction\n"
    (tmp_path / "rtl/a.sv").write_text(code + function)
    toggles = {
        Point(Kind.TOGGLE, "rtl/a.sv", 1 + (name == "va"), f"{name}[{bit}]"): int(bit < 4)
        for name in ("pa", "va")
        for bit in range(8)
    }
    lines = {Point(Kind.LINE, "rtl/a.sv", 3): 0, Point(Kind.LINE, "rtl/a.sv", 4): 5}
    arms = {Point(Kind.BRANCH, "rtl/a.sv", 3, "1 if"): 0, Point(Kind.BRANCH, "rtl/a.sv", 3, "2 else"): 5}
    lines |= {Point(Kind.LINE, "rtl/a.sv", 5): 0, Point(Kind.LINE, "rtl/a.sv", 6): 0}
    return {**toggles, **lines, **arms, Point(Kind.ASSERTION, "rtl/a.sv", 4, "never"): 0}


@pytest.mark.parametrize(
    ("entry", "excluded"),
    [
        (Exclusion("rtl/*", "r", signal="pa[7:4]"), 4),
        (Exclusion("rtl/*.sv", "r", signal="*[7:6]"), 4),
        (Exclusion("rtl/a.sv", "r", signal="*[5]", text="va;"), 1),
        (Exclusion("rtl/a.sv", "r", signal="pa*", some=True), 4),
        (Exclusion("rtl/a.sv", "r", text="mutant_i ==", arm="if"), 2),
        (Exclusion("rtl/a.sv", "r", assertion="nev*"), 1),
        (Exclusion("rtl/a.sv", "r", function="mask"), 2),
    ],
)
def test_an_exclusion_takes_its_holes_away(source: dict[Point, int], tmp_path: Path, entry: Exclusion, excluded: int) -> None:
    found, stale = apply([entry], source, tmp_path)
    assert not stale
    assert len(found) == excluded
    assert not any(source[point] for point in found)
    before, after = CodeCoverage(source), CodeCoverage(source, found)
    assert sum(len(before.holes(kind)) - len(after.holes(kind)) for kind in Kind) == excluded


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        (Exclusion("rtl/b.sv", "r", signal="*"), "matches nothing"),
        (Exclusion("rtl/a.sv", "r", signal="pa[9]"), "matches nothing"),
        (Exclusion("rtl/a.sv", "r", text="no such line"), "matches nothing"),
        (Exclusion("rtl/a.sv", "r", signal="pa[3:4]"), "was hit|were hit"),
        (Exclusion("rtl/a.sv", "r", text="else d = e"), "were hit"),
        (Exclusion("rtl/a.sv", "r", signal="pa[0]", some=True), "were hit"),
    ],
)
def test_an_exclusion_that_is_not_true_is_an_error(
    source: dict[Point, int], tmp_path: Path, entry: Exclusion, complaint: str
) -> None:
    _found, (stale,) = apply([entry], source, tmp_path)
    assert re.search(complaint, stale)
    assert str(entry) in stale


@pytest.mark.parametrize(
    "entry",
    [
        '{ file = "rtl/a.sv", signal = "x" }',
        '{ file = "rtl/a.sv", signal = "x", reason = " " }',
        '{ file = "rtl/a.sv", reason = "r" }',
        '{ signal = "x", reason = "r" }',
        '{ file = "rtl/a.sv", signal = "x", reason = "r", lines = 3 }',
    ],
)
def test_a_bad_exclusion_is_named(tmp_path: Path, entry: str) -> None:
    (tmp_path / "e.toml").write_text(f"exclude = [\n{entry},\n]\n")
    with pytest.raises(BadExclusionError, match=r"an exclusion|no key lines"):
        read_exclusions(tmp_path / "e.toml")


def test_shipped_exclusions_name_files_and_lines_that_are_there() -> None:
    files = {path.relative_to(ROOT).as_posix(): path.read_text().splitlines() for path in (ROOT / "rtl").rglob("*.sv")}
    for entry in read_exclusions(rules.SHIPPED):
        assert len(entry.reason.split()) >= 3, entry
        pattern = rules._pattern(entry.file)
        among = [lines for file, lines in files.items() if pattern.fullmatch(file)]
        assert among, entry
        assert not entry.text or any(entry.text in line for lines in among for line in lines), entry


# ---- lcov


def test_tracefile(tmp_path: Path) -> None:
    """A strict reader: every record known, sums right, nothing excluded in it."""
    file, other = "rtl/gru/gru_tlb.sv", "rtl/hca/hca_qp.sv"
    gone = Point(Kind.LINE, file, 9)
    counts = {
        Point(Kind.LINE, file, 3): 2,
        Point(Kind.LINE, file, 4): 0,
        gone: 0,
        Point(Kind.BRANCH, file, 4, "7 if"): 0,
        Point(Kind.BRANCH, file, 4, "8 else"): 3,
        Point(Kind.TOGGLE, file, 1, "a[1]"): 0,
        Point(Kind.LINE, other, 8): 1,
    }
    write_lcov(CodeCoverage(counts, {gone: "why"}), tmp_path / "coverage.info", tmp_path)
    records = (tmp_path / "coverage.info").read_text().split("end_of_record\n")
    assert records[-1] == ""
    found: dict[str, dict[str, list[list[int]]]] = {}
    for one in records[:-1]:
        fields: dict[str, list[list[int]]] = {}
        name = ""
        for line in one.splitlines():
            key, _, value = line.partition(":")
            if key == "SF":
                name = value
            elif key != "TN":
                fields.setdefault(key, []).append([int(part) for part in value.split(",")])
        found[name] = fields
    code = {"BRDA": [[4, 0, 0, 0], [4, 0, 1, 3]], "BRF": [[2]], "BRH": [[1]], "DA": [[3, 2], [4, 0]], "LF": [[2]], "LH": [[1]]}
    plain = {"BRF": [[0]], "BRH": [[0]], "DA": [[8, 1]], "LF": [[1]], "LH": [[1]]}
    assert found == {str(tmp_path / file): code, str(tmp_path / other): plain}


@pytest.mark.skipif(shutil.which("lcov") is None, reason="no lcov; Debian: apt-get install lcov")
def test_lcov_reads_it(tmp_path: Path) -> None:
    """lcov's own words for the file, and its share of lines beside ours."""
    file = "rtl/common/plru_tree.sv"
    counts = {Point(Kind.LINE, file, line): line % 3 for line in range(20, 31)} | {Point(Kind.BRANCH, file, 24, "7 if"): 0}
    found = CodeCoverage(counts)
    write_lcov(found, tmp_path / "coverage.info")
    asked = ["lcov", "--summary", str(tmp_path / "coverage.info")]
    said = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert f"{100 * found.line:.1f}% (7 of 11 lines)" in said.stdout + said.stderr


# ---- on the terminal


def test_holes_are_told_by_ranges_of_bits() -> None:
    file = "rtl/gru/gru_tlb.sv"
    bits = [Point(Kind.TOGGLE, file, 7, f"a.b[{bit}]") for bit in (0, 2, 3, 4, 9)]
    assert list(told(Kind.TOGGLE, [*bits, Point(Kind.TOGGLE, file, 8, "ready")])) == [
        f"toggle {file}:8 ready",
        f"toggle {file}:7 a.b[0,4:2,9]",
    ]
    assert list(told(Kind.BRANCH, [Point(Kind.BRANCH, file, 3, "5 if")])) == [f"branch {file}:3 5 if"]


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    counts_file(tmp_path, "1.dat", record("line", RTL, 5, "block", 2, lines="5-6"), record("branch", RTL, 6, "if", 0, lines="6"))
    assert main([str(tmp_path)]) == 0
    shown = capsys.readouterr()
    assert re.search(r"^gru_tlb +1/2  50.00 % +0/1   0.00 %", shown.out, re.MULTILINE)
    assert re.search(r"^all +1/2  50.00 %", shown.out, re.MULTILINE)
    assert "stale exclusion" in shown.err, "the shipped exclusions match nothing here"
    assert main([str(tmp_path), "--holes", "gru_tlb", "--strict"]) == 1
    assert capsys.readouterr().out.splitlines() == ["line rtl/gru/gru_tlb.sv:6", "branch rtl/gru/gru_tlb.sv:6 3 if"]
