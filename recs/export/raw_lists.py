"""Lists as plain tensors, which is how a server is given them without a serialised record."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from recs.data.ranking import RankingFeature, RankingFeatures


def raw_specs(features: RankingFeatures) -> dict[str, tf.TensorSpec]:
    """Returns the tensors of a request, by name.

    Sequences are padded with anything, and `<name>_lengths` says how many ids there are.

    Args:
        features: What lists hold.
    """
    specs: dict[str, tf.TensorSpec] = {}

    def add(name: str, shape: list[int | None], dtype: Any) -> None:
        specs[plain(name)] = tf.TensorSpec(shape, dtype, name=plain(name))

    for before, described in (([None], features.context), ([None, None], features.examples)):
        for feature in described:
            if feature.kind != "sequence":
                add(feature.name, [*before, *feature.shape], feature.dtype)
                continue
            add(feature.name, [*before, None], feature.dtype)
            add(f"{feature.name}_lengths", list(before), tf.int64)
            if feature.weights is not None:
                add(feature.weights, [*before, None], tf.float32)
    add(features.mask, [None, None], tf.bool)
    return specs


def raw_batch(tensors: Mapping[str, Any], features: RankingFeatures) -> dict[str, Any]:
    """Returns the batch that `RankingFeatures` describes, from the tensors of a request.

    Args:
        tensors: By the names of `raw_specs`.
        features: What lists hold.
    """
    batch: dict[str, Any] = {features.mask: tensors[plain(features.mask)]}
    for of_items, described in ((False, features.context), (True, features.examples)):
        for feature in described:
            batch.update(_values(tensors, feature, of_items))
    return batch


def plain(name: str) -> str:
    """Returns the name as signatures may have it: letters, digits and `_`."""
    return re.sub(r"\W", "_", name, flags=re.ASCII)


def _values(tensors: Mapping[str, Any], feature: RankingFeature, of_items: bool) -> dict[str, Any]:
    if feature.kind != "sequence":
        return {feature.name: tensors[plain(feature.name)]}
    lengths = tensors[plain(f"{feature.name}_lengths")]
    names = [feature.name] if feature.weights is None else [feature.name, feature.weights]
    return {name: _ragged(tensors[plain(name)], lengths, of_items) for name in names}


def _ragged(values: tf.Tensor, lengths: tf.Tensor, of_items: bool) -> tf.RaggedTensor:
    if not of_items:
        return tf.RaggedTensor.from_tensor(values, lengths)
    shape = tf.shape(values, tf.int64)
    rows = tf.reshape(values, [shape[0] * shape[1], shape[2]])
    ragged = tf.RaggedTensor.from_tensor(rows, tf.reshape(lengths, [-1]))
    splits = tf.range(shape[0] + 1) * shape[1]
    return tf.RaggedTensor.from_row_splits(ragged, splits, validate=False)
