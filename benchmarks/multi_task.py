"""Several tasks on the census data: what sharing gives, and what it costs.

Income and marital status of 48,842 persons, a third of whom test; two tasks that models learn
apart, over one shared network, and by mixtures of experts. All have about as many weights beside
the embeddings; "apart" is two models of half the size. Epochs and learning rate are chosen by a
tenth of the training part with the shared bottom, and are the same for all. Each seed is another
division of the data and other initial weights.

    python benchmarks/multi_task.py [--seeds 5] [--epochs 8] [--smoke]
"""

from __future__ import annotations

import argparse
import pathlib
import sys
import time
from collections.abc import Callable, Sequence

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import keras
import numpy as np

from benchmarks.timing import table
from recs.data import adult
from recs.data.splits import Split
from recs.evaluation import area_under_curve
from recs.layers.blocks import MLP
from recs.layers.multi_task import CGC, PLE, GradNorm, MMoE, PCGrad, SharedBottom
from recs.models import MultiTaskModel

TASKS = list(adult.LABELS)
FORM = {"categories": adult.CATEGORIES, "numbers": adult.NUMBERS, "embedding_dim": 8}


def apart(seed: int) -> list[MultiTaskModel]:
    return [
        MultiTaskModel([task], SharedBottom([task], (64, 32)), seed=seed, dropout=0.1, **FORM)
        for task in TASKS
    ]


def together(sharing: Callable[[], keras.layers.Layer], **kwargs: object) -> Callable:
    return lambda seed: [MultiTaskModel(TASKS, sharing(), seed=seed, dropout=0.1, **FORM, **kwargs)]


def _mlp() -> MLP:
    return MLP((112, 56), final_activation="relu")


def _balanced(make: type) -> Callable:
    def models(seed: int) -> list[MultiTaskModel]:
        balance = make(TASKS)
        weights = balance if make is GradNorm else None
        return together(_mlp, balance=balance, weights=weights)(seed)

    return models


MODELS: dict[str, Callable[[int], list[MultiTaskModel]]] = {
    "apart": apart,
    "shared bottom": together(lambda: SharedBottom(TASKS, (112, 56))),
    "MMoE": together(lambda: MMoE(TASKS, experts=4, units=(36, 32))),
    "CGC": together(lambda: CGC(TASKS, 2, 1, units=(36, 32))),
    "PLE": together(lambda: PLE(TASKS, 2, 1, 1, units=(36,))),
    "shared bottom, uncertainty": together(
        lambda: SharedBottom(TASKS, (112, 56)), weights="uncertainty"
    ),
    "shared bottom, GradNorm": _balanced(GradNorm),
    "shared bottom, PCGrad": _balanced(PCGrad),
}


def run(models: Sequence[MultiTaskModel], parts: Split, epochs: int) -> dict[str, float]:
    """Returns the test AUC of each task, the number of weights and the seconds."""
    figures = {"weights": 0.0}
    start = time.perf_counter()
    for model in models:
        model.adapt(parts.train)
        model.compile(keras.optimizers.Adam(0.001))
        columns = [*model.columns, *model.tasks]
        data = parts.train.to_dataset(columns, batch_size=256, shuffle=True)
        model.fit(data, epochs=epochs, verbose=0)
        figures["weights"] += sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    figures["s"] = time.perf_counter() - start
    for model in models:
        told = model.predict_probabilities(parts.test)
        figures |= {t: area_under_curve(parts.test[t], told[t]) for t in model.tasks}
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--validate", action="store_true", help="a tenth of training judges")
    parser.add_argument("--smoke", action="store_true", help="tiny, to see that it runs")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.seeds, arguments.epochs = 1, 1
    found: dict[str, list[dict[str, float]]] = {name: [] for name in arguments.models}
    for seed in range(arguments.seeds):
        parts = adult.load(seed=seed)
        if arguments.validate or arguments.smoke:
            tenth = np.arange(len(parts.train)) % 10 == 0
            rows = ~tenth if arguments.validate else tenth
            parts = Split(parts.train.take(rows), parts.train.take(tenth), parts.validation)
        for name in arguments.models:
            keras.utils.set_random_seed(seed)
            found[name].append(run(MODELS[name](seed), parts, arguments.epochs))
    first = found[arguments.models[0]]
    lines = []
    for name, seeds in found.items():
        cells = [f"{seeds[0]['weights']:,.0f}", f"{np.mean([f['s'] for f in seeds]):.0f}"]
        for task in TASKS:
            values = np.array([f[task] for f in seeds])
            better = sum(f[task] > g[task] for f, g in zip(seeds, first, strict=True))
            cells += [f"{values.mean():.4f} ± {values.std():.4f}", f"{better}/{len(seeds)}"]
        lines.append([name, *cells])
    above = f"above {arguments.models[0]}"
    print(f"{arguments.seeds} seeds, {arguments.epochs} epochs; AUC")
    print(table(["model", "weights", "s", TASKS[0], above, TASKS[1], above], lines))


if __name__ == "__main__":
    main()
