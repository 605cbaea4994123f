"""Random orders: scores with Gumbel noise, sampled several times a list."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import keras
from keras import ops

from recs.losses.functional.ranking.lists import Lists
from recs.losses.functional.ranking.listwise import LOWEST, padded

# TF-Ranking's floor of a probability.
EPSILON = 1e-20


def noise(shape: tuple[Any, ...], seed: Any) -> Any:
    """Returns Gumbel noise, `-log(-log(u))` of uniform u."""
    u = keras.random.uniform(shape, dtype="float32", seed=seed)
    return -ops.log(EPSILON - ops.log(u + EPSILON))


def sampled(lists: Lists, noise: Any, temperature: float, tfr_compatible: bool = False) -> Lists:
    """Returns each list once a sample, `(batch * samples, list)`, its scores with noise.

    The scores become `log softmax((s + noise) / temperature)`: the differences are those of the
    noisy scores. Labels, weights and validity are repeated.

    Args:
        lists: What `as_lists` gives.
        noise: `(batch, samples, list)`.
        temperature: What noisy scores are divided by.
        tfr_compatible: Keeps padding in the softmax, and adds 1e-20 to what it gives.
    """
    size = ops.shape(lists.labels)[1]
    samples = ops.shape(noise)[1]
    scores = (lists.scores[:, None] + noise) / temperature
    valid = ops.repeat(lists.valid, samples, axis=0)
    scores = ops.reshape(scores, (-1, size))
    if tfr_compatible:
        scores = padded(scores, valid, math.log(EPSILON))
        scores = ops.log(ops.softmax(scores, axis=1) + EPSILON)
    else:
        scores = ops.log_softmax(padded(scores, valid, LOWEST), axis=1)
        scores = ops.where(valid, scores, ops.zeros_like(scores))

    def repeat(x: Any) -> Any:
        return x if x is None else ops.repeat(x, samples, axis=0)

    one_for_all = lists.weights is not None and lists.weights.shape[0] == 1
    return dataclasses.replace(
        lists,
        labels=repeat(lists.labels),
        scores=scores,
        weights=lists.weights if one_for_all else repeat(lists.weights),
        valid=valid,
        negative=repeat(lists.negative),
    )
