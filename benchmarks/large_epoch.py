"""Seconds an epoch of MovieLens 1M's size: recs's two-tower beside TFRS's.

    python benchmarks/large_epoch.py [--turns 3] [--epochs 3] [--smoke]

1,000,209 generated interactions of 6,040 users with 3,706 items, some far more often than others;
string ids, batches of 8192, dimension 64, Adagrad, sampling correction and removal of accidental
hits. Both shuffle all rows. TFRS (0.7) needs Keras 2 and so runs in a process of its own; both take
turns, and the first epoch of each turn, which traces, is left out. How good such models are is
`epoch.py`'s question.
"""

from __future__ import annotations

import argparse
import pathlib
import sys
import types

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import numpy as np

from benchmarks.epoch import run_recs, run_tfrs
from benchmarks.timing import table
from recs.data import Interactions

SETTINGS = {
    "dim": 64,
    "batch_size": 8192,
    "learning_rate": 0.1,
    "temperature": 1.0,
    "remove_accidental_hits": True,
}


def generated(rows: int, users: int, items: int) -> Interactions:
    """Returns interactions whose users and items are drawn by Zipf-like weights."""
    rng = np.random.default_rng(1)

    def drawn(count: int, what: str) -> np.ndarray:
        weight = 1 / (np.arange(count) + 20.0)
        names = np.array([f"{what}{i}" for i in range(count)], object)
        return names[rng.choice(count, rows, p=weight / weight.sum())]

    columns = {"user_id": drawn(users, "u"), "movie_id": drawn(items, "m")}
    return Interactions(columns, {"user": "user_id", "item": "movie_id"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3, help="of each turn")
    parser.add_argument("--smoke", action="store_true", help="few rows, to see that it runs")
    arguments = parser.parse_args()
    rows, users, items = (20_000, 500, 300) if arguments.smoke else (1_000_209, 6_040, 3_706)
    turns = 1 if arguments.smoke else arguments.turns
    train = generated(rows, users, items)
    asked = types.SimpleNamespace(users=np.unique(train.user), catalogue=np.unique(train.item))
    sides = {"recs": run_recs, "TFRS": run_tfrs}
    found = {name: [] for name in sides}
    for turn in range(turns):
        settings = {**SETTINGS, "epochs": arguments.epochs, "seed": turn + 1}
        for name, run in sides.items():
            *_, seconds = run(train, asked, settings)
            found[name] += seconds
            print(f"turn {turn + 1} {name}:", *(f"{s:.2f}" for s in seconds), file=sys.stderr)
    median = {name: float(np.median(seconds)) for name, seconds in found.items()}
    lines = []
    for name, seconds in median.items():
        cells = [f"{seconds:.2f}", f"{rows / seconds / 1e3:.0f}", f"{median['TFRS'] / seconds:.2f}"]
        lines.append([name, *cells])
    batch = SETTINGS["batch_size"]
    print(f"{rows:,} interactions, {users:,} users, {items:,} items; batches of {batch}")
    print(table(["", "s an epoch", "thousand a second", "TFRS / side"], lines))


if __name__ == "__main__":
    main()
