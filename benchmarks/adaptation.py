"""What adaptation costs in serving: an exported model asked with and without it, in turn.

A model of ratings whose tower has a hidden layer; requests of a user and an item each, and the
support of every user in the export's memory. Both sides are one SavedModel of stock ops: the plain
prediction is that of the model without a learner around it.

    python benchmarks/adaptation.py [--requests 64] [--support 20] [--steps 1] [--smoke]
"""

from __future__ import annotations

import argparse
import pathlib
import sys
import tempfile
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import numpy as np
import tensorflow as tf

from benchmarks.timing import Timed, interleave, table
from recs.models import MetaLearner, RatingModel

USERS, ITEMS = 5_000, 10_000


def exported(dim: int, units: list[int], support: int, steps: int, folder: str) -> tuple[Any, Any]:
    """Returns the model and the learner, loaded from what was written."""
    rng = np.random.default_rng(0)
    model = RatingModel(embedding_dim=dim, units=units, id_dtype="int64", seed=1)
    for tower, count in ((model.query_tower, USERS), (model.candidate_tower, ITEMS)):
        tower.embedding.table.upsert(np.arange(count), rng.normal(size=(count, dim)))
    for bias, count in ((model.user_bias, USERS), (model.item_bias, ITEMS)):
        bias.table.upsert(np.arange(count), rng.normal(size=(count, 1)))
    learner = MetaLearner(
        model, inner_rate=0.01, inner_steps=steps, memory_size=support, id_dtype="int64"
    )
    rows = USERS * support
    learner.remember(
        {
            "user_id": np.repeat(np.arange(USERS), support),
            "item_id": rng.integers(0, ITEMS, rows),
            "user_rating": rng.integers(1, 6, rows).astype("float32"),
        }
    )
    loaded = []
    for name, one in (("model", model), ("learner", learner)):
        path = one.export(f"{folder}/{name}/1")
        loaded.append(tf.saved_model.load(str(path)))
    return loaded[0], loaded[1]


def timed(plain: Any, learner: Any, request: dict[str, Any], rounds: int) -> dict[str, Timed]:
    """Returns the seconds of a request to each."""
    ask, ask_learner = (one.signatures["serving_default"] for one in (plain, learner))
    on, off = (tf.fill([len(request["user_id"])], value) for value in (True, False))
    calls = {
        "plain": lambda: ask(**request),
        "adapted": lambda: ask_learner(**request, adapt=on),
        "switched off": lambda: ask_learner(**request, adapt=off),
    }
    return interleave(calls, rounds, warmup=2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=64)
    parser.add_argument("--support", type=int, default=20)
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--smoke", action="store_true", help="tiny, to see that it runs")
    arguments = parser.parse_args()
    shapes = [(16, [32]), (32, [64]), (32, [128, 64])]
    if arguments.smoke:
        arguments.rounds, shapes = 3, shapes[:1]
    rng = np.random.default_rng(1)
    count = arguments.requests
    request = {
        "user_id": tf.constant(rng.integers(0, USERS, count)),
        "item_id": tf.constant(rng.integers(0, ITEMS, count)),
    }
    lines = []
    for dim, units in shapes:
        with tempfile.TemporaryDirectory() as folder:
            sides = exported(dim, units, arguments.support, arguments.steps, folder)
            seconds = timed(*sides, request, arguments.rounds)
        first = seconds["plain"].median
        for name, one in seconds.items():
            cells = [f"{one.median * 1e3:.3f}", f"{one.median / first:.2f}"]
            lines.append([f"{3 * dim}-{'-'.join(map(str, units))}-1, {name}", *cells])
    print(f"{count} requests, {arguments.support} support samples, {arguments.steps} inner step(s)")
    print(table(["tower", "ms", "times plain"], lines))


if __name__ == "__main__":
    main()
