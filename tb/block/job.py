"""One run of a block's test in a process of its own: `python -m tb.block.job CONFIG_FILE TARGET`.

CONFIG_FILE holds what `RunConfig.dump` wrote; TARGET is "module:function", a function RunConfig -> RunResult.

Promises: the seed is printed first and last. The result is written whole, or there is none: a function that raises is a crash, its
text is printed and nothing written. The exit status is 0 only if no check objected and one saw something. The same configuration
leaves the same result, digest included.
Needs: what the function needs; a target that does not exist is a crash too.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

from tb.block.points_hca import NUMBERED
from tb.block.program import Outcome
from tb.plan.cover import CoverGroup, Tally
from tb.plan.run import RunConfig, RunResult

__all__ = ["CRASHED", "FAILED", "main", "result_of"]

FAILED, CRASHED, MISUSED = 1, 3, 2
"""Exit statuses beside 0: a check objected or saw nothing; no result; the command line."""
SHOWN = 10  # objections printed


def result_of(outcome: Outcome, items: str, covers: Mapping[str, CoverGroup]) -> RunResult:
    """What a bench that checks itself found. `items`: the names of the numbers that count what was judged, added up; `covers`: a
    number NAME_I is how often bin I of NAME's group was hit."""
    tally = Tally(covers.values())
    for name, group in covers.items():
        for index, point in enumerate(NUMBERED.get(group.name, group.bins)):
            if times := outcome.numbers.get(f"{name}_{index}", 0):
                tally.hit(group, point, times)
    complaints = [outcome.complaint] if outcome.complaint else []
    return RunResult(
        cycles=outcome.numbers.get("cycles", 0),
        items=sum(outcome.numbers.get(name, 0) for name in items.split()),
        errors=len(complaints),
        objections=complaints,
        coverage=tally.counts,
        digest=f"{outcome.numbers.get('digest', 0):016x}",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; the exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    if len(given) != 2:
        print("usage: python -m tb.block.job CONFIG_FILE MODULE:FUNCTION", file=sys.stderr)
        return MISUSED
    config = RunConfig.load(Path(given[0]).read_text())
    seed = f"seed {config.seed}, test {config.test}, mutant {config.mutant}, scale {config.scale}"
    print(seed, flush=True)
    Path(config.result).unlink(missing_ok=True)
    try:
        module, _, function = given[1].partition(":")
        result: RunResult = getattr(import_module(module), function)(config)
    except Exception:
        print(traceback.format_exc().rstrip(), flush=True)
        print(seed, flush=True)
        return CRASHED
    result.write(Path(config.result))
    for text in result.objections[:SHOWN]:
        print(text)
    print(f"{result.items} items in {result.cycles} cycles, {result.errors} errors, digest {result.digest}")
    print(seed, flush=True)
    return 0 if result.errors == 0 and result.items > 0 else FAILED


if __name__ == "__main__":
    sys.exit(main())
