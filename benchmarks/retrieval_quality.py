"""Who ranks better: recs beside `implicit`'s ALS and BPR and popularity, all tuned alike.

    python benchmarks/retrieval_quality.py [--last 5] [--seeds 3] [--smoke]

MovieLens latest-small; each user's last ratings are held out for the test, as many before them for
validation. Of every kind of model each setting of a grid is trained on the rest and judged by
NDCG@10 of the validation part; the best one is trained again on training and validation together
and tested, with several seeds. Full catalogue, what the user has is masked, one function judges
the vectors of all.

Two of recs's models: LightGCN, which like the peers knows who took what and not when, and the mean
of a user's last movies, which knows that too. `pip install implicit` for the peers; without it
their rows are missing.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import os
import pathlib
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # As implicit asks: it has threads of its own.

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import keras
import numpy as np

from benchmarks.timing import table
from recs.data import by_user, movielens, sequences, splits
from recs.data.ids import codes
from recs.evaluation import HeldOut, evaluate_top_k, popularity_vectors
from recs.layers.sequence import MeanHistory
from recs.models import LightGCN, SequentialRetrieval

METRICS = ("recall@10", "ndcg@10")
CHOSEN_BY = "ndcg@10"

GRIDS = {
    "LightGCN": {
        "num_layers": (0, 2),
        "temperature": (0.1, 0.2),
        "popularity": (0.0, 0.05, 0.1),
        "epochs": (10, 20, 40),
    },
    "last movies": {"length": (3, 5, 10), "learning_rate": (0.005,), "epochs": (5, 10, 15)},
    "implicit ALS": {
        "factors": (16, 32, 64),
        "regularization": (0.1, 1.0, 10.0),
        "alpha": (1.0, 5.0, 20.0),
        "iterations": (15,),
    },
    "implicit BPR": {
        "factors": (16, 32, 64),
        "regularization": (0.001, 0.01, 0.1),
        "learning_rate": (0.01, 0.05),
        "iterations": (50, 100, 200),
    },
}


def light_gcn(train, held_out, seed, settings, until):
    """Yields the vectors after each number of epochs in `until`."""
    model = LightGCN(
        item="movie_id",
        embedding_dim=64,
        num_layers=settings["num_layers"],
        temperature=settings["temperature"],
        popularity=settings["popularity"],
        seed=seed,
    ).set_graph(train)
    model.compile(optimizer=keras.optimizers.Adam(0.02))
    rows = by_user(train).to_dataset(["user_id", "items"], batch_size=128, shuffle=True, seed=seed)
    done = 0
    for epochs in until:
        model.fit(rows, epochs=epochs - done, verbose=0, shuffle=False)
        done = epochs
        model.index(held_out.catalogue)
        yield (
            epochs,
            model.query_vectors(held_out.users),
            model.candidate_vectors(held_out.catalogue),
        )


def last_movies(train, held_out, seed, settings, until):
    """Yields the vectors after each number of epochs in `until`."""
    length = settings["length"]
    model = SequentialRetrieval(
        MeanHistory(length),
        item="movie_id",
        embedding_dim=64,
        positions="all",
        negatives=1024,
        correct_sampling=True,
        seed=seed,
    ).set_popularity(train.item_counts())
    model.compile(optimizer=keras.optimizers.Adam(settings["learning_rate"]))
    rows = sequences.windows(train, length, stride=length).to_dataset(
        ["history", "movie_id"], batch_size=256, shuffle=True, seed=seed
    )
    histories = sequences.latest(train, held_out.users, length)
    done = 0
    for epochs in until:
        model.fit(rows, epochs=epochs - done, verbose=0)
        done = epochs
        users, items = model.query_vectors(histories), model.candidate_vectors(held_out.catalogue)
        yield epochs, users, items


def of_implicit(kind):
    """Returns a function that trains one of implicit's models and yields its vectors."""

    def run(train, held_out, seed, settings, until):
        import scipy.sparse
        from implicit.als import AlternatingLeastSquares
        from implicit.bpr import BayesianPersonalizedRanking

        user, users = codes(train.user)
        place = {item: row for row, item in enumerate(held_out.catalogue.tolist())}
        item = np.array([place[one] for one in train.item.tolist()])
        shape = (len(users), len(held_out.catalogue))
        taken = scipy.sparse.csr_matrix((np.ones(len(train), "float32"), (user, item)), shape)
        row = {one: number for number, one in enumerate(users.tolist())}
        judged = [row[one] for one in held_out.users.tolist()]
        made = {"als": AlternatingLeastSquares, "bpr": BayesianPersonalizedRanking}[kind]
        for iterations in until:
            model = made(**settings, iterations=iterations, random_state=seed)
            model.fit(taken, show_progress=False)
            yield iterations, model.user_factors[judged], model.item_factors

    return run


RUNS = {
    "LightGCN": (light_gcn, "epochs"),
    "last movies": (last_movies, "epochs"),
    "implicit ALS": (of_implicit("als"), "iterations"),
    "implicit BPR": (of_implicit("bpr"), "iterations"),
}


def main() -> None:
    arguments = parse()
    data = movielens.load()
    if arguments.smoke:
        data = data.take(slice(0, 6000))
    parts = splits.leave_last_out(data, arguments.last, validation_n=arguments.last)
    both = splits.leave_last_out(data, arguments.last).train
    validation = HeldOut.of(parts.train, parts.validation)
    test = HeldOut.of(both, parts.test)
    popularity = evaluate_top_k(*popularity_vectors(both, test), test, (10,))
    peers = [name for name in RUNS if name.startswith("implicit")]
    own = [name for name in RUNS if name not in peers]
    peers = peers if importlib.util.find_spec("implicit") else []
    lines, means, notes = [], {}, []
    for name in own + peers:
        settings, times, score, tried = tuned(name, parts.train, validation, arguments.smoke)
        found = []
        for seed in range(1, arguments.seeds + 1):
            start = time.perf_counter()
            (_, *vectors) = list(RUNS[name][0](both, test, seed, settings, [times]))[-1]
            figures = evaluate_top_k(*vectors, test, (10,))
            found.append([*(figures[m] for m in METRICS), time.perf_counter() - start])
        means[name] = np.mean(found, axis=0)
        spread = np.std(found, axis=0, ddof=1) if len(found) > 1 else np.zeros(3)
        cells = [f"{m:.4f} ± {s:.4f}" for m, s in zip(means[name][:2], spread, strict=False)]
        lines.append([name, f"{score:.4f}", *cells, f"{means[name][2]:.1f}"])
        chosen = ", ".join(f"{k} {v}" for k, v in {**settings, RUNS[name][1]: times}.items())
        notes.append(f"{name}: best of {tried} on validation: {chosen}")
    lines.append(["popularity", "", *(f"{popularity[m]:.4f}" for m in METRICS), ""])
    for name, peer in itertools.product(own, peers):
        ratios = means[name][:2] / np.maximum(means[peer][:2], 1e-9)
        lines.append([f"{name} / {peer}", "", *(f"{ratio:.2f}" for ratio in ratios), ""])
    print(f"{len(test.users)} users, the last {arguments.last} of each, {arguments.seeds} seeds")
    print(table(["model", f"validation {CHOSEN_BY}", *METRICS, "s"], lines))
    print("\n".join(notes))


def tuned(name, train, held_out, smoke):
    """Returns the best settings, for how long they were trained, their figure, and how many."""
    run, steps = RUNS[name]
    grid = dict(GRIDS[name])
    if smoke:
        grid = {key: values[:1] for key, values in grid.items()}
    until = grid.pop(steps)
    best, tried = (-1.0, {}, 0), 0
    for values in itertools.product(*grid.values()):
        settings = dict(zip(grid, values, strict=True))
        for times, *vectors in run(train, held_out, 1, settings, until):
            tried += 1
            score = evaluate_top_k(*vectors, held_out, (10,))[CHOSEN_BY]
            if score > best[0]:
                best = (score, settings, times)
        print(f"{name} {settings}: best so far {best}", file=sys.stderr, flush=True)
    return best[1], best[2], best[0], tried


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--last", type=int, default=5, help="ratings of each user to hold out")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--smoke", action="store_true", help="few rows, one setting, one seed")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.seeds = 1
    return arguments


if __name__ == "__main__":
    main()
