"""Runs TFRS, which needs Keras 2, in a process of its own and hands back what it computed."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from typing import Any

import numpy as np

from tests.parity.recorded import digest, recorded

HERE = pathlib.Path(__file__).parent


@dataclasses.dataclass
class Case:
    """One computation: what to compute, with which options, on which arrays."""

    kind: str
    options: dict[str, Any]
    arrays: dict[str, np.ndarray]


def run_tfrs(
    name: str | None, cases: dict[str, Case], side: str = "tfrs_side.py"
) -> dict[str, dict[str, np.ndarray]]:
    """Returns the arrays that TFRS gives for each case, recorded or from one process for all.

    Args:
        name: Of the file of recorded answers, or None to ask always.
        cases: What to compute, by name.
        side: The file beside this one that has a function for each kind of case.
    """
    if name is None:
        return _ask(cases, side)
    version = importlib.metadata.version("tensorflow-recommenders")
    question = digest(cases, [HERE / side], version)
    return recorded(name, question, lambda: _ask(cases, side))


def _ask(cases: dict[str, Case], side: str) -> dict[str, dict[str, np.ndarray]]:
    with tempfile.TemporaryDirectory() as folder:
        given, asked = pathlib.Path(folder, "given.npz"), pathlib.Path(folder, "asked.json")
        answer = pathlib.Path(folder, "answer.npz")
        arrays = {f"{name}|{key}": x for name, c in cases.items() for key, x in c.arrays.items()}
        np.savez(given, **arrays)
        asked.write_text(json.dumps({n: [c.kind, c.options] for n, c in cases.items()}))
        done = subprocess.run(
            [sys.executable, str(HERE / side), str(asked), str(given), str(answer)],
            env={**os.environ, "TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        results: dict[str, dict[str, np.ndarray]] = {name: {} for name in cases}
        with np.load(answer) as loaded:
            for key in loaded.files:
                name, field = key.split("|")
                results[name][field] = loaded[key]
        return results
