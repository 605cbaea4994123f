"""Serialised lists to values, in TensorFlow's own ops: pipelines and servers run the same."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import descriptor_pb2

from recs.data.ranking.arrange import Flat
from recs.data.ranking.ranking_feature import RankingFeature
from recs.data.ranking.ranking_features import RankingFeatures
from recs.errors import explain

_MESSAGE = "ExampleListWithContext"


def _descriptor() -> bytes:
    """Returns the message's description: on the wire, a message and bytes are the same."""
    files = descriptor_pb2.FileDescriptorSet()
    file = files.file.add(name="recs_elwc.proto", package="recs", syntax="proto3")
    message = file.message_type.add(name=_MESSAGE)
    field = descriptor_pb2.FieldDescriptorProto
    for number, (name, label) in enumerate(
        (("examples", field.LABEL_REPEATED), ("context", field.LABEL_OPTIONAL)), 1
    ):
        message.field.add(name=name, number=number, label=label, type=field.TYPE_BYTES)
    return b"bytes://" + files.SerializeToString()


def elwc(serialized: tf.Tensor, features: RankingFeatures, label: bool) -> Flat:
    """Returns the lists of ExampleListWithContext protos, `(batch,)`."""
    # One empty record more: the op refuses a batch of none.
    sizes, (examples, context) = tf.io.decode_proto(
        tf.concat([serialized, [""]], 0),
        f"recs.{_MESSAGE}",
        ["examples", "context"],
        [tf.string, tf.string],
        descriptor_source=_descriptor(),
    )
    lengths = tf.cast(sizes[:-1, 0], tf.int64)
    items = tf.boolean_mask(examples[:-1], tf.sequence_mask(lengths, tf.shape(examples)[1]))
    # Where no record of the batch has a context there is no column of contexts.
    context = tf.pad(context[:-1], [[0, 0], [0, 1]], constant_values="")[:, 0]
    return _of_examples(context, items, lengths, features, label)


def example_in_example(serialized: tf.Tensor, features: RankingFeatures, label: bool) -> Flat:
    """Returns the lists of tf.Examples that hold serialised Examples, `(batch,)`."""
    text = tf.io.RaggedFeature(tf.string, row_splits_dtype=tf.int64)
    context = tf.io.FixedLenFeature([], tf.string, default_value="")
    found = tf.io.parse_example(
        serialized, {"serialized_context": context, "serialized_examples": text}
    )
    items = found["serialized_examples"]
    return _of_examples(
        found["serialized_context"], items.values, items.row_lengths(), features, label
    )


def tf_example(serialized: tf.Tensor, features: RankingFeatures, label: bool) -> Flat:
    """Returns a list of one item for each tf.Example, `(batch,)`; it has the context too."""
    lengths = tf.ones_like(serialized, dtype=tf.int64)
    return _of_examples(serialized, serialized, lengths, features, label)


def sequence_example(serialized: tf.Tensor, features: RankingFeatures, label: bool) -> Flat:
    """Returns the lists of tf.SequenceExamples, `(batch,)`; a step of a feature list is an item."""
    wanted = _of_records(features, label)
    specs = {name: _ragged(dtype) for name, dtype in _dtypes(wanted)}
    context, steps, _ = tf.io.parse_sequence_example(
        serialized,
        context_features=_specs(features.context, label) or None,
        sequence_features=specs,
    )
    all_lengths = {name: found.row_lengths() for name, found in steps.items()}
    lengths = tf.reduce_max(tf.stack(list(all_lengths.values())), axis=0)
    flat = _steps(wanted, steps, all_lengths, lengths)
    return Flat(_with_required(context, features.context), _labelled(flat, features), lengths)


FORMATS: dict[str, Callable[[tf.Tensor, RankingFeatures, bool], Flat]] = {
    "elwc": elwc,
    "sequence_example": sequence_example,
    "example_in_example": example_in_example,
    "tf_example": tf_example,
}


def _of_examples(
    context: tf.Tensor,
    items: tf.Tensor,
    lengths: tf.Tensor,
    features: RankingFeatures,
    label: bool,
) -> Flat:
    wanted = _of_records(features, label)
    parsed = _with_required(tf.io.parse_example(items, _specs(wanted, label)), wanted)
    specs = _specs(features.context, label)
    of_lists = tf.io.parse_example(context, specs) if specs else {}
    return Flat(_with_required(of_lists, features.context), _labelled(parsed, features), lengths)


def _of_records(features: RankingFeatures, label: bool) -> tuple[RankingFeature, ...]:
    """Returns the features of the items, their label as records have it."""
    return tuple(
        dataclasses.replace(feature, dtype=features.label_dtype)
        if feature.name == features.label
        else feature
        for feature in features.of_examples(label)
    )


def _labelled(examples: dict[str, Any], features: RankingFeatures) -> dict[str, Any]:
    """Returns the values with labels as losses want them, if there are labels."""
    if features.label not in examples:
        return examples
    return {**examples, features.label: tf.cast(examples[features.label], tf.float32)}


def _specs(features: Iterable[RankingFeature], label: bool) -> dict[str, Any]:
    """Returns what is parsed; in requests, which have no label, required features are ragged.

    `_with_required` then names those that are missing. Training does without: TensorFlow's error
    names the feature too, and ragged features make reading a third slower.
    """
    specs: dict[str, Any] = {}
    for feature in features:
        if feature.kind == "sequence":
            specs[feature.name] = _ragged(feature.dtype)
            if feature.weights is not None:
                specs[feature.weights] = _ragged("float32")
        elif feature.default is None and not label:
            specs[feature.name] = _ragged(feature.dtype)
        else:
            specs[feature.name] = tf.io.FixedLenFeature(
                feature.shape, feature.dtype, _default(feature)
            )
    return specs


def _with_required(parsed: dict[str, Any], features: Iterable[RankingFeature]) -> dict[str, Any]:
    """Returns the values, dense where a feature has no default; raises where a record lacks one."""
    ragged = {name for name, column in parsed.items() if isinstance(column, tf.RaggedTensor)}
    required = {f.name: f for f in features if f.kind != "sequence" and f.name in ragged}
    if not required:
        return parsed
    fits = tf.stack(
        [
            tf.reduce_all(tf.equal(parsed[name].row_lengths(), math.prod(feature.shape)))
            for name, feature in required.items()
        ]
    )
    lacking = tf.strings.reduce_join(tf.boolean_mask(list(required), ~fits), separator=", ")
    message = explain(
        "Features without a default",
        rule="must have all their values in every record",
        received="a record without some of the features that follow this message",
        where="parse",
        remedy="Send them, or give their `RankingFeature` a `default`.",
    )
    if tf.executing_eagerly() and not tf.reduce_all(fits):
        raise ValueError(f"{message} {lacking.numpy().decode()}")
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(fits), [message, lacking])]):
        return {
            name: _dense(column, required[name]) if name in required else column
            for name, column in parsed.items()
        }


def _dense(column: tf.RaggedTensor, feature: RankingFeature) -> tf.Tensor:
    shape = tf.constant(feature.shape, tf.int64)
    found = tf.reshape(column.values, tf.concat([[column.nrows()], shape], 0))
    return tf.ensure_shape(found, (column.shape[0], *feature.shape))


def _ragged(dtype: Any) -> tf.io.RaggedFeature:
    return tf.io.RaggedFeature(tf.as_dtype(dtype), row_splits_dtype=tf.int64)


def _dtypes(features: Iterable[RankingFeature]) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for feature in features:
        found.append((feature.name, feature.dtype))
        if feature.weights is not None:
            found.append((feature.weights, "float32"))
    return found


def _default(feature: RankingFeature) -> Any:
    """Returns the default in the shape of a value, or None."""
    if feature.default is None or feature.shape == ():
        return feature.default
    kind = object if feature.dtype == "string" else feature.dtype
    return np.broadcast_to(np.array(feature.default, kind), feature.shape).tolist()


def _steps(
    features: Iterable[RankingFeature],
    steps: dict[str, Any],
    all_lengths: dict[str, tf.Tensor],
    lengths: tf.Tensor,
) -> dict[str, Any]:
    """Returns flat values of feature lists, which have a step for every item or are not there."""
    by_name = {f.name: f for f in features}
    flat = {}
    for name, found in steps.items():
        own = all_lengths[name]
        fixed = by_name[name] if name in by_name and by_name[name].kind != "sequence" else None
        optional = fixed is None or fixed.default is not None
        fits = tf.equal(own, lengths)
        fits = tf.logical_or(fits, tf.equal(own, 0)) if optional else fits
        message = f"The feature list '{name}' must have a step for every item of its list."
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(fits), [message, own])]):
            there = tf.repeat(tf.equal(own, lengths), lengths)
        counts = tf.scatter_nd(
            tf.where(there), found.values.row_lengths(), tf.shape(there, tf.int64)
        )
        rows = tf.RaggedTensor.from_row_lengths(found.flat_values, counts)
        flat[name] = rows if fixed is None else _fixed(rows, fixed)
    return flat


def _fixed(rows: tf.RaggedTensor, feature: RankingFeature) -> tf.Tensor:
    """Returns values of the feature's shape; a step without any has the default."""
    width = int(np.prod(feature.shape, dtype=int))
    counts = rows.row_lengths()
    fits = tf.equal(counts, width)
    present = fits
    if feature.default is not None:
        fits = tf.logical_or(fits, tf.equal(counts, 0))
    message = f"Each step of '{feature.name}' must have {width} values."
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(fits), [message, counts])]):
        values = tf.reshape(rows.flat_values, [-1, *feature.shape])
    if feature.default is None:
        return values
    shape = tf.concat([tf.shape(counts), feature.shape], 0)
    filled = tf.broadcast_to(tf.constant(feature.default, values.dtype), shape)
    return tf.tensor_scatter_nd_update(filled, tf.where(present), values)
