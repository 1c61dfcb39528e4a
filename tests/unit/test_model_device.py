"""The model as a device: settings, refusals, queues that grow, records that outgrow their room, the compiled kernel's cache."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pymodels.gru.device as device_module
from hwif.gen import gru as g
from hwif.memory import HostMemory
from hwif.port import DeviceError, MmioDone, MmioRead, MmioWrite
from hwif.shadow import Shadow
from pymodels.gru import GruModel, ModelOptions, jit, layout, state
from tb.hil.baremetal import BareMetal, Steps, run
from tb.hil.native import NativeDevice
from tests.equiv.programs import mixed

FRAMES = 1024
SCRATCH = g.TGH_BASE + 8


def make(**options: int) -> GruModel:
    return GruModel(HostMemory(FRAMES), Shadow(FRAMES), ModelOptions(**options))


def played(device: Any, seed: int = 1) -> tuple[list[Any], list[Any], dict[str, int]]:
    gru = run(device, mixed(seed, rounds=4))
    return gru.log, device.drain_trace().tolist(), dict(device.statistics())


def test_counters_are_those_of_the_harness() -> None:
    with NativeDevice(HostMemory(FRAMES), Shadow(FRAMES)) as native, make() as model:
        assert set(model.statistics()) == set(native.statistics())


def test_reset_is_power_on() -> None:
    with make(read_latency=33) as model:
        first = played(model)
        model.memory.bytes[:] = 0
        model.shadow.words[:] = 0
        model.shadow.ctx_mm[:] = 0
        model.reset()
        assert model.cycle == 0 and not model.violations() and not len(model.drain_trace())
        assert set(model.statistics().values()) == {0}
        assert played(model) == first


def test_time_in_which_nothing_happens_costs_no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    with make() as model:
        model.advance(5)
        entered: list[int] = []
        kernel = device_module.run
        monkeypatch.setattr(device_module, "run", lambda *arguments: (entered.append(1), kernel(*arguments))[1])
        for until in (6, 100, 100, 10_000):
            assert model.advance(until) == () and model.cycle == until
        assert not entered
        model.submit(MmioRead(10_050, 1, SCRATCH, 1))
        assert model.advance(10_050) == () and not entered, "the request is taken in the cycle after"
        (answer,) = model.advance(20_000)
        assert isinstance(answer, MmioDone) and answer.cycle == model.cycle == 10_054 and entered


def test_advancing_in_small_steps_changes_nothing() -> None:
    def steps(gru: BareMetal) -> Steps:
        inner = mixed(4, rounds=3)(gru)
        until = next(inner)
        while True:
            events = yield min(until, gru.device.cycle + 3)
            if not events and gru.device.cycle < until:
                continue
            try:
                until = inner.send(events)
            except StopIteration:
                return

    with make() as whole, make() as small:
        one = run(whole, mixed(4, rounds=3))
        other = run(small, steps)
        assert one.log == other.log and whole.drain_trace().tolist() == small.drain_trace().tolist()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("read_latency", 0, "must lie in"),
        ("bytes_per_cycle", 65, "must lie in"),
        ("oracle", 2, "must lie in"),
        ("speed", 1, "no setting"),
    ],
)
def test_wrong_settings_are_refused(name: str, value: int, message: str) -> None:
    with make() as model, pytest.raises(DeviceError, match=message):
        model.configure(name, value)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (MmioRead(0, 9, SCRATCH, 1), "request 9: cycle 0 is in the past, now 50"),
        (MmioRead(50, 9, SCRATCH, 9), "1 to 8 double-words, not 9"),
        (MmioWrite(50, 9, SCRATCH, ()), "1 to 8 double-words, not 0"),
        (MmioRead(50, 9, SCRATCH + 4, 1), "not a multiple of 8"),
        (MmioRead(50, 9, (1 << 27) - 8, 2), "outside the chiplet window"),
    ],
    ids=["past", "long", "empty", "crooked", "outside"],
)
def test_wrong_requests_are_refused_and_the_rest_goes_on(request_: Any, message: str) -> None:
    with make() as model:
        model.advance(50)
        with pytest.raises(DeviceError, match=message):
            model.submit(request_)
        model.submit(MmioRead(50, 10, SCRATCH, 1))
        (answer,) = model.advance(100)
        assert isinstance(answer, MmioDone) and answer.serial == 10


def test_a_shadow_larger_than_memory_is_refused() -> None:
    with pytest.raises(DeviceError, match="knows 65 frames, host memory has 64"):
        GruModel(HostMemory(64), Shadow(65))


def test_thousands_of_requests_wait_their_turn() -> None:
    """More than the queue's first size, in any order of submission."""
    count = 3000
    order = np.random.default_rng(5).permutation(count)
    with make() as model:
        for number in order.tolist():
            model.submit(MmioWrite(number // 3, number, SCRATCH, (number,)))
        answered = []
        while len(answered) < count:
            answered += [event.serial for event in model.advance(1 << 40) if isinstance(event, MmioDone)]
        assert answered == list(range(count))
        model.submit(MmioRead(model.cycle, count, SCRATCH, 1))
        (last,) = model.advance(1 << 40)
        assert isinstance(last, MmioDone) and last.data == (count - 1,)


def test_records_that_outgrow_the_kernels_room_are_all_kept() -> None:
    """A poll that looks up for ever: its lookups fill the room many times within one advance."""

    def program(gru: BareMetal) -> Steps:
        yield from gru.start_context(0, 2, 2)
        gru.map_page(0, 0x400, 5)
        yield from gru.issue(0, 0, gru.instruction(g.CbOpc.GAMERR, va=0x400_000, exop=g.ExopEr.EPOLL, stride=1))
        yield from gru.serve(lambda: gru.answered == 1)
        gru.device.drain_lookups()  # type: ignore[attr-defined]
        yield from gru.sleep(5_000_000)

    with make(log_lookups=1, read_latency=20) as model:
        run(model, program)
        lookups = model.drain_lookups()
        assert len(lookups) > 2 * state.LOOKUP_ROOM
        assert (np.diff(lookups[:, 0].astype(np.int64)) > 0).all()
        assert len(lookups) == model.statistics()["tlb_lookups"] - 1, "all but the miss"


def test_only_the_first_violations_are_kept_and_all_are_counted() -> None:
    def program(gru: BareMetal) -> Steps:
        yield from gru.start_context(0, 2, 2)
        gru.stop_on_violation = False
        gru.map_page(0, 0x400, 5)
        gru.device.shadow.revoke(5, 1, 0x400)
        yield from gru.issue(0, 0, gru.instruction(g.CbOpc.VSET, va=0x400_000, count=512))
        yield from gru.finish(0, [0])

    with make() as model:
        model.configure("max_violations", 10)
        run(model, program)
        assert len(model.violations()) == 10 and model.statistics()["violations"] == 64


def test_without_the_oracle_nothing_is_checked() -> None:
    with make(oracle=0) as model:
        played(model)
        assert model.statistics()["checked_beats"] == 0 < model.statistics()["memory_read_beats"]


# ---- the kernel's cache --------------------------------------------------------------------------------------------------


def test_the_cache_is_of_these_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = jit._digest()
    monkeypatch.setattr(layout, "POLL_BACKOFF", layout.POLL_BACKOFF + 1)
    assert jit._digest() != before, "a number the kernel is compiled with"
    monkeypatch.undo()
    (tmp_path / "tlb.py").write_text("# other code\n")
    monkeypatch.setattr(jit, "HERE", tmp_path)
    assert jit._digest() != before, "a source the kernel is compiled from"


def test_the_cache_goes_where_it_can(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "given"))
    assert jit._folder().parent == tmp_path / "given"
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    (tmp_path / "build").write_text("not a folder")
    monkeypatch.setattr(jit, "ROOT", tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert jit._folder().parent == tmp_path / "home" / ".cache" / "shootdown" / "numba"
    (tmp_path / "home").rename(tmp_path / "gone")
    (tmp_path / "home").write_text("not a folder either")
    assert "shootdown-numba-" in str(jit._folder())


def test_a_second_process_loads_what_the_first_compiled() -> None:
    make().close()  # compiled by now
    program = (
        "import pymodels.gru.core as core\n"
        "from hwif.memory import HostMemory\nfrom hwif.shadow import Shadow\nfrom pymodels.gru import GruModel\n"
        "GruModel(HostMemory(8), Shadow(8))\n"
        "assert sum(core.run.stats.cache_hits.values()) == 1 and not core.run.stats.cache_misses, core.run.stats\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).resolve().parents[2])
