"""Runs TF-Ranking, which needs Keras 2, in a process of its own and hands back what it computed.

Its metadata asks for TensorFlow below 2.16, so it is installed by itself, into a folder of the
cache, the first time that a test needs it.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

from tests.parity.peer import Case
from tests.parity.recorded import digest, recorded

SIDE = pathlib.Path(__file__).parent / "tfr_side.py"
VERSION = "0.5.5"


def installed() -> pathlib.Path:
    """Returns the folder that holds TF-Ranking, and fills it if it is not there."""
    named = os.environ.get("RECS_CACHE_DIR")
    user = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    cache = pathlib.Path(named) if named else pathlib.Path(user, "recs")
    folder = cache / f"tensorflow_ranking-{VERSION}"
    if folder.exists():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as made:
        target = pathlib.Path(made, "packages")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
        command += [str(target), f"tensorflow-ranking=={VERSION}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-4000:]
        try:
            target.rename(folder)
        except OSError:
            # Another process was faster.
            assert folder.exists()
    return folder


def run_tfr(name: str, cases: dict[str, Case]) -> dict[str, dict[str, np.ndarray]]:
    """Returns the arrays that TF-Ranking gives for each case, recorded or from one process for all.

    Args:
        name: Of the file of recorded answers.
        cases: What to compute, by name.
    """
    sides = [SIDE, SIDE.with_name("tfr_imported.py")]
    return recorded(name, digest(cases, sides, VERSION), lambda: _ask(cases))


def _ask(cases: dict[str, Case]) -> dict[str, dict[str, np.ndarray]]:
    with tempfile.TemporaryDirectory() as folder:
        given, asked = pathlib.Path(folder, "given.npz"), pathlib.Path(folder, "asked.json")
        answer = pathlib.Path(folder, "answer.npz")
        arrays = {f"{name}|{key}": x for name, c in cases.items() for key, x in c.arrays.items()}
        np.savez(given, **arrays)
        asked.write_text(json.dumps({n: [c.kind, c.options] for n, c in cases.items()}))
        done = subprocess.run(
            [sys.executable, str(SIDE), str(installed()), str(asked), str(given), str(answer)],
            env={**os.environ, "TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        results: dict[str, dict[str, np.ndarray]] = {name: {} for name in cases}
        with np.load(answer) as loaded:
            for key in loaded.files:
                name, field = key.rsplit("|", 1)
                results[name][field] = loaded[key]
        return results
