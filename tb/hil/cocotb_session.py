"""The cocotb test module that hosts a session (see cocotb_host.py). Runs inside the simulator; the file named by
SHOOTDOWN_SESSION says what to run and where to leave the result."""

from __future__ import annotations

import importlib
import os
import pickle
import traceback
from pathlib import Path
from typing import Any

import cocotb

from tb.hil.cocotb_host import SESSION_VARIABLE, Simulator


@cocotb.test()
async def session(dut: Any) -> None:
    order = pickle.loads(Path(os.environ[SESSION_VARIABLE]).read_bytes())
    try:
        module, _, function = order["entry"].partition(":")
        entry = getattr(importlib.import_module(module), function)
        answer: dict[str, Any] = {"result": await entry(Simulator(dut), order["arguments"])}
        packed = pickle.dumps(answer)
    except Exception as error:  # whatever the session raised is raised again by the launcher
        text = traceback.format_exc()
        try:
            packed = pickle.dumps({"error": error, "traceback": text})
            pickle.loads(packed)
        except Exception:  # an exception that does not survive pickling travels as its text
            packed = pickle.dumps({"error": None, "traceback": text})
    target = Path(order["answer"])
    partial = target.with_suffix(".partial")
    partial.write_bytes(packed)
    partial.replace(target)
