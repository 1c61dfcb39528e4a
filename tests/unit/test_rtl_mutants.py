"""Mutants of the RTL: what is changed and what is left alone, that a draw repeats, that a copy without one chosen is the design."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from shootdown.cli import run as shootdown
from shootdown.rtl_mutants import draw as drawing
from shootdown.rtl_mutants.draw import Mutant, candidates, draw, files_of, keys
from shootdown.rtl_mutants.equivalent import equivalents
from shootdown.rtl_mutants.parsed import CHIPS, RTL, Chip, scopes
from shootdown.rtl_mutants.sites import Edit, edits
from shootdown.rtl_mutants.suite import fingerprint, simulates, suite
from shootdown.rtl_mutants.tree import PACKAGE, rendered, write_tree
from tb.plan.test import Kind
from tb.toolchain import MUTANT_VARIABLE, ROOT, RTL_VARIABLE, digest, run_tool, verilator_root

Change = tuple[str, str, str]
"""Operator, what was there, what comes instead ("" for a lost statement)."""


def found(folder: Path, body: str) -> tuple[str, list[Edit]]:
    """The edits of a small module around `body`."""
    text = f"""module toy #(parameter int W = 4) (
  input logic clk_i, input logic rst_ni, input logic [7:0] mutant_i, input logic a, input logic b, input logic [3:0] x,
  input logic [3:0] y, output logic o, output logic [3:0] z
);
{body}
endmodule
"""
    (folder / "toy.sv").write_text(text)
    return text, [edit for scope in scopes([folder / "toy.sv"]) for edit in edits(scope, folder)]


def changed(folder: Path, body: str) -> set[Change]:
    text, all_edits = found(folder, body)
    return {(edit.operator, text[edit.start : edit.end], edit.new) for edit in all_edits}


@pytest.mark.parametrize(
    ("body", "change"),
    [
        ("assign o = a && b;", ("and/or", "a && b", "a || b")),
        ("assign o = a || b;", ("operand lost", "a || b", "b")),
        ("assign o = x == y;", ("relation", "x == y", "x != y")),
        ("assign o = x < y;", ("bound", "x < y", "x <= y")),
        ("assign o = !a;", ("not lost", "!a", "a")),
        ("assign o = &x;", ("reduction", "&x", "|x")),
        ("assign o = a;", ("stuck", "a", "1'b1")),
        ("assign o = x inside {4'd1, 4'd2};", ("relation", "x inside {4'd1, 4'd2}", "!(x inside {4'd1, 4'd2})")),
        ("assign z = x + y;", ("sign", "x + y", "x - y")),
        ("assign z = x & y;", ("bitwise", "x & y", "x | y")),
        ("assign z = x << y;", ("shift", "x << y", "x >> y")),
        ("assign z = a ? x : y;", ("arms swapped", "a ? x : y", "a  ? y : x")),
        ("assign z = x;", ("off by one", "x", "(x) + 4'd1")),
        ("assign z = x + 4'd3;", ("off by one", "4'd3", "(4'd3) + 4'd1")),
        ("assign o = a ^ 1'b1;", ("constant", "1'b1", "!(1'b1)")),
        ("assign z = a ? x : '0;", ("constant", "'0", "'1")),
        ("always_ff @(posedge clk_i) if (a) o <= b;", ("lost", "o <= b;", "")),
        ("always_ff @(posedge clk_i) if (a) o <= b;", ("never", "a", "1'b0")),
        ("always_ff @(posedge clk_i) if (a) o <= b;", ("always", "a", "1'b1")),
        ("always_ff @(posedge clk_i) if (a) o <= b;", ("negated", "a", "!(a)")),
        ("always_ff @(posedge clk_i or negedge rst_ni) if (!rst_ni) o <= '0; else o <= b;", ("reset lost", "o <= '0;", "")),
        ("always_ff @(posedge clk_i or negedge rst_ni) if (!rst_ni) o <= '0; else o <= b;", ("constant", "'0", "'1")),
        ("always_comb begin z = x; case (y) 4'd1: z = '0; default: ; endcase end", ("case lost", "z = '0;", "")),
    ],
)
def test_each_operator(tmp_path: Path, body: str, change: Change) -> None:
    flat = {(operator, was, " ".join(now.split())) for operator, was, now in changed(tmp_path, body)}
    assert (change[0], change[1], " ".join(change[2].split())) in flat


def test_another_member_of_the_enumeration(tmp_path: Path) -> None:
    body = "typedef enum logic [1:0] {IDLE, BUSY, DONE} state_e; state_e s; assign s = a ? BUSY : s; assign o = s == DONE;"
    new = {now for operator, was, now in changed(tmp_path, body) if operator == "constant" and was == "BUSY"}
    assert len(new) == 1
    assert new <= {"IDLE", "DONE"}


@pytest.mark.parametrize(
    "body",
    [
        "if (W > 3) begin : g_wide assign z[W-1:0] = mutant_i[3:0]; end",  # elaboration's own
        "always_comb begin for (int i = 0; i < W; i++) z[i] = mutant_i == 8'd3; end",
        "always_comb begin o = mutant_i == 8'd1; end",
        "assign o = mutant_i == 8'd1 && a;",
    ],
)
def test_elaboration_and_hand_made_variants_are_left_alone(tmp_path: Path, body: str) -> None:
    assert {operator for operator, _, _ in changed(tmp_path, body)} <= {"stuck", "bit stuck", "off by one"}
    assert all(was not in ("W > 3", "W", "i < W", "8'd3", "8'd1", "a") for _, was, _ in changed(tmp_path, body))


def test_the_body_of_a_variant_is_dead(tmp_path: Path) -> None:
    _, dead = found(tmp_path, "always_comb begin z = mutant_i[3:0]; if (mutant_i == 8'd1 && a) z = x + y; end")
    text, alive = found(tmp_path, "always_comb begin z = mutant_i[3:0]; if (mutant_i != 8'd1 && a) z = x + y; end")
    assert not [edit for edit in dead if edit.operator == "sign"]
    assert ("sign", "x + y") in {(edit.operator, text[edit.start : edit.end]) for edit in alive}


def test_a_default_is_not_lost(tmp_path: Path) -> None:
    """What follows may be; then the default stands."""
    lost = {was for operator, was, _ in changed(tmp_path, "always_comb begin z = x; if (a) z = y; end") if operator == "lost"}
    assert lost == {"z = y;"}


def test_a_draw_repeats() -> None:
    first = draw(3, 60)
    assert draw(3, 60) == first
    assert draw(4, 60) != first
    assert len({(one.edit.file, one.edit.start, one.edit.end) for one in first}) == 60
    assert len({one.key for one in first}) == 60
    assert draw(3, 30) == first[:30]
    assert {one.file.partition("/")[0] for one in candidates()} == {"common", "gru", "hca", "pkg"}


def test_a_key_survives_edits_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(keys(candidates(files_of(["hca_coalesce"]))).values())
    drawn = {one.key for one in draw(1, 40, ["hca/hca_coalesce.sv"])}
    copy = tmp_path / "rtl"
    shutil.copytree(RTL, copy)
    file = copy / "hca/hca_coalesce.sv"
    file.write_text(
        "// one line more\n" + file.read_text().replace("endmodule", "  logic more;\n  assign more = clk_i;\n\nendmodule")
    )
    monkeypatch.setattr(drawing, "RTL", copy)
    assert set(keys(candidates(["hca/hca_coalesce.sv"])).values()) > before
    again = {one.key for one in draw(1, 40, ["hca/hca_coalesce.sv"])}
    assert len(again & drawn) >= 38, "new places take the place of few"


def test_every_reason_names_a_place_of_the_rtl() -> None:
    files = {key.partition(" | ")[0] for key in equivalents()}
    assert set(equivalents()) <= set(keys(candidates(files)).values())
    assert all(len(reason.split()) >= 4 for reason in equivalents().values())


def test_mutants_inside_mutants(tmp_path: Path) -> None:
    text, all_edits = found(tmp_path, "always_ff @(posedge clk_i)\n  if (a) o <= b &&\n    !a;")
    mutants = [Mutant(number, edit, 0, "", "") for number, edit in enumerate(all_edits, 1)]
    new = rendered(text, mutants)
    assert new.count("\n") == text.count("\n")
    assert all(new.count(f"rtl_mutant_pkg::sel == {one.number})") + new.count(f"!= {one.number})") == 1 for one in mutants)


TOY_TB = """module top;
  logic clk = 1'b0, rst_n;
  logic [31:0] random = 32'd1;
  logic o; logic [3:0] z;
  toy u_toy (.clk_i(clk), .rst_ni(rst_n), .mutant_i('0), .a(random[0]), .b(random[5]), .x(random[11:8]), .y(random[19:16]), .o, .z);
  always #5 clk = ~clk;
  initial begin
    rst_n = 1'b0;
    repeat (2) @(negedge clk);
    rst_n = 1'b1;
    repeat (3000) begin
      @(negedge clk);
      $display("%b %h", o, z);
      random = {random[30:0], random[31] ^ random[21] ^ random[1] ^ random[0]};
    end
    $finish;
  end
endmodule
"""
TOY = """always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) z <= '0;
    else if (a && x != y) z <= b ? z + x : z ^ y;
  end
  always_comb begin
    o = z[0];
    unique case (z)
      4'd3, 4'd9: o = a;
      4'd5: o = b || x < y;
      default: ;
    endcase
  end"""


def simulated(folder: Path, name: str, text: str) -> Path:
    """A program that prints what the toy does."""
    (folder / f"{name}.sv").write_text(text)
    (folder / "top.sv").write_text(TOY_TB)
    command = [str(verilator_root() / "bin/verilator"), "--binary", "--timing", "-Wno-fatal", "-CFLAGS", "-fcoroutines", "-Mdir"]
    command += [str(folder / name), "--top-module", "top", "-MAKEFLAGS", "CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-O0 OPT_GLOBAL=-O0"]
    run_tool([*command, str(folder / f"{name}.sv"), str(folder / "top.sv")], folder / f"{name}.log")
    return folder / name / "Vtop"


def printed(program: Path, number: int) -> str:
    environment = {**os.environ, MUTANT_VARIABLE: str(number)}
    said = subprocess.run([program], env=environment, capture_output=True, text=True, check=True, timeout=60).stdout
    return "".join(re.findall(r"^[01] [0-9a-f]$", said, re.MULTILINE))  # the run time adds how long it took


def test_a_copy_is_the_design_or_the_one_mutant_chosen(tmp_path: Path) -> None:
    text, all_edits = found(tmp_path, TOY)
    mutants = [Mutant(number, edit, 0, "", "") for number, edit in enumerate(all_edits, 1)]
    copy = simulated(tmp_path, "copy", PACKAGE + rendered(text, mutants))
    design = printed(simulated(tmp_path, "design", text), 0)
    assert len(design) > 5_000
    assert printed(copy, 0) == design
    told = {one.number: printed(copy, one.number) for one in mutants}
    same = [f"{one.edit.operator}: {text[one.edit.start : one.edit.end]}" for one in mutants if told[one.number] == design]
    assert set(same) <= {"reset lost: z <= '0;"}, "a register begins as 0 in this simulator"
    # Chosen by number or written into the source by hand: the same.
    one = next(mutant for mutant in mutants if mutant.edit.operator == "sign")
    by_hand = text[: one.edit.start] + f"({one.edit.new})" + text[one.edit.end :]
    assert told[one.number] == printed(simulated(tmp_path, "hand", by_hand), 0)


@pytest.mark.parametrize("chip", CHIPS, ids=lambda chip: chip.name)
def test_a_mutant_at_every_place_compiles(tmp_path: Path, chip: Chip) -> None:
    """Every place of the design at once, each with a change drawn for it; a warning fails."""
    tree = tmp_path / "rtl"
    mutants = draw(1, 1_000_000)
    assert len(mutants) > 10_000
    write_tree(mutants, tree)
    others = {"gru": "hca_", "hca": "gru_"}[chip.name]
    props = [path for path in sorted((tree / "props").glob("*.sv")) if not path.name.startswith(others)]
    command = [str(verilator_root() / "bin/verilator"), "--lint-only", "-Wall", "--assert", "--top-module", f"{chip.name}_top"]
    command += [
        f"-Wno-{rule}" for rule in ("UNUSED", "MULTITOP", "DECLFILENAME", "SYNCASYNCNET")
    ]  # of what is bound, and whole chips
    files = [tree / "lint/waivers.vlt", *chip.files(tree), *props]
    run_tool([*command, *map(str, files)], tmp_path / "lint.log")


def test_builds_take_the_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy without a change has the digest of rtl/; one with a change has its own."""
    files = [RTL / "common/rr_pick.sv", ROOT / "tb/toolchain.py"]
    of_rtl = digest(files, "")
    copy = tmp_path / "rtl"
    shutil.copytree(RTL, copy)
    monkeypatch.setenv(RTL_VARIABLE, str(copy))
    assert digest(files, "") == of_rtl
    write_tree(draw(1, 5, ["common/rr_pick.sv"]), copy)
    assert digest(files, "") != of_rtl


def test_every_mutant_has_tests_that_simulate_it() -> None:
    for mutant in draw(1, 300):
        kinds = {test.kind for test in suite() if simulates(test, mutant)}
        assert Kind.PYTEST in kinds or Kind.BLOCK in kinds, mutant.place
    gru = next(mutant for mutant in draw(1, 300) if mutant.module.startswith("gru_t"))
    assert not [test for test in suite() if test.block.startswith("hca") and simulates(test, gru)]


def test_a_fingerprint_is_of_the_test_and_its_bench() -> None:
    by_name = {test.name: test for test in suite()}
    assert len({fingerprint(test) for test in by_name.values()}) == len(by_name)


def test_candidates_leave_generated_files_alone() -> None:
    assert not [edit.file for edit in candidates() if "/gen/" in edit.file or edit.file == "pkg/gru_pkg.sv"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--count", "0"], "--count 0: must be at least 1"),
        (["--jobs", "0"], "--jobs 0: must be at least 1"),
        (["--block", "gru_tbl"], "--block gru_tbl: there is no such block; try gru_tlb"),
        (["--test", "tlb_rases"], "--test tlb_rases: there is no such test; try tlb_races"),
        (["--only", "race_fill"], "--only: not with --rtl"),
        (["--device", "gru"], "--device: not with --rtl"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert shootdown(["mutants", "--rtl", *arguments]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert said in told.err
    assert told.err.count("\n") == 1
