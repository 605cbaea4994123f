"""Finds the dense layers of a model that adapt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from recs.errors import explain
from recs.layers.blocks import MLP
from recs.meta.adapting_tower import AdaptingTower


def towers_of(model: Any, names: Sequence[str] | None, where: str) -> list[AdaptingTower]:
    """Returns the towers of a model that adapt.

    Args:
        model: Its `adapting_towers`, a dict from name to dense layers, are what adapts by default;
            where it has none, its last `recs.layers.blocks.MLP`.
        names: Names of towers, of any `MLP` of the model, or of dense layers of those, where
            needed with the tower's before it: `"mlp/dense_1"`. Defaults to all of the default.
        where: For messages.

    Raises:
        ValueError: there is no such layer, or several of that name.
    """
    own = dict(getattr(model, "adapting_towers", {}))
    blocks = [layer for layer in model._flatten_layers() if isinstance(layer, MLP)]
    chains = {name: list(layers) for name, layers in own.items()}
    known = {id(layers[0]) for layers in chains.values()}
    for block in blocks:
        if id(block.layers[0]) not in known:
            chains.setdefault(block.name, block.layers)
    if names is None:
        names = list(own) or [block.name for block in blocks[-1:]]
    adapting: dict[str, list[bool]] = {}
    for name in names:
        tower, places = _found(chains, name, where)
        marks = adapting.setdefault(tower, [False] * len(chains[tower]))
        for place in places:
            marks[place] = True
    if not adapting:
        raise _bad("must name one at least", "none", where, chains)
    return [AdaptingTower(name, chains[name], marks, where) for name, marks in adapting.items()]


def _found(chains: dict[str, list[Any]], name: str, where: str) -> tuple[str, list[int]]:
    """Returns a tower, and the places of its layers that are meant."""
    if name in chains:
        return name, list(range(len(chains[name])))
    places = [
        (tower, place)
        for tower, layers in chains.items()
        for place, layer in enumerate(layers)
        if name in (layer.name, f"{tower}/{layer.name}")
    ]
    if len(places) != 1:
        received = f"{name!r}, which {len(places)} layers are called"
        raise _bad("must be names of towers, or of single layers of them", received, where, chains)
    tower, place = places[0]
    return tower, [place]


def _bad(rule: str, received: str, where: str, chains: dict[str, list[Any]]) -> ValueError:
    there = [f"{tower}/{layer.name}" for tower, layers in chains.items() for layer in layers]
    return ValueError(
        explain(
            "`layers`",
            rule=rule,
            received=received,
            where=where,
            remedy=f"There are: {', '.join(there)}."
            if there
            else "Make the tower a `recs.layers.blocks.MLP`.",
        )
    )
