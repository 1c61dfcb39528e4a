"""What a run's process left, judged: how it ended and the first thing to read about it.

Promises: PASS only if the process ended well, left a result with at least one thing judged and no error, its test framework says
that the test ran and passed, and its log has no error in it. What went wrong first is named first: an objection of a check before
the crash that followed it.
"""

from __future__ import annotations

import hashlib
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from shootdown.regress.commands import COCOTB_XML, PYTEST_XML
from shootdown.regress.outcome import Status
from tb.plan.run import RunResult
from tb.plan.test import Kind

__all__ = ["disk_full", "judge"]

NO_OBJECTION = "did not call self.raise_objection()"  # pyuvm warns, and passes
ASSERTION = re.compile(r"%(?:Error|Fatal):.*Assertion failed in (\S+?):?(?: (.*))?$")
LOGGED = re.compile(
    r"^\s*(?:[-\d.]+[munpf]?s\s+)?(?:ERROR|CRITICAL|UVM_ERROR|UVM_FATAL)\b[\s:]*(.*)$|^(?:\[\d+\]\s*)?(%(?:Error|Fatal).*)$"
)
COLOUR = re.compile(r"\x1b\[[\d;]*m")  # what the environment may ask loggers for
DISK = re.compile(r"No space left on device|Disk quota exceeded|File too large")
NO_ITEMS = "no check saw anything"
Verdict = tuple[Status, str, RunResult]


def judge(kind: Kind, folder: Path, status: int | None, seconds: float) -> Verdict:
    """`status`: of the process, None if it was ended at its limit of `seconds`."""
    log = folder / "run.log"
    seen, failure = _pytest(folder / PYTEST_XML) if kind is Kind.PYTEST else _result(folder / "result.json")
    if status is None:
        return Status.TIMEOUT, f"no end within {seconds:.0f} s", seen or RunResult()
    if seen is None:  # an assertion stops the simulator before the test can write one
        failed = next((line for line in _lines(log) if ASSERTION.search(line)), "") if kind is not Kind.PYTEST else ""
        return (Status.FAIL, _assertion(failed), RunResult()) if failed else (Status.CRASH, _last_words(log, status), RunResult())
    if seen.errors:
        return Status.FAIL, next(iter(seen.objections), f"{seen.errors} errors, none of them kept"), seen
    said = "" if kind is Kind.PYTEST else _complaint(log)  # tests of broken variants print what they provoke
    if said:
        return Status.FAIL, said, seen
    if kind is Kind.UVM and NO_OBJECTION in _text(log):
        return Status.EMPTY, "the test raised no objection: it ended at cycle 0", seen
    if not seen.items:
        return Status.EMPTY, failure or NO_ITEMS, seen
    failure = failure or (_cocotb(folder / COCOTB_XML) if kind is Kind.UVM else "")
    if failure or status:
        return Status.CRASH, failure or _ended(status), seen
    return Status.PASS, "", seen


def disk_full(folder: Path, status: int | None) -> str:
    """What the run said about the disk, if that is why it ended."""
    if status is not None and -status == signal.SIGXFSZ:
        return "a file grew beyond the limit of its size"
    return next((line.strip() for line in _lines(folder / "run.log") if DISK.search(line)), "") if status else ""


def _result(path: Path) -> tuple[RunResult | None, str]:
    try:
        return RunResult.read(path), ""
    except (OSError, ValueError, TypeError):  # not there, or not what a run writes
        return None, ""


def _pytest(path: Path) -> tuple[RunResult | None, str]:
    """pytest's own file as a result: what passed is what was judged."""
    try:
        cases = list(ElementTree.parse(path).getroot().iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return None, ""
    passed, objections, skipped = [], [], ""
    for case in cases:
        name = f"{case.get('classname')}.{case.get('name')}"
        bad = next((one for one in case if one.tag in ("failure", "error")), None)
        if bad is not None:
            objections.append(f"{name}: {' '.join((bad.get('message') or 'failed').split())[:300]}")
        elif (left_out := case.find("skipped")) is not None:
            skipped = f"{name} was skipped: {left_out.get('message')}"
        else:
            passed.append(name)
    digest = hashlib.sha256("\n".join(sorted(passed)).encode()).hexdigest()[:32]
    result = RunResult(items=len(passed), errors=len(objections), objections=objections[:20], digest=digest)
    return result, "" if passed else skipped or "pytest ran no test"


def _cocotb(xml: Path) -> str:
    """What cocotb says went wrong; it writes its file last."""
    try:
        root = ElementTree.parse(xml).getroot()
    except (OSError, ElementTree.ParseError):
        return "the simulator left no result file"
    if root.find(".//testcase") is None:
        return "the simulator ran no test"
    found = next((one for one in root.iter() if one.tag in ("failure", "error")), None)
    return "" if found is None else found.get("error_msg") or found.get("message") or "the test failed"


def _complaint(log: Path) -> str:
    """The first error that stands only in the log: an assertion of the RTL, or a message of that level."""
    for line in _lines(log):
        if ASSERTION.search(line):
            return _assertion(line)
        logged = LOGGED.search(line)
        if logged:
            return f"logged: {(logged[1] or logged[2]).strip()}"
    return ""


def _assertion(line: str) -> str:
    """What an assertion said, with its place in the design."""
    failed = ASSERTION.search(line)
    assert failed is not None
    return f"assertion {failed[1]}" + (f": {failed[2]}" if failed[2] else "")


def _last_words(log: Path, status: int) -> str:
    lines = [line.strip() for line in _lines(log) if line.strip() and not line.startswith("regress: ")]
    raised = [line for line in lines if re.search(r"\w*(Error|Exception)\b", line)]
    if raised:
        return raised[-1]
    return f"{_ended(status)}: {lines[-1] if lines else 'no output'}"


def _ended(status: int) -> str:
    return f"exit status {status}" if status >= 0 else f"ended by {signal.Signals(-status).name}"


def _lines(log: Path) -> Iterator[str]:
    try:
        with log.open(errors="replace") as file:
            yield from (COLOUR.sub("", line) for line in file)
    except OSError:
        return


def _text(log: Path) -> str:
    return "".join(_lines(log))
