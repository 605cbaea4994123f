"""How well lists are ranked: a neural scorer beside LightGBM, and list-wise beside point-wise.

    python benchmarks/ltr_quality.py [--seeds 5] [--part all|lightgbm|movielens] [--smoke]
    python benchmarks/ltr_quality.py --part lightgbm --cross-validate

LightGBM's example, 201 training and 50 test lists: `configs/ltr_libsvm.yaml` beside LightGBM's
lambdarank, which stops early on 41 of the training lists. NDCG@10 with gains 2^label - 1, means of
the seeds; the interval is a bootstrap over the test lists, of each list's difference between the
means over the seeds of both. `--cross-validate` does the same on the training lists, each fifth of
them in turn held out, which is how the settings of both were chosen.

MovieLens latest-small, a list a user: `configs/listwise_movielens.yaml` with the loss swapped,
beside the mean rating of movies and their popularity. Settings were chosen on the validation part
(`--judge-on validation`) and are the same for all losses; of the point-wise one, two
regularizations were tried.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import numpy as np

from benchmarks.peers import lightgbm_rank as peer
from benchmarks.timing import table
from recs.cli import configuration
from recs.data import lightgbm_rank
from recs.data.splits import Split
from recs.evaluation import per_list_ndcg

CONFIGS = pathlib.Path(__file__).parents[1] / "configs"
# What the configuration says, and what differs for the others.
LOSSES = {
    "list-wise: lambda NDCG (as configured)": [],
    "pair-wise: logistic": ["--model.loss=pairwise_logistic_loss"],
    "point-wise: squared error": ["--model.loss=mean_squared_loss"],
}


def main() -> None:
    arguments = parse()
    if arguments.part in ("all", "lightgbm"):
        beside_lightgbm(arguments)
    if arguments.part in ("all", "movielens"):
        print()
        by_loss(arguments)


def beside_lightgbm(arguments):
    parts = lightgbm_rank.load()
    pairs = folds(parts.train) if arguments.cross_validate else [(parts.train, parts.test)]
    mine, theirs = [], []
    for seed in range(1, arguments.seeds + 1):
        own = np.concatenate([own_values(*pair, seed, arguments.smoke) for pair in pairs])
        its = [per_list_ndcg(test, peer.scores(train, test, seed)) for train, test in pairs]
        mine.append(own)
        theirs.append(np.concatenate(its))
        print(f"seed {seed}: {own.mean():.4f} {theirs[-1].mean():.4f}", file=sys.stderr, flush=True)
    of = "training lists, five folds" if arguments.cross_validate else "test lists"
    print(f"LightGBM's example: NDCG@10 of {len(mine[0])} {of}, {len(mine)} seeds")
    rows = [
        [f"seed {n}", f"{a.mean():.4f}", f"{b.mean():.4f}", f"{a.mean() / b.mean():.3f}"]
        for n, (a, b) in enumerate(zip(mine, theirs, strict=True), 1)
    ]
    a, b = np.mean(mine), np.mean(theirs)
    rows.append(["mean", f"{a:.4f}", f"{b:.4f}", f"{a / b:.3f}"])
    print(table(["", "recs", "LightGBM", "recs / LightGBM"], rows))
    difference = np.mean(mine, axis=0) - np.mean(theirs, axis=0)
    low, high = interval(difference)
    print(
        f"difference, paired by list: {difference.mean():+.4f}, 95% from {low:+.4f} to {high:+.4f}"
        f" (bootstrap of {len(difference)} lists); better on {np.sum(difference > 0)}, worse on "
        f"{np.sum(difference < 0)}"
    )


def own_values(train, test, seed, smoke):
    """Returns NDCG@10 of each list, of the model of the configuration."""
    experiment = made("ltr_libsvm", seed, ["--epochs=1"] if smoke else [])
    trained = experiment.train(Split(train, test, train.take(np.zeros(0, int))), verbose=0)
    return per_list_ndcg(test, trained.model.score_lists(test))


def folds(lists, count=5):
    """Yields the lists without a fold, and the fold."""
    drawn = np.random.RandomState(0).permutation(len(lists))
    return [
        (lists.take(np.setdiff1d(drawn, drawn[n::count])), lists.take(drawn[n::count]))
        for n in range(count)
    ]


def interval(differences, draws=10000):
    """Returns the 2.5 and 97.5 percentiles of the mean of lists drawn with replacement."""
    rng = np.random.default_rng(0)
    rows = rng.integers(len(differences), size=(draws, len(differences)))
    return np.percentile(differences[rows].mean(axis=1), [2.5, 97.5])


def by_loss(arguments):
    part = arguments.judge_on
    found = {name: [] for name in LOSSES}
    for seed in range(1, arguments.seeds + 1):
        for name, others in LOSSES.items():
            options = [*others, f"--judge_on={part}", *(["--epochs=1"] if arguments.smoke else [])]
            experiment = made("listwise_movielens", seed, options)
            trained = experiment.train(verbose=0)
            lists = experiment.evaluation.lists(trained.model, getattr(trained.parts, part))
            values = per_list_ndcg(lists, trained.model.score_lists(lists))
            found[name].append(values)
            print(f"seed {seed} {name}: {values.mean():.4f}", file=sys.stderr, flush=True)
    report_by_loss(experiment, trained, part, found)


def report_by_loss(experiment, trained, part, found):
    baselines = experiment.judge(trained.model, trained.parts).figures
    *_, pointwise = found
    counts = [len(values) for values in found[pointwise]]
    print(f"MovieLens latest-small: NDCG@10 of {counts[0]} users' {part} lists")
    rows = []
    for name, seeds in found.items():
        means = [values.mean() for values in seeds]
        ahead = sum(a > b.mean() for a, b in zip(means, found[pointwise], strict=True))
        ratio = np.mean(means) / np.mean([values.mean() for values in found[pointwise]])
        wins = "" if name == pointwise else f"{ahead} of {len(seeds)}"
        cells = [f"{mean:.4f}" for mean in means]
        rows.append([name, *cells, f"{np.mean(means):.4f}", f"{ratio:.4f}", wins])
    for name in ("mean rating", "popularity"):
        value = f"{baselines[name]['ndcg@10']:.4f}"
        rows.append([name, *[""] * len(counts), value, "", ""])
    seeds = [f"seed {n}" for n in range(1, len(counts) + 1)]
    print(table(["", *seeds, "mean", "/ point-wise", "seeds above"], rows))


def made(config, seed, options):
    """Returns the experiment of a shipped configuration, with another seed."""
    path = str(CONFIGS / f"{config}.yaml")
    return configuration.experiment(configuration.parse(path, [f"--seed={seed}", *options]))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--part", choices=("all", "lightgbm", "movielens"), default="all")
    parser.add_argument("--cross-validate", action="store_true")
    parser.add_argument("--judge-on", choices=("test", "validation"), default="test")
    parser.add_argument("--smoke", action="store_true", help="one seed, one epoch")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.seeds = 1
    return arguments


if __name__ == "__main__":
    main()
