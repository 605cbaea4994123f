"""The signatures of a model whose towers adapt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from recs.errors import explain


def adapting_signatures(learner: Any) -> dict[str, Any]:
    """Returns the model's signatures, adapted to the task of each row.

    Those that take a dict of columns also take `adapt`, `(batch,)` bool, and the column of task
    ids. Others, which know of no rows of tasks, are as they were.

    Args:
        learner: A `recs.models.MetaLearner`.

    Raises:
        ValueError: the model has no signatures of its own.
    """
    if not hasattr(learner.model, "serving_signatures"):
        raise ValueError(
            explain(
                "The model's inputs",
                rule="must be known to export it",
                received=f"{type(learner.model).__name__} without `serving_signatures`",
                where=f"MetaLearner '{learner.name}'",
                remedy="Say what the learner is called with, the task ids and `adapt` among it: "
                "`learner.export(path, input_signature={...})`.",
            )
        )
    found = learner.model.serving_signatures()
    return {name: _adapting(learner, function) for name, function in found.items()}


def _adapting(learner: Any, function: Any) -> Any:
    columns, *others = function.input_signature
    reads = list(learner.model.columns)
    if not isinstance(columns, Mapping) or not set(columns) & {learner.task, *reads}:
        return function
    if learner.task is not None and learner.task in reads and learner.task not in columns:
        return function  # such as an item's vector
    own = {"adapt": tf.TensorSpec([None], tf.bool, name="adapt")}
    if learner.task is not None and learner.task not in columns:
        dtype = learner.get_config()["id_dtype"]
        own[learner.task] = tf.TensorSpec([None], dtype, name=learner.task)
    plain = function.python_function

    @tf.function(input_signature=[{**columns, **own}, *others])
    @tf.autograph.experimental.do_not_convert
    def adapted(columns: dict[str, tf.Tensor], *others: tf.Tensor) -> Any:
        rest = {name: value for name, value in columns.items() if name not in own}
        with learner.adapting(columns):
            return plain(rest, *others)

    return adapted
