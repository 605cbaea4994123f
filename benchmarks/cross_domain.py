"""One model for the genres of MovieLens: who gains, and what it costs.

Ratings of MovieLens latest-small, liked from 4 stars; the domain is the main genre of the movie,
and a domain of less than a twentieth of the ratings is small. `CrossDomain` and `STAR` beside one
model of everything ("mixed") and a model a domain ("separate"), all of the same four features.
Epochs, learning rate and batch size of each are chosen by AUC and AUC of small domains, summed, on
the validation parts of seeds 100 and 101 (`--validate` prints them). Each seed is another division
of the data and other initial weights.

    python benchmarks/cross_domain.py [--seeds 5] [--validate] [--smoke]
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import keras
import numpy as np

from benchmarks.timing import interleave, table
from recs.data import movielens, splits
from recs.evaluation import per_domain
from recs.export import saved_model
from recs.layers.blocks import MLP
from recs.layers.multi_domain import DomainExperts, Star
from recs.models import CrossDomain

COLUMNS = ["user_id", "movie_id", "movie_genres", "year"]
FORM = {"categories": COLUMNS, "lists": ["movie_genres"], "embedding_dim": 16,
        "regularization": 3e-4, "dropout": 0.3}  # fmt: skip
FIGURES = ("auc", "ndcg", "small auc", "small ndcg")


@dataclasses.dataclass
class Recipe:
    """How a kind of model is made and trained.

    Attributes:
        make: From domains and a seed to a model, of all the domains.
        epochs: How often it passes over its rows.
        rate: Adam's learning rate.
        batch: Rows a step.
        apart: Whether there is a model for each domain.
    """

    make: Callable[[list[str], int], CrossDomain]
    epochs: int
    rate: float
    batch: int
    apart: bool = False


def plain(domains: list[str], seed: int) -> CrossDomain:
    return CrossDomain(["all"], ["liked"], domain=None, experts=keras.layers.Identity(),
                       tower=MLP((64, 32, 1)), seed=seed, **FORM)  # fmt: skip


def star(domains: list[str], seed: int) -> CrossDomain:
    tower = Star(domains, (64, 32, 1), (16,))
    return CrossDomain(domains, ["liked"], experts=keras.layers.Identity(), tower=tower,
                       seed=seed, **FORM)  # fmt: skip


def cross(domains: list[str], seed: int, own: bool = True) -> CrossDomain:
    experts = DomainExperts(domains, 2, 1, (32,))
    return CrossDomain(
        domains, ["liked"], experts=experts, seed=seed,
        own_categories={d: ["user_id"] for d in domains} if own else None,
        own_embedding_dim=8, **FORM,
    )  # fmt: skip


RECIPES = {
    "CrossDomain": Recipe(cross, 2, 0.002, 256),
    "no own features": Recipe(lambda d, s: cross(d, s, own=False), 2, 0.002, 256),
    "STAR": Recipe(star, 3, 0.002, 256),
    "mixed": Recipe(plain, 2, 0.002, 256),
    "separate": Recipe(plain, 5, 0.005, 256, apart=True),
}


class Data:
    """The ratings, divided by a seed.

    Args:
        rows: All ratings.
        seed: Of the division.
        limit: How many training rows are taken.
        small: The share of rows below which a domain is small.
    """

    def __init__(self, rows: object, seed: int, limit: int | None, small: float) -> None:
        self.parts = splits.at_random(rows, 0.2, seed, validation_fraction=0.1)
        self.train = self.parts.train if limit is None else self.parts.train.take(slice(limit))
        names = np.asarray(rows["domain"]).astype(str)
        self.domains = sorted(set(names))
        self.small = [d for d in self.domains if (names == d).mean() < small]

    def of(self, part: object, domain: str | None) -> object:
        """Returns the rows of a domain, of all for None."""
        return part if domain is None else part.take(np.asarray(part["domain"]) == domain)

    def figures(self, part: object, told: np.ndarray) -> dict[str, float]:
        """Returns means over domains and small domains, and the AUC of each."""
        found = per_domain(part["liked"], told, part["domain"], part["user_id"])

        def mean(domains: list[str], what: str, by: str) -> float:
            told = [d for d in domains if d in found and found[d][by] and found[d][what] >= 0]
            return float(np.average([found[d][what] for d in told],
                                    weights=[found[d][by] for d in told]))  # fmt: skip

        values = {}
        for prefix, domains in (("", self.domains), ("small ", self.small)):
            values[f"{prefix}auc"] = mean(domains, "auc", "rows")
            values[f"{prefix}ndcg"] = mean(domains, "ndcg@10", "lists")
        return values | {d: f["auc"] for d, f in found.items()}


def models_of(recipe: Recipe, data: Data, seed: int) -> dict[str | None, CrossDomain]:
    keras.utils.set_random_seed(seed)
    names = data.domains if recipe.apart else [None]
    models: dict[str | None, CrossDomain] = {n: recipe.make(data.domains, seed) for n in names}
    for model in models.values():
        model.compile(keras.optimizers.Adam(recipe.rate))
    return models


def told_of(models: dict[str | None, CrossDomain], data: Data, part: object) -> np.ndarray:
    told = np.zeros(len(part), np.float32)
    for name, model in models.items():
        rows = slice(None) if name is None else np.asarray(part["domain"]) == name
        told[rows] = model.predict_targets(data.of(part, name))["liked"]
    return told


def run(recipe: Recipe, data: Data, seed: int, part: str) -> tuple[list[dict[str, float]], dict]:
    """Returns the figures after each epoch (validation), or the last (test), and the models."""
    models = models_of(recipe, data, seed)
    batches = {
        name: data.of(data.train, name).to_dataset(
            [*model.columns, "liked"], batch_size=recipe.batch, shuffle=True, seed=seed)
        for name, model in models.items()
    }  # fmt: skip
    found = []
    for epoch in range(recipe.epochs):
        for name, model in models.items():
            model.fit(batches[name], verbose=0)
        if part == "validation" or epoch == recipe.epochs - 1:
            judged = getattr(data.parts, part)
            found.append(data.figures(judged, told_of(models, data, judged)))
    return found, models


def costs(recipe: Recipe, models: dict, data: Data, folder: pathlib.Path) -> dict[str, float]:
    """Returns weights, rows of tables, megabytes of the SavedModels, and the time of steps."""
    weights = rows = vectors = 0
    size = 0
    for n, model in enumerate(models.values()):
        weights += sum(int(np.prod(w.shape)) for w in model.trainable_weights)
        for one in (model.features.shared, *model.features.own.values()):
            for found in one.embeddings.tables if one.embeddings else ():
                rows += found.size()
                vectors += found.size() * found.dim
        path = saved_model(model, folder / str(n) / "1")
        size += sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
    # The same 1024 samples: one step of one model, or one of each model on its own of them.
    some = data.train.take(slice(1024))
    batches = []
    for name, model in models.items():
        own = data.of(some, name)
        if len(own):
            columns = own.to_dataset([*model.columns, "liked"], batch_size=len(own))
            batches.append((model, next(iter(columns))))

    def step() -> None:
        for model, batch in batches:
            model.train_on_batch(batch)

    timed = interleave({"step": step}, rounds=20, warmup=3)["step"]
    start = time.perf_counter()
    for name, model in models.items():
        own = data.of(data.train, name)
        model.fit(own.to_dataset([*model.columns, "liked"], batch_size=1024), verbose=0)
    epoch = time.perf_counter() - start
    return {
        "parameters": weights + vectors,
        "of them dense": weights,
        "distinct ids": rows,
        "step, ms": 1e3 * timed.median,
        "epoch, s": epoch,
        "export, MB": size / 1e6,
    }


def quality(found: dict[str, list[dict[str, float]]], seeds: int) -> str:
    names = list(found)
    lines = []
    for name in names:
        cells = []
        for figure in FIGURES:
            values = np.array([f[figure] for f in found[name]])
            cells.append(f"{values.mean():.4f} ± {values.std():.4f}")
        for other, figure in (("mixed", "small auc"), ("separate", "auc")):
            better = sum(
                a[figure] > b[figure]
                for a, b in zip(found[name], found.get(other, []), strict=False)
            )
            cells.append("" if name == other or other not in found else f"{better}/{seeds}")
        lines.append([name, *cells])
    header = ["", *FIGURES, "small auc above mixed", "auc above separate"]
    return table(header, lines)


def by_domain(found: dict[str, list[dict[str, float]]], data: Data) -> str:
    counts = {d: int((np.asarray(data.train["domain"]) == d).sum()) for d in data.domains}
    lines = []
    for d in sorted(data.domains, key=lambda d: -counts[d]):
        means = [np.nanmean([f.get(d, np.nan) for f in each]) for each in found.values()]
        name = f"{d} (small)" if d in data.small else d
        lines.append([name, f"{counts[d]:,}", *(f"{m:.4f}" for m in means)])
    return table(["test AUC", "training rows", *found], lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--models", nargs="+", default=list(RECIPES), choices=list(RECIPES))
    parser.add_argument("--validate", action="store_true", help="print each epoch's validation")
    parser.add_argument("--rate", type=float, help="another learning rate, to choose one")
    parser.add_argument("--batch", type=int, help="another batch size, to choose one")
    parser.add_argument("--epochs", type=int, help="another number of epochs, to choose one")
    parser.add_argument("--smoke", action="store_true", help="tiny, to see that it runs")
    arguments = parser.parse_args()
    limit, seeds = None, range(arguments.seeds)
    rows = movielens.by_genre(min_ratings=10_000 if arguments.smoke else 500)
    small = 0.2 if arguments.smoke else 0.05
    if arguments.smoke:
        limit, seeds, arguments.epochs = 2000, range(1), 1
        arguments.models = ["CrossDomain", "mixed", "separate"]
    if arguments.validate:
        seeds = range(100, 100 + arguments.seeds)
    changes = {k: v for k in ("epochs", "rate", "batch") if (v := getattr(arguments, k))}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in arguments.models}
    spent: dict[str, dict[str, float]] = {}
    epochs: dict[str, list[list[dict[str, float]]]] = {name: [] for name in arguments.models}
    for seed in seeds:
        data = Data(rows, seed, limit, small)
        for name in arguments.models:
            recipe = dataclasses.replace(RECIPES[name], **changes)
            part = "validation" if arguments.validate else "test"
            figures, models = run(recipe, data, seed, part)
            found[name].append(figures[-1])
            epochs[name].append(figures)
            print(seed, name, {f: round(figures[-1][f], 4) for f in FIGURES}, file=sys.stderr)
            if name not in spent and not arguments.validate:
                with tempfile.TemporaryDirectory() as folder:
                    spent[name] = costs(recipe, models, data, pathlib.Path(folder))
    if arguments.validate:
        for name, each in epochs.items():
            for n in range(len(each[0])):
                means = [f"{f} {np.mean([e[n][f] for e in each]):.4f}" for f in FIGURES]
                print(name, changes, "epoch", n + 1, " ".join(means))
        return
    print(quality(found, len(seeds)))
    print()
    print(by_domain(found, data))
    print()
    names = list(spent["CrossDomain"])
    lines = [[name, *(f"{c[n]:,.0f}" if c[n] >= 100 else f"{c[n]:.2f}" for n in names)]
             for name, c in spent.items()]  # fmt: skip
    if "separate" in spent:
        ratios = [spent["CrossDomain"][n] / spent["separate"][n] for n in names]
        lines.append(["CrossDomain / separate", *(f"{r:.2f}" for r in ratios)])
    print(table(["cost", *names], lines))


if __name__ == "__main__":
    main()
