"""The command line.

Promises: exit status 0 for a clean run, 1 for a violation, failed data or a stall, 2 for bad input, 130 when interrupted. Bad input
gets one line on standard error (what, where, what to do), never a traceback. --help of every command ends with an example.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from shootdown.cli_bench import bench_app
from shootdown.console import fail

__all__ = ["app", "main", "run"]

BAD_INPUT = 2
INTERRUPTED = 130

app = typer.Typer(
    name="shootdown",
    help="A laboratory for secondary MMUs: replay a program's memory life against the RTL, and catch stale translations.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
app.add_typer(bench_app, name="bench")
scenarios_app = typer.Typer(help="The library of races: list it, play it.", no_args_is_help=True, rich_markup_mode="rich")
app.add_typer(scenarios_app, name="scenarios")


@app.command(epilog="Example: shootdown cosim --trace program.sdt --memory 400 --seed 7")
def cosim(
    trace: Annotated[Path | None, typer.Option(help="Recorded program. Default: the one that ships.", show_default=False)] = None,
    device: Annotated[str, typer.Option(help="Device: gru, or hca (two systems and a link).")] = "gru",
    backend: Annotated[str, typer.Option(help="native or cocotb (hosts of the RTL), or model.")] = "native",
    seed: Annotated[int | None, typer.Option(help="Seed of every choice of the run. Default: 1.", show_default=False)] = None,
    memory: Annotated[
        int | None, typer.Option(metavar="FRAMES", help="Frames of memory. Fewer than the program needs: it swaps.")
    ] = None,
    limit: Annotated[int | None, typer.Option(metavar="VM_EVENTS", help="Stop the program after this many VM events.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("build/cosim"),
    waves: Annotated[bool, typer.Option("--waves", help="Write an FST waveform, also of a clean run.")] = False,
    no_timeline: Annotated[bool, typer.Option("--no-timeline", help="Leave out the timeline for Perfetto's viewer.")] = False,
    no_skip: Annotated[bool, typer.Option("--no-skip", help="Simulate idle cycles too; nothing else changes.")] = False,
    record_schedule: Annotated[Path | None, typer.Option(help="Write every choice of the run to a file.")] = None,
    schedule: Annotated[Path | None, typer.Option(help="Replay the choices of a recorded run.")] = None,
    dropin: Annotated[
        str | None, typer.Option(help="Who answers a miss first: interrupt (2008 driver) or user (today's).", show_default=False)
    ] = None,
    mutant: Annotated[str | None, typer.Option(help="Break the driver or the RTL on purpose, by name.")] = None,
) -> int:
    """Play a recorded program through the virtual memory, the notifiers and the driver into the RTL."""
    from shootdown.commands import cosim as command  # noqa: PLC0415 - each command loads its own machinery

    return command.run(
        command.Request(
            out=out,
            trace=trace,
            device=device,
            backend=backend,
            seed=seed,
            memory=memory,
            limit=limit,
            waves=waves,
            skip=not no_skip,
            timeline=not no_timeline,
            record_schedule=record_schedule,
            schedule=schedule,
            dropin=dropin,
            mutant=mutant,
        )
    )


@app.command(epilog="Example: shootdown record --out sort.sdt -- sort --parallel=2 words.txt")
def record(
    command: Annotated[list[str], typer.Argument(metavar="-- CMD ...", help="The program and its arguments.")],
    out: Annotated[Path, typer.Option(help="The trace to write (.sdt).")],
    max_runs: Annotated[int, typer.Option(help="Stop after this many page-granular runs.")] = 1_000_000,
    window: Annotated[int, typer.Option(help="Pages whose accesses are merged at once; 1: only neighbours.")] = 64,
) -> int:
    """Run a program under valgrind and keep its memory life: page accesses and memory calls."""
    from shootdown.commands import record as recorder  # noqa: PLC0415

    return recorder.run(command, out, max_runs, window)


@app.command(epilog="Example: shootdown timeline build/cosim/timeline.pftrace --picture race.png --around 41000 --cycles 4000")
def timeline(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The timeline.pftrace of a run.")],
    picture: Annotated[Path | None, typer.Option(help="Draw a window of it as a PNG file.")] = None,
    around: Annotated[
        int | None,
        typer.Option(
            metavar="CYCLE", help="Middle of the window. Default: the violation, else the first shootdown.", show_default=False
        ),
    ] = None,
    cycles: Annotated[int, typer.Option(help="Width of the window.")] = 5_000,
) -> int:
    """What a run's timeline holds; a picture of a window of it."""
    from shootdown.commands import timeline as command  # noqa: PLC0415

    return command.run(file, picture, around, cycles)


@app.command(epilog="Example: shootdown mutants --only fill_not_dropped --explain · shootdown mutants --rtl --count 200 --jobs 2")
def mutants(
    only: Annotated[list[str] | None, typer.Option(help="This mutant; may be repeated. Default: all.", show_default=False)] = None,
    seed: Annotated[int, typer.Option(help="Seed of the hunts.")] = 1,
    jobs: Annotated[int, typer.Option(help="Processes at once.")] = 2,
    no_assertions: Annotated[
        bool, typer.Option("--no-assertions", help="Switch the RTL's assertions off: the rest must do.")
    ] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Show the interleaving of each catch.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
    device: Annotated[str | None, typer.Option(help="Only those of gru or hca.", show_default=False)] = None,
    backend: Annotated[str, typer.Option(help="native or cocotb (the RTL), or model: the driver's mutants alone.")] = "native",
    rtl: Annotated[
        bool, typer.Option("--rtl", help="Instead: defects planted in the RTL by a draw, which the regression must notice.")
    ] = False,
    count: Annotated[int, typer.Option(help="With --rtl: how many.")] = 200,
    block: Annotated[
        list[str] | None, typer.Option(help="With --rtl: in this block; may be repeated. Default: all.", show_default=False)
    ] = None,
    test: Annotated[
        list[str] | None, typer.Option(help="With --rtl: ask this test; may be repeated. Default: all.", show_default=False)
    ] = None,
) -> int:
    """Break the RTL and the driver on purpose, one mutant at a time: a check must catch each."""
    if rtl:
        from shootdown.commands import rtl_mutants  # noqa: PLC0415
        from shootdown.errors import InputError  # noqa: PLC0415

        others = {"--only": only, "--no-assertions": no_assertions, "--explain": explain, "--device": device}
        for option, given in others.items():
            if given:
                raise InputError(f"{option}: not with --rtl", "leave one of them out")
        return rtl_mutants.run(seed=seed, count=count, jobs=jobs, as_json=as_json, blocks=block or (), tests=test or ())
    from shootdown.commands.mutants import run as run_mutants  # noqa: PLC0415

    return run_mutants(
        only or [],
        seed=seed,
        jobs=jobs,
        assertions=not no_assertions,
        as_json=as_json,
        explain=explain,
        device=device,
        backend=backend,
    )


@app.command(epilog="Example: shootdown explore gru_dropin --planted gru_free_before_ack · shootdown explore --planted all --json")
def explore(
    play: Annotated[str | None, typer.Argument(metavar="SCENARIO", help="A play; --list shows them.", show_default=False)] = None,
    planted: Annotated[
        list[str] | None,
        typer.Option(help="Switch this defect on; may be repeated; all: each of them, and none.", show_default=False),
    ] = None,
    strategy: Annotated[str, typer.Option(help="dfs, pct or random.")] = "dfs",
    budget: Annotated[int | None, typer.Option(metavar="N", help="Schedules at most. Default: 20,000.", show_default=False)] = None,
    bound: Annotated[
        int | None,
        typer.Option(metavar="K", help="dfs: preemptions at most; pct: changes of priority. Default: 2.", show_default=False),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of pct and random. Default: 1.", show_default=False)] = None,
    jobs: Annotated[int, typer.Option(help="Processes at once.")] = 1,
    out: Annotated[Path, typer.Option(help="Folder for schedules and for searches put aside.")] = Path("build/explore"),
    resume: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Go on with a search that was put aside.", show_default=False)
    ] = None,
    no_rtl: Annotated[bool, typer.Option("--no-rtl", help="Do not replay what is found on the RTL.")] = False,
    listed: Annotated[bool, typer.Option("--list", help="Show the plays and what can be planted in them.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> int:
    """Search the orders of a small play's steps for one that breaks a rule; shorten it, and replay it on the RTL."""
    from shootdown.commands import explore as command  # noqa: PLC0415

    if listed:
        return command.list_all(as_json)
    chosen = tuple(planted or ())
    return command.run(command.Request(play, chosen, strategy, budget, bound, seed, jobs, out, resume, not no_rtl, as_json))


@app.command(epilog="Example: shootdown testplan --results build/regress")
def testplan(
    check: Annotated[bool, typer.Option("--check", help="Write nothing: 1 if the page is old or a rule lacks something.")] = False,
    results: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="A regression's folder: keep what it said.", show_default=False)
    ] = None,
) -> int:
    """Write docs/testplan.md from the sources: rule, assertion, checker, cover group, test, last result."""
    from shootdown.regress.testplan import run as write_plan  # noqa: PLC0415

    return write_plan(check, results)


@app.command(epilog="Example: shootdown regress --set smoke · shootdown regress --test tlb_races --seed 7 --waves")
def regress(
    tests: Annotated[
        list[str] | None,
        typer.Option("--test", metavar="NAME", help="This test; patterns too, may be repeated.", show_default=False),
    ] = None,
    chosen: Annotated[str, typer.Option("--set", help="smoke, default or full.")] = "default",
    block: Annotated[
        list[str] | None, typer.Option(help="Tests of this block; gru and hca mean all of theirs.", show_default=False)
    ] = None,
    rule: Annotated[list[str] | None, typer.Option(help="Tests of this rule (SD-1 ...).", show_default=False)] = None,
    seeds: Annotated[
        int | None, typer.Option(metavar="N", help="Seeds 1 to N of every test. Default: the test's own.", show_default=False)
    ] = None,
    seed: Annotated[int | None, typer.Option(help="This seed only.", show_default=False)] = None,
    reseed: Annotated[
        int | None, typer.Option(metavar="N", help="N new seeds of every test, drawn and printed.", show_default=False)
    ] = None,
    scale: Annotated[float, typer.Option(help="Length of the stimulus, relative.")] = 1.0,
    mutant: Annotated[str, typer.Option(help="Break the RTL on purpose, by name.", show_default=False)] = "",
    waves: Annotated[bool, typer.Option("--waves", help="Write a waveform of every UVM and co-simulation run.")] = False,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Wall-clock limit of a run. Default: the test's own.", show_default=False),
    ] = None,
    jobs: Annotated[int, typer.Option(help="Workers: processes here, jobs of a batch system.")] = 2,
    farm: Annotated[str, typer.Option(help="local, slurm, lsf, pbs, sge, or a Dask scheduler's address.")] = "local",
    farm_option: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="For the batch system: queue=, account=, walltime= ...", show_default=False),
    ] = None,
    farm_wait: Annotated[float, typer.Option(metavar="SECONDS", help="How long the first worker may take to come.")] = 600.0,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("build/regress"),
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what has not ended.")] = False,
    list_only: Annotated[bool, typer.Option("--list", help="List the tests and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary (or the list) as JSON.")] = False,
    no_coverage: Annotated[bool, typer.Option("--no-coverage", help="Do not count code coverage: faster builds and runs.")] = False,
) -> int:
    """Play the tests of the verification plan, merge coverage, and hold both against the goals."""
    from shootdown.commands import regress as command  # noqa: PLC0415
    from shootdown.regress.select import Request  # noqa: PLC0415

    if list_only:
        return command.list_tests(as_json)
    request = Request(
        tier=command.tier(chosen),
        tests=tests or (),
        blocks=block or (),
        rules=rule or (),
        seeds=seeds,
        seed=seed,
        reseed=reseed,
        scale=scale,
        mutant=mutant.lower(),
        waves=waves,
        coverage=not no_coverage,
        timeout=timeout,
    )
    where = command.place(farm, jobs, farm_option or (), farm_wait)
    return command.run(request, command.Asked(out, where, resume, as_json))


@app.command(epilog="Example: shootdown claims --only livelock --out build/claims")
def claims(
    out: Annotated[
        Path | None, typer.Option(help="Folder of page, pictures and claims.json. Default: build/claims.", show_default=False)
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="This claim; may be repeated. Default: all.", show_default=False)
    ] = None,
    jobs: Annotated[int, typer.Option(help="Processes at once.")] = 2,
    seed: Annotated[int, typer.Option(help="Seed of every choice of the runs.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print what claims.json holds.")] = False,
    listing: Annotated[bool, typer.Option("--list", help="List the claims and end.")] = False,
    docs: Annotated[bool, typer.Option("--docs", help="Write docs/claims.md and its pictures.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Measure nothing: 1 if the page (or the one in --out) is not that of its figures.")
    ] = False,
) -> int:
    """Measure what was claimed when the notifiers were proposed (linux-mm, February 2008): a page with plots and verdicts.

    Exit status: 0 all ran, whatever the verdicts; 1 an experiment broke a rule of the oracle, or --check failed; 2 bad input.
    """
    from shootdown.commands import claims as command  # noqa: PLC0415

    return command.run(command.Request(out, only or (), jobs, seed, as_json, listing, docs, check))


@scenarios_app.command("list", epilog="Example: shootdown scenarios list")
def scenarios_list(
    as_json: Annotated[bool, typer.Option("--json", help="Print everything about each as JSON.")] = False,
    device: Annotated[str | None, typer.Option(help="Only those of gru or hca.", show_default=False)] = None,
) -> int:
    """Every scenario by name, and what happens in it."""
    from shootdown.commands.scenarios import list_all  # noqa: PLC0415

    return list_all(as_json, device)


@scenarios_app.command("run", epilog="Example: shootdown scenarios run dropin_shootdown --seed 7")
def scenarios_run(
    names: Annotated[list[str], typer.Argument(metavar="NAME... | all", help="Scenarios, or all of them.")],
    backend: Annotated[str, typer.Option(help="native or cocotb (the RTL), or model.")] = "native",
    seed: Annotated[int | None, typer.Option(help="Seed of every choice of the run. Default: 1.", show_default=False)] = None,
    mutant: Annotated[str | None, typer.Option(help="Break the driver or the RTL on purpose, by name.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for a report, a schedule and, of a failure, a waveform of each.", show_default=False)
    ] = None,
    schedule: Annotated[Path | None, typer.Option(help="Replay the choices of a recorded run (one scenario).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
    device: Annotated[str | None, typer.Option(help="all: only those of gru or hca.", show_default=False)] = None,
) -> int:
    """Play scenarios: VM, driver and device meet at every relative time, and what comes of it is checked."""
    from shootdown.commands import scenarios as command  # noqa: PLC0415

    return command.run(command.Request(names, backend, seed, mutant, out, schedule, as_json, device))


def run(arguments: Sequence[str] | None = None) -> int:
    """The command line as a function: its exit status."""
    from typer.exceptions import TyperException  # noqa: PLC0415

    from shootdown.errors import input_errors  # noqa: PLC0415
    from sw_stack.sched import ScheduleError  # noqa: PLC0415
    from sw_stack.workloads.record import RecordError  # noqa: PLC0415
    from sw_stack.workloads.trace import TraceError  # noqa: PLC0415

    try:
        status = app(args=None if arguments is None else list(arguments), prog_name="shootdown", standalone_mode=False)
    except TyperException as error:
        if error.format_message():  # empty: the help was shown because nothing was asked
            fail(f"{error.format_message()} See shootdown --help.")
        return BAD_INPUT
    except KeyboardInterrupt:
        fail("interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output is gone; say nothing more into the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (TraceError, ScheduleError, RecordError) as error:
        fail(error)
        return BAD_INPUT
    except Exception as error:
        if not isinstance(error, input_errors()):
            raise
        fail(error)
        return BAD_INPUT
    return status if isinstance(status, int) else 0


def main() -> None:
    """Entry point of the `shootdown` command."""
    sys.exit(run())


if __name__ == "__main__":
    main()
