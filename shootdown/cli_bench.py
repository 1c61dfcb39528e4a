"""The command line's group `shootdown bench`: what can be measured. Promises and statuses are those of cli.py."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["bench_app"]

bench_app = typer.Typer(
    help="Measure: cycle counts of the RTL, the model's error, speed.", no_args_is_help=True, rich_markup_mode="rich"
)


@bench_app.callback()
def bench() -> None:
    """Measure."""


@bench_app.command("rtl", epilog="Example: shootdown bench rtl --device hca --json")
def bench_rtl(
    device: Annotated[str, typer.Option(help="Device: gru or hca.")] = "gru",
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
) -> int:
    """Exact cycle counts of the RTL: hits, shootdowns or invalidations, drains, faults, the HCA's link."""
    from shootdown.commands.bench import run_rtl  # noqa: PLC0415

    return run_rtl(as_json, device)


@bench_app.command("model", epilog="Example: shootdown bench model --device hca --json")
def bench_model(
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
    device: Annotated[str, typer.Option(help="gru, or hca (two systems and a link).")] = "gru",
) -> int:
    """How far the model is from the RTL on the shipped program. About a minute; the HCA's, three."""
    from shootdown.commands.bench_model import run_model  # noqa: PLC0415

    return run_model(as_json, device)


@bench_app.command("speed", epilog="Example: shootdown bench speed --only native_over_bare,oracle_overhead")
def bench_speed(
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
    only: Annotated[str | None, typer.Option(metavar="KEY[,KEY]", help="Measure these ratios alone.")] = None,
) -> int:
    """What a run costs beside other ways to run it. Minutes; needs a machine with nothing else to do."""
    from shootdown.commands.bench_speed import run_speed  # noqa: PLC0415

    return run_speed(as_json, only)


@bench_app.command("vm", epilog="Example: shootdown bench vm --json")
def bench_vm(as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False) -> int:
    """The software stack alone, without a device: operations per second, notifier calls, memory. A minute."""
    from shootdown.commands.bench_vm import run_vm  # noqa: PLC0415

    return run_vm(as_json)


@bench_app.command("farm", epilog="Example: shootdown bench farm --set smoke --json")
def bench_farm(
    chosen: Annotated[str, typer.Option("--set", help="smoke, default or full.")] = "smoke",
    tests: Annotated[
        list[str] | None,
        typer.Option("--test", metavar="NAME", help="This test; patterns too, may be repeated.", show_default=False),
    ] = None,
    seeds: Annotated[int | None, typer.Option(metavar="N", help="Seeds 1 to N of every test.", show_default=False)] = None,
    jobs: Annotated[int, typer.Option(help="Workers to compare with one.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
) -> int:
    """How much faster a regression is with several workers than with one. Needs a machine with nothing else to do."""
    from shootdown.commands.bench_farm import run_farm  # noqa: PLC0415

    return run_farm(chosen, tests or (), seeds, jobs, as_json)
