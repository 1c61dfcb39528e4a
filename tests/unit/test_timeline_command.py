"""`shootdown timeline`, its pictures, and the save files of a waveform."""

from __future__ import annotations

from pathlib import Path

import matplotlib.image
import pytest
from support.stories import FAULT, SHOOTDOWN, write

from shootdown.cli import run
from shootdown.timeline.picture import LIGHT, draw, interesting
from shootdown.timeline.read import read_timeline
from shootdown.timeline.savefiles import GROUPS, marker_time, write_savefiles


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "timeline.pftrace"
    write([*SHOOTDOWN, *FAULT], path)
    return path


def test_it_says_what_a_file_holds(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["timeline", str(file)]) == 0
    out = capsys.readouterr().out
    assert "2,470 cycles, 9 rows, 13 slices, 9 instants, 12 arrows" in out
    assert "GRU: IRQ 1, TGH 5, TLB fills, TLB kills, CB 7, context 0" in out


def test_it_draws_the_first_shootdown(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "new" / "race.png"
    assert run(["timeline", str(file), "--picture", str(picture), "--cycles", "800"]) == 0
    assert "cycles 0 to 510" in capsys.readouterr().out
    pixels = matplotlib.image.imread(picture)
    assert pixels.shape[1] > 1500 and pixels.shape[0] > 300
    assert pixels[..., :3].std() > 0.05, "something is drawn"


def test_a_picture_is_where_it_is_asked_for(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "fault.png"
    assert run(["timeline", str(file), "--picture", str(picture), "--around", "2200", "--cycles", "400"]) == 0
    assert "cycles 2,000 to 2,400" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--picture", "{out}/a.png", "--around", "90000"], "nothing happens around cycle 90000"),
        (["--picture", "{out}/a.png", "--around", "-3"], "there is no such cycle"),
        (["--picture", "{out}/a.png", "--cycles", "2"], "too few"),
        (["--picture", "{out}/a.svg"], "pictures are PNG files; call it a.png"),
        (["--around", "7"], "give --picture"),
        (["--picture", "/dev/null/a.png"], "cannot be written"),
    ],
)
def test_bad_input_is_one_line(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert run(["timeline", str(file), *(argument.format(out=tmp_path) for argument in arguments)]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert not list(tmp_path.glob("*.png"))


def test_without_a_shootdown_it_asks_where_to_look(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "fault.pftrace"
    write(FAULT, path)
    assert run(["timeline", str(path), "--picture", str(tmp_path / "a.png")]) == 2
    assert "--around" in capsys.readouterr().err


def test_the_oracles_objection_is_what_to_look_at_first(tmp_path: Path) -> None:
    path = tmp_path / "timeline.pftrace"
    write(SHOOTDOWN, path, marks=[(300, "REVOKED")])
    assert interesting(path) == 300
    write(SHOOTDOWN, path)
    assert interesting(path) == 110


def test_a_late_shootdown_is_found_too(tmp_path: Path) -> None:
    path = tmp_path / "timeline.pftrace"
    late = [(cycle + 3_000_000, *rest) for cycle, *rest in SHOOTDOWN]
    write([*FAULT, *late], path)
    assert interesting(path) == 3_000_110


def test_the_picture_names_rows_and_slices_and_draws_the_arrows(file: Path) -> None:
    view = read_timeline(file, 0, 500)
    figure = draw(view, LIGHT, 190)
    (axes,) = figure.axes
    texts = {text.get_text() for text in axes.texts}
    assert {"CPU 0", "GRU", "program", "TGH 5", "TLB kills", "munmap 0x10000 +4 pages", "drain: 4 pages", "cycle 190"} <= texts
    across = [arrow for arrow in view.arrows if arrow.source.row is not arrow.target.row]
    assert len(axes.patches) - len(view.rows) == len(across) == 2, "a band a row, an arrow from row to row"


def test_save_files_open_the_waveform_at_the_cycle(tmp_path: Path) -> None:
    waves = tmp_path / "waves.fst"
    gtkwave, surfer = write_savefiles(waves, 1_270_710, "REVOKED:\nread of va 0x1000")
    for path in (gtkwave, surfer):
        assert path.parent == tmp_path and path.stem == "waves"
        lines = path.read_text().splitlines()
        assert any("cycle 1270710: REVOKED: read of va 0x1000" in line for line in lines)
        for name in (name for signals in GROUPS.values() for name, _bits in signals):
            assert any(name in line for line in lines)
    saved = gtkwave.read_text().splitlines()
    assert f'[dumpfile] "{waves}"' in saved
    (zoom,) = (line.split() for line in saved if line.startswith("*-"))
    assert zoom[1] == str(marker_time(1_270_710)) and zoom[2:] == ["-1"] * 27
    assert saved.count("@800200") == saved.count("@1000200") == len(GROUPS)
    assert not any(line.startswith("(") for line in saved), "nobody to look at in particular"
    commands = surfer.read_text().splitlines()
    assert commands[0] == f"load_file {waves}"
    assert f"cursor_set {marker_time(1_270_710)}" in commands


def test_save_files_show_the_bits_of_who_is_to_blame(tmp_path: Path) -> None:
    chain = ["TGH 2 accepts 1 page", "CB 9 restarts", "TGH 0 accepts 1 page from 0x407e000 of asid 8"]
    gtkwave, _surfer = write_savefiles(tmp_path / "waves.fst", 5, "REVOKED: read of va 0x407e140 by control block 5", chain)
    lines = gtkwave.read_text().splitlines()
    bits = [line for line in lines if line.startswith("(")]
    assert bits == [
        "(122)hil_top.u_gru.active[127:0]",
        "(122)hil_top.u_gru.u_tfh.fmm_q[127:0]",
        "(122)hil_top.u_gru.u_tfh.upm_q[127:0]",
        "(23)hil_top.u_gru.u_tgh.pend_q[23:0]",
        "(23)hil_top.obs.tlb.shoot_done[23:0]",
    ]
    assert lines[lines.index(bits[0]) - 2 : lines.index(bits[0])] == ["-bit 5: CB 5", "@28"]
