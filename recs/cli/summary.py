"""Summary of a training, in three lines."""

from __future__ import annotations

from typing import Any

from recs.data.ids import codes
from recs.data.interactions import Interactions
from recs.data.splits import Split
from recs.experiments import Experiment
from recs.layers.resource_layer import layers_with_resources


def summary(experiment: Experiment, parts: Split) -> str:
    """Returns lines on the data, its split, and the model with the parameters of training.

    Args:
        experiment: what is going to be trained.
        parts: its split.
    """
    sizes = {"training": parts.train, "validation": parts.validation, "test": parts.test}
    split = ", ".join(f"{len(part):,} for {name}" for name, part in sizes.items() if len(part))
    optimizer = experiment.optimizer
    rate = float(optimizer.learning_rate)
    model = experiment.model
    return (
        f"data   {type(experiment.data).__name__}: {_contents(parts)}\n"
        f"split  {type(experiment.split).__name__}: {split}\n"
        f"model  {type(model).__name__}{_tables(model)}; {type(optimizer).__name__} at {rate:.4g}, "
        f"{_count(experiment.epochs, 'epoch')}, batches of {experiment.batch_size:,}"
    )


def _contents(parts: Split) -> str:
    every: list[Any] = [part for part in (parts.train, parts.validation, parts.test) if len(part)]
    rows = sum(map(len, every))
    if not isinstance(parts.train, Interactions):
        return f"{rows:,} examples"
    users, items = (
        len({key for part in every for key in codes(getattr(part, column))[1].tolist()})
        for column in ("user", "item")
    )
    return f"{rows:,} interactions of {users:,} users with {items:,} items"


def _tables(model: Any) -> str:
    """Returns how many parameters the trained tables have per id; how many ids, training shows."""
    layers = [layer for layer in layers_with_resources(model) if layer.trainable]
    tables = {id(t): t for layer in layers for t in layer.tables if hasattr(t, "dim")}
    sizes = [str(table.dim) for table in tables.values()]
    return f" with {' + '.join(sizes)} parameters per id" if sizes else ""


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")
