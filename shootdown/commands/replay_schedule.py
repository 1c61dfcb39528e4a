"""`shootdown cosim --schedule F`, F from `shootdown explore`: the schedule step by step, on the RTL or the model.

Promises: exit status 1 if the failure it is for came again (or another did), 0 if everything held, 2 with one line that names the
step if the schedule does not fit. With --waves the RTL's waveform of the run, opened at the cycle of the failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from shootdown.commands.cosim import WAVE_BYTES, Request, check_out
from shootdown.errors import InputError
from shootdown.interleaving import terminal_width

__all__ = ["run"]

BACKENDS = ("native", "model")


def run(request: Request, path: Path) -> int:
    """Replay, and say what came of it."""
    from shootdown.explore.replay import replay  # noqa: PLC0415 - loads the stack
    from shootdown.explore.schedule import read  # noqa: PLC0415
    from shootdown.explore.table import heading, table  # noqa: PLC0415

    schedule = read(path)
    if request.backend not in BACKENDS:
        hint = "native is the same RTL in this process, cycle for cycle"
        raise InputError(f"--backend {request.backend}: a schedule of steps is replayed on {' or '.join(BACKENDS)}", hint)
    given: Mapping[str, object] = {
        "--trace": request.trace,
        "--seed": request.seed,
        "--memory": request.memory,
        "--limit": request.limit,
        "--dropin": request.dropin,
        "--mutant": request.mutant,
        "--record-schedule": request.record_schedule,
    }
    for name, value in given.items():
        if value is not None:
            raise InputError(f"{name}: not with {path}", "the schedule says which play it is, and what is planted in it")
    waves = None
    if request.waves:
        if request.backend == "model":
            raise InputError("--waves: the model has no pins", "give --backend native")
        check_out(request.out, WAVE_BYTES)
        waves = request.out / "waves.fst"
    planted = f", {schedule.planted} planted" if schedule.planted else ""
    print(f"{path}: {len(schedule.steps)} steps of {schedule.play}{planted} ({request.backend})", flush=True)
    replayed = replay(schedule, request.backend, path, waves)
    print("\n".join(heading(schedule.play, schedule.planted)))
    print(f"\n{table(replayed, terminal_width())}\n")
    failure = replayed.failure
    if failure is None:
        print(f"nothing failed; the schedule is for {schedule.kind}: {schedule.text}")
    elif replayed.same_as(schedule):
        print(f"the same: {failure.kind}: {failure.text.splitlines()[0]}")
    else:
        print(f"another failure: {failure.kind}: {failure.text.splitlines()[0]}; the schedule is for {schedule.kind}")
    if failure is not None and failure.kind == "STALL":
        print("\n".join(f"  {line}" for line in failure.text.splitlines()))
    if replayed.waves is not None:
        print(f"waveform: {replayed.waves} (gtkwave {replayed.waves.with_suffix('.gtkw')})")
    print(f"digest {replayed.digest}")
    return 0 if failure is None else 1
