"""`shootdown mutants --rtl`: defects planted in the RTL by a draw, each of which a test of the regression must notice.

Promises: exit status 0 if every mutant was killed or else has a reason, and every test that was asked passes without a mutant; 1 if
not; 130 when interrupted (what is known by then is printed). What was played is kept: the same command goes on where it was.
JSON keys: total, killed (hung ones included), survivors [{number, place, block, what, key, reason, asked}], hung, equivalent, seed,
contradicted [key] (killed, though the list has a reason), seconds, unfit {test: why}, blocks {block: {total, killed, hung,
equivalent}}, mutants [{number, place, what, fate, by, said}].
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

from shootdown.console import Display, error_console
from shootdown.errors import InputError, unknown
from shootdown.result import ProgressUpdate

__all__ = ["run"]

INTERRUPTED = 130


def run(*, seed: int, count: int, jobs: int, as_json: bool, blocks: Sequence[str] = (), tests: Sequence[str] = ()) -> int:
    """The whole command; its exit status. `blocks`: mutants of these alone; `tests`: these alone are asked."""
    from shootdown.rtl_mutants.draw import draw, files_of  # noqa: PLC0415 - loads slang
    from shootdown.rtl_mutants.equivalent import equivalents  # noqa: PLC0415
    from shootdown.rtl_mutants.hunt import Hunter, Report  # noqa: PLC0415
    from shootdown.rtl_mutants.suite import suite  # noqa: PLC0415
    from shootdown.rtl_mutants.told import as_json as data  # noqa: PLC0415
    from shootdown.rtl_mutants.told import contradicted, open_survivors, show  # noqa: PLC0415

    if count < 1:
        raise InputError(f"--count {count}: must be at least 1")
    if jobs < 1:
        raise InputError(f"--jobs {jobs}: must be at least 1")
    asked = {test.name: test for test in suite()}
    for name in tests:
        if name not in asked:
            raise unknown("--test", name, "test", asked)
    mutants = draw(seed, count, files_of(blocks))
    chosen = [test for name, test in asked.items() if not tests or name in tests]

    begun = time.monotonic()
    reports: list[Report] = []
    interrupted = False
    console = error_console()

    def say(text: str) -> None:
        console.print(f"[{time.monotonic() - begun:5.0f} s] {text}", markup=False)

    say(f"seed {seed}: {len(mutants)} mutants, {len(chosen)} tests")
    reasons = equivalents()
    with Hunter(mutants, chosen, jobs, say, reasons) as hunter, Display() as display:
        display(ProgressUpdate("mutants", 0, len(mutants)))
        try:
            for report in hunter.reports():
                reports.append(report)
                display(ProgressUpdate("mutants", len(reports), len(mutants), note=report.mutant.module))
                by = f" by {report.by.test}" if report.by else ""
                came = f"{report.fate}{by} ({report.seconds:.0f} s)"
                say(f"{len(reports)}/{len(mutants)} {came}: {report.mutant.place}: {report.mutant.what}")
        except KeyboardInterrupt:
            interrupted = True
        unfit = dict(hunter.unfit)

    reports.sort(key=lambda report: report.mutant.number)
    seconds = time.monotonic() - begun
    if as_json:
        print(json.dumps(data(reports, reasons, {"seed": seed, "seconds": round(seconds, 1), "unfit": unfit}), indent=2))
    else:
        show(reports, reasons)
        for name, why in unfit.items():
            print(f"not asked, it does not pass without a mutant: {name}: {why}")
        left = f"; interrupted with {len(mutants) - len(reports)} to go" if interrupted else ""
        print(f"seed {seed}, {seconds:.0f} s{left}")
    if interrupted:
        return INTERRUPTED
    return 1 if open_survivors(reports, reasons) or contradicted(reports, reasons) or unfit else 0
