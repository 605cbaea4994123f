"""Replacements of a model's towers: watched, or adapted."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf

from recs.layers.dense_chain import running
from recs.meta.adapting_tower import AdaptingTower, Change


@contextlib.contextmanager
def watched(towers: Sequence[AdaptingTower]) -> Iterator[dict[str, list[Any]]]:
    """Gives a dict that fills with what the adapting layers of each tower are given, float32.

    Args:
        towers: They run as ever.
    """
    seen: dict[str, list[Any]] = {tower.name: [] for tower in towers}
    graph = tf.compat.v1.get_default_graph()

    def watching(tower: AdaptingTower) -> Callable[[Any], Any]:
        def run(x: Any) -> Any:
            for layer in tower.before:
                x = layer(x)
            # Keras builds a model by a call in a graph that it throws away.
            if tf.compat.v1.get_default_graph() is graph:
                seen[tower.name].append(tf.cast(x, tf.float32))
            return tower.plain(x)

        return run

    with running({id(tower.chain[0]): watching(tower) for tower in towers}):
        yield seen


def adapted(
    tower: AdaptingTower, changes: Callable[[], list[Change | None]]
) -> Callable[[Any], Any]:
    """Returns what runs instead of a tower: each row has the weights of its task.

    Args:
        tower: The layers.
        changes: Returns what each row changes in them.
    """

    def run(x: Any) -> Any:
        for layer in tower.before:
            x = layer(x)
        rows = tf.cast(x, tf.float32)
        outputs = tower.run(rows[:, tf.newaxis] if rows.shape.rank == 2 else rows, changes())
        return tf.cast(outputs[:, 0] if rows.shape.rank == 2 else outputs, x.dtype)

    return run
