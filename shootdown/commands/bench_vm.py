"""`shootdown bench vm`: what the software stack alone does, beside what the project wants to reach."""

from __future__ import annotations

import json
from collections.abc import Mapping

from rich.console import Console

from shootdown.commands.bench import flatten
from shootdown.commands.reach import Reach, reach_table
from shootdown.console import Display
from shootdown.result import ProgressUpdate

__all__ = ["REACH", "run_vm"]

REACH: Mapping[str, Reach] = {
    "vm_ops_per_s": Reach("system calls and faults per second, mixed as the shipped program's, one core", "least", 50_000),
    "per_s.fault": Reach("first touches"),
    "per_s.reuse_fault": Reach("stores to pages made writable again"),
    "per_s.mmap": Reach("mmap of a page"),
    "per_s.munmap": Reach("munmap of a page that is present"),
    "per_s.mprotect": Reach("mprotect of a page that is present"),
    "dispatch_us.0": Reach("invalidate_page to no client", "most", 2),
    "dispatch_us.1": Reach("to one"),
    "dispatch_us.4": Reach("to four"),
    "dispatch_range_us.0": Reach("one of invalidate_range_begin and end, to no client", "most", 2),
    "dispatch_range_us.1": Reach("to one"),
    "dispatch_range_us.4": Reach("to four"),
    "further_client_us": Reach("invalidate_page, each further client"),
    "resident_mib": Reach("peak resident size, 1,000,000 frames in use by 100 address spaces", "most", 1024),
    "large.frames": Reach("of them in use"),
    "large.address_spaces": Reach("by so many"),
}


def run_vm(as_json: bool) -> int:
    """The whole command; its exit status."""
    from bench.vm import measure  # noqa: PLC0415

    with Display() as display:
        display(ProgressUpdate("measure"))
        numbers = measure()
    if as_json:
        print(json.dumps(numbers, indent=2))
    else:
        Console().print(reach_table(flatten(numbers), REACH, ",.6g"))
    return 0
