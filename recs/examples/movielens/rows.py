"""Columns of a dataset, read as a whole."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from recs.errors import explain

_BATCH = 8192


def read_columns(
    dataset: tf.data.Dataset, names: tuple[str, ...], what: str, where: str
) -> dict[str, np.ndarray]:
    """Returns columns of a dataset of dicts, of single rows or of batches.

    Args:
        dataset: Yields dicts of scalars, or of vectors of equal length.
        names: The columns.
        what: The argument, for an error.
        where: The function, for an error.
    """
    spec = dataset.element_spec
    given = spec if isinstance(spec, Mapping) else {}
    if any(name not in given for name in names):
        raise ValueError(
            explain(
                f"`{what}`",
                rule=f"must yield dicts with {' and '.join(map(repr, names))}",
                received=repr(spec),
                where=where,
            )
        )
    chosen = dataset.map(lambda row: {name: row[name] for name in names})
    if spec[names[0]].shape.rank == 0:
        chosen = chosen.batch(_BATCH)
    batches = list(chosen.as_numpy_iterator())
    return {
        name: np.concatenate([batch[name] for batch in batches]) if batches else np.array([])
        for name in names
    }
