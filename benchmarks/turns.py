"""Two processes that take turns: each is asked for one call, waits, and is asked again.

Sides that cannot live in one process are measured in turn all the same, so that a machine that
slows down slows both. A side reads a case a line from standard input and writes its answer.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

MARK = "answer:"


class Side:
    """A process that answers cases.

    Args:
        command: What to run, after the Python of this process.
        legacy: Whether it needs Keras 2.
    """

    def __init__(self, *command: str, legacy: bool = False) -> None:
        settings = {"TF_USE_LEGACY_KERAS": "1"} if legacy else {}
        self._process = subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **settings},
        )

    def ask(self, **case: Any) -> dict[str, float]:
        """Returns the answer to a case."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(case) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith(MARK):
                return json.loads(line[len(MARK) :])
        raise RuntimeError(f"the process ended: {self._process.wait()}")

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def answer(makers: Mapping[str, Callable[[dict], Callable[[], object]]]) -> None:
    """Answers cases until there are none: seconds of a call, and bytes that calls add to the peak.

    Args:
        makers: From a case's `kind` to what makes its call. A call is made once and called once
            before it is timed.
    """
    calls: dict[str, Callable[[], object]] = {}
    for line in sys.stdin:
        case = json.loads(line)
        key = json.dumps(case)
        if key not in calls:
            calls[key] = makers[case["kind"]](case)
            before = _restarted_peak()
            calls[key]()
        else:
            before = _restarted_peak()
        start = time.perf_counter()
        calls[key]()
        seconds = time.perf_counter() - start
        found = {"seconds": seconds, "bytes": max(0, _status("VmHWM") - before)}
        print(MARK + json.dumps(found), flush=True)


def _restarted_peak() -> int:
    """Returns the bytes the process holds, from which on its peak is counted anew."""
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _status(name: str) -> int:
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024
