"""Recall, NDCG and seconds an epoch: recs's two-tower beside TFRS's and beside popularity.

    python benchmarks/epoch.py [--seeds 5] [--epochs 10] [--smoke]

MovieLens latest-small, each user's last five ratings held out, full catalogue, training items
masked. Both train the same pairs with the same embedding size, epochs, batch size, optimizer,
temperature, sampling correction and removal of accidental hits; the vectors of both are judged by
the same function. The third row adds the item biases of configs/two_tower_movielens.yaml, which
TFRS does not offer; the ratios are without them.

TFRS (0.7) needs Keras 2 and so runs in a process of its own. All take turns, seed by seed, so that
a change in the machine's load meets each. The first epoch of each, which traces, is left out of
the times.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import keras
import numpy as np

from benchmarks.timing import table
from recs.data import movielens, splits
from recs.evaluation import HeldOut, evaluate_top_k, popularity_vectors
from recs.models import TwoTower

PEER = pathlib.Path(__file__).parent / "peers" / "tfrs_two_tower.py"
METRICS = ("recall@10", "ndcg@10")


def main() -> None:
    arguments = parse()
    data = movielens.load()
    train = splits.leave_last_out(data, 5).train
    test = splits.leave_last_out(data, 5).test
    if arguments.smoke:
        train = train.take(slice(0, 4000))
    held_out = HeldOut.of(train, test)
    settings = {
        "dim": 32,
        "epochs": arguments.epochs,
        "batch_size": 1024,
        "learning_rate": arguments.learning_rate,
        "temperature": 1.0,
        "remove_accidental_hits": True,
    }
    found = {"TFRS": [], "recs": [], "recs, item bias": []}
    for seed in range(1, arguments.seeds + 1):
        turn = [("TFRS", run_tfrs), ("recs", run_recs), ("recs, item bias", run_with_bias)]
        for name, run in turn if seed % 2 else reversed(turn):
            users, items, seconds = run(train, held_out, {**settings, "seed": seed})
            figures = evaluate_top_k(users, items, held_out, (10,))
            found[name].append([figures[m] for m in METRICS] + [float(np.median(seconds))])
            print(f"seed {seed} {name}: {figures}, {found[name][-1][-1]:.2f} s", file=sys.stderr)
    popularity = evaluate_top_k(*popularity_vectors(train, held_out), held_out, (10,))
    report(settings, held_out, popularity, found)


def run_with_bias(train, held_out, settings):
    return run_recs(train, held_out, settings, item_bias=True)


def run_recs(train, held_out, settings, item_bias=False):
    keras.utils.set_random_seed(settings["seed"])
    model = TwoTower(
        user="user_id",
        item="movie_id",
        embedding_dim=settings["dim"],
        temperature=settings["temperature"],
        correct_sampling=True,
        item_bias=item_bias,
        remove_accidental_hits=settings["remove_accidental_hits"],
    ).set_popularity(train.item_counts())
    model.compile(optimizer=keras.optimizers.Adagrad(settings["learning_rate"]))
    data = train.to_dataset(
        ["user_id", "movie_id"],
        batch_size=settings["batch_size"],
        shuffle=True,
        seed=settings["seed"],
    )
    seconds = []
    for _ in range(settings["epochs"]):
        start = time.perf_counter()
        model.fit(data, verbose=0, shuffle=False)
        seconds.append(time.perf_counter() - start)
    vectors = model.query_vectors(held_out.users), model.candidate_vectors(held_out.catalogue)
    return *vectors, seconds[1:] or seconds


def run_tfrs(train, held_out, settings):
    counts = train.item_counts()
    number = {item: row for row, item in enumerate(held_out.catalogue.tolist())}
    arrays = {
        "user": train.user.astype(str),
        "item": train.item.astype(str),
        "number": np.array([number[item] for item in train.item.tolist()]),
        "probability": np.array([counts[i] / len(train) for i in train.item.tolist()], "float32"),
        "all_users": np.unique(train.user.astype(str)),
        "all_items": held_out.catalogue.astype(str),
        "judged_users": held_out.users.astype(str),
        "settings": json.dumps(settings),
    }
    with tempfile.TemporaryDirectory() as folder:
        given, answer = pathlib.Path(folder, "given.npz"), pathlib.Path(folder, "answer.npz")
        np.savez(given, **arrays)
        done = subprocess.run(
            [sys.executable, str(PEER), str(given), str(answer)],
            env={**os.environ, "TF_USE_LEGACY_KERAS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(done.stderr[-4000:])
        with np.load(answer) as got:
            return (
                got["users"],
                got["items"],
                got["seconds"].tolist()[1:] or got["seconds"].tolist(),
            )


def report(settings, held_out, popularity, found):
    shown = ", ".join(f"{name} {value}" for name, value in settings.items())
    seeds = len(found["recs"])
    print(f"{len(held_out.users)} users, {len(held_out.catalogue)} items, {seeds} seeds; {shown}")
    base = np.array([popularity[m] for m in METRICS])
    mean = {name: np.mean(rows, axis=0) for name, rows in found.items()}
    lines = []
    for name, rows in found.items():
        spread = np.std(rows, axis=0, ddof=1) if len(rows) > 1 else np.zeros(3)
        cells = [f"{m:.4f} ± {s:.4f}" for m, s in zip(mean[name], spread, strict=True)]
        lines.append([name, *cells])
    lines.append(["popularity", *(f"{value:.4f}" for value in base), ""])
    ratios = mean["recs"][:2] / base
    lines.append(["recs / popularity", *(f"{ratio:.2f}" for ratio in ratios), ""])
    lines.append(["recs / TFRS", *(f"{ratio:.2f}" for ratio in mean["recs"] / mean["TFRS"])])
    print(table(["model", *METRICS, "s/epoch"], lines))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--smoke", action="store_true", help="one seed, one epoch, few rows")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.seeds = arguments.epochs = 1
    return arguments


if __name__ == "__main__":
    main()
