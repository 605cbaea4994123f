"""Recorded answers of TFRS and TF-Ranking, so that a test need not start them.

A peer takes ten seconds to start, and its answer to the same question does not change. Each file
has a digest of the cases, the code that asks the peer, and the peer's version. If one of them has
changed, the peer is asked. `RECS_TESTS_PEERS=live` always asks the peer, as one of CI's runs does;
`RECS_TESTS_PEERS=record` also writes the files.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np

ANSWERS = pathlib.Path(__file__).parent / "answers"
_DIGEST = "digest"

Answers = dict[str, dict[str, np.ndarray]]


def digest(cases: dict[str, Any], sides: list[pathlib.Path], version: str) -> str:
    """Returns a hash of the cases with their values, the code and the version."""
    found = hashlib.sha256(version.encode())
    for side in sides:
        found.update(side.read_bytes())
    for name, case in sorted(cases.items()):
        found.update(json.dumps([name, case.kind, case.options], sort_keys=True).encode())
        for key, array in sorted(case.arrays.items()):
            array = np.ascontiguousarray(array)
            found.update(f"{key} {array.dtype} {array.shape}".encode() + array.tobytes())
    return found.hexdigest()


def recorded(name: str, question: str, ask: Callable[[], Answers]) -> Answers:
    """Returns the answers of a file if they are to this question, else what the peer says.

    Args:
        name: The file.
        question: The `digest`.
        ask: Asks the peer.
    """
    how, path = os.environ.get("RECS_TESTS_PEERS"), ANSWERS / f"{name}.npz"
    if how is None and path.exists():
        found = _read(path, question)
        if found is not None:
            return found
    answers = ask()
    if how == "record":
        ANSWERS.mkdir(exist_ok=True)
        flat = {f"{case}|{key}": x for case, one in answers.items() for key, x in one.items()}
        np.savez_compressed(path, **{_DIGEST: np.array(question)}, **flat)
    return answers


def _read(path: pathlib.Path, question: str) -> Answers | None:
    with np.load(path, allow_pickle=False) as loaded:
        if str(loaded[_DIGEST]) != question:
            return None
        answers: Answers = {}
        for name in loaded.files:
            if name != _DIGEST:
                case, key = name.split("|")
                answers.setdefault(case, {})[key] = loaded[name]
        return answers
