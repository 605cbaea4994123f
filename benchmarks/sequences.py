"""What comes next: SASRec, GRU4Rec and means of the history beside popularity.

    python benchmarks/sequences.py [--seeds 3] [--judge-on test] [--smoke]

MovieLens latest-small, each user's last rating held out for the test and the one before it for
validation; full catalogue, what the user has is masked. HR@10 is the share of users whose next
movie is among the first ten. All models have one table of size 64 for history and movies, learn
from every position of every window, and draw 1024 negatives of the batch, corrected for sampling.
Windows, rates, dropout and epochs were chosen by the validation part (`--judge-on validation`).
"""

from __future__ import annotations

import argparse
import os
import pathlib
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import keras
import numpy as np

from benchmarks.timing import table
from recs.data import movielens, sequences, splits
from recs.evaluation import HeldOut, evaluate_top_k, popularity_vectors
from recs.layers.sequence import GRU4Rec, MeanHistory, SASRec
from recs.models import SequentialRetrieval

# Encoder, windows, learning rate, batch size, epochs.
MODELS = {
    "SASRec": (lambda seed: SASRec(2, 1, 50, dropout=0.4, seed=seed), 50, 0.002, 32, 25),
    "GRU4Rec": (lambda seed: GRU4Rec(64, 1, 0.5, max_length=50, seed=seed), 50, 0.01, 32, 30),
    "mean of the last 5": (lambda seed: MeanHistory(5), 5, 0.005, 256, 15),
    "mean of the last 50": (lambda seed: MeanHistory(50), 50, 0.005, 32, 20),
}
METRICS = ("recall@10", "ndcg@10")


def main() -> None:
    arguments = parse()
    data = movielens.load()
    if arguments.smoke:
        data = data.take(slice(0, 4000))
    parts = splits.leave_last_out(data, 1, validation_n=1)
    known = [parts.train] + ([parts.validation] if arguments.judge_on == "test" else [])
    judged = getattr(parts, arguments.judge_on)
    held_out = HeldOut.of(parts.train, judged, also_seen=known[1:])
    found = {name: [] for name in MODELS}
    for seed in range(1, arguments.seeds + 1):
        for name, settings in MODELS.items():
            found[name].append(run(parts.train, known, held_out, seed, arguments.smoke, *settings))
            print(f"seed {seed} {name}: {found[name][-1]}", file=sys.stderr, flush=True)
    popularity = evaluate_top_k(*popularity_vectors(parts.train, held_out), held_out, (10,))
    report(arguments.judge_on, held_out, popularity, found)


def run(train, known, held_out, seed, smoke, encoder, length, rate, batch_size, epochs):
    keras.utils.set_random_seed(seed)
    model = SequentialRetrieval(
        encoder(seed),
        item="movie_id",
        embedding_dim=64,
        positions="all",
        negatives=1024,
        correct_sampling=True,
        seed=seed,
    ).set_popularity(train.item_counts())
    model.compile(optimizer=keras.optimizers.Adam(rate))
    rows = sequences.windows(train, length, stride=length).to_dataset(
        ["history", "movie_id"], batch_size=batch_size, shuffle=True, seed=seed
    )
    start = time.perf_counter()
    model.fit(rows, epochs=1 if smoke else epochs, verbose=0)
    seconds = time.perf_counter() - start
    users = model.query_vectors(sequences.latest(known, held_out.users, length))
    figures = evaluate_top_k(users, model.candidate_vectors(held_out.catalogue), held_out, (10,))
    return [*(figures[name] for name in METRICS), seconds]


def report(part, held_out, popularity, found):
    seeds = len(found["SASRec"])
    print(f"{part}: {len(held_out.users)} users, {len(held_out.catalogue)} items, {seeds} seeds")
    base = np.array([popularity[m] for m in METRICS])
    mean = {name: np.mean(rows, axis=0) for name, rows in found.items()}
    lines = []
    for name, rows in found.items():
        spread = np.std(rows, axis=0, ddof=1) if len(rows) > 1 else np.zeros(3)
        cells = [f"{m:.4f} ± {s:.4f}" for m, s in zip(mean[name][:2], spread, strict=False)]
        lines.append([name, *cells, f"{mean[name][2]:.0f}"])
    lines.append(["popularity", *(f"{value:.4f}" for value in base), ""])
    for name in found:
        with np.errstate(divide="ignore", invalid="ignore"):  # few rows may hold no hit
            ratios = mean[name][:2] / base
        lines.append([f"{name} / popularity", *(f"{ratio:.2f}" for ratio in ratios), ""])
    print(table(["model", "HR@10", "NDCG@10", "s"], lines))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--judge-on", choices=("test", "validation"), default="test")
    parser.add_argument("--smoke", action="store_true", help="one seed, one epoch, few rows")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.seeds = 1
    return arguments


if __name__ == "__main__":
    main()
