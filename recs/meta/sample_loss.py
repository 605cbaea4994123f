"""Losses per sample, which a tower adapts to."""

from __future__ import annotations

from typing import Any

import keras

from recs.errors import explain
from recs.meta.adapt import SampleLoss


def sample_loss(loss: Any, model: Any, where: str) -> SampleLoss:
    """Returns a function from labels and outputs to a loss of each sample.

    Args:
        loss: A Keras loss, the name of one, a layer or a function. None asks the model.
        model: Its `tower_loss` is asked.
        where: For messages.

    Raises:
        ValueError: neither says it.
    """
    if loss is None:
        loss = getattr(model, "tower_loss", None)
    if isinstance(loss, str):
        loss = keras.losses.get(loss)
    if isinstance(loss, keras.losses.Loss):
        found: SampleLoss = loss.call  # a loss of each sample, before they are summed up
        return found
    if callable(loss):
        return loss
    raise ValueError(
        explain(
            "`loss`",
            rule="must be a Keras loss or a function of labels and outputs",
            received=f"loss={loss!r}",
            where=where,
            remedy="Give one, or the model a `tower_loss`.",
        )
    )
