"""What a table cannot follow, why, and what to do instead."""

from __future__ import annotations

from typing import Any

import keras

from recs.errors import explain
from recs.keras_contract import updating_optimizers
from recs.optimizers.engine_rules import ENGINE_RULES

# Optimizers that need more than a row and its gradient, by name: not every Keras has them all.
_CLASSES = {
    "Adafactor": "it keeps sums over the columns of the whole weight",
    "Lamb": "its step depends on the norm of the whole weight",
    "Muon": "it orthogonalizes the gradient of the whole weight",
    "ScheduleFreeAdamW": "it averages every row each step, a table touches only those of the batch",
    "ClippyAdagrad": "one factor shortens the step of the whole weight",
    "CompositeOptimizer": "it has one optimizer for each weight, and a layer has one weight; "
    "compile a `recs.Model` with it, and the table follows the part that has the layer's weights",
    "MultiOptimizer": "it gives each weight an optimizer of its own, and a table's rows are not "
    "among the weights",
}
_OPTIONS = {
    "global_clipnorm": "the norm spans all weights, and a table's rows are not among the "
    "weights; use `clipnorm`, which a table follows with a norm of its own",
    "use_ema": "it averages every row each step, a table touches only those of the batch",
}


def refuse_class(optimizer: keras.optimizers.Optimizer, where: str) -> None:
    """Raises when tables cannot follow optimizers of this class."""
    kind = type(optimizer)
    if kind in ENGINE_RULES:
        return
    known = ", ".join(k.__name__ for k in ENGINE_RULES)
    reason = _CLASSES.get(kind.__name__, "")
    if not reason and issubclass(kind, tuple(ENGINE_RULES)):
        reason = "a subclass may change the rule, and the table would not know"
    remedy = "Give the layer one of these as `optimizer=...`; the rest of the model keeps its own."
    raise ValueError(
        explain(
            "`optimizer`",
            rule=f"must be one with a row update: {known}",
            received=f"optimizer={kind.__name__}",
            where=where,
            remedy=f"Why: {reason}. {remedy}" if reason else remedy,
        )
    )


def refuse_averages(optimizer: Any, where: str) -> None:
    """Raises when a model that trains tables is compiled with an optimizer that averages weights.

    Keras averages dense weights alone then, and the end of `fit`, or
    `keras.callbacks.SwapEMAWeights`, would put averages beside rows that are none.
    """
    for part in updating_optimizers(optimizer):
        if not getattr(part, "use_ema", False):
            continue
        raise ValueError(
            explain(
                "`use_ema`",
                rule="must not be set in the optimizer of a model that trains embedding tables",
                received=f"{type(part).__name__}(use_ema=True)",
                where=where,
                remedy="Why: rows of tables are not averaged, and the model would be a mixture. "
                "Let the learning rate decay instead, or keep the best epoch with "
                "`keras.callbacks.EarlyStopping(restore_best_weights=True)`; with "
                "`layer.trainable = False` the rows stay as they are, and averages are exact.",
            )
        )


def refuse_options(
    optimizer: keras.optimizers.Optimizer, config: dict[str, Any], where: str
) -> None:
    """Raises when an option is set that tables cannot follow."""
    for option, reason in _OPTIONS.items():
        value = config.get(option)
        if value:
            raise ValueError(
                explain(
                    f"`{option}`",
                    rule="must not be set in an optimizer of a DynamicEmbedding",
                    received=f"{type(optimizer).__name__}({option}={value!r})",
                    where=where,
                    remedy=f"Why: {reason}. Or give the layer an `optimizer=` without it.",
                )
            )
