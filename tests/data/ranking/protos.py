"""Records made by protobuf and by hand, not by what reads them."""

from __future__ import annotations

import tensorflow as tf


def feature(value) -> tf.train.Feature:
    values = list(value)
    if not values:  # of no kind, as most writers leave it
        return tf.train.Feature()
    if isinstance(values[0], bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
    if isinstance(values[0], int):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))


def example(**values) -> bytes:
    named = {name: feature(value) for name, value in values.items()}
    return tf.train.Example(features=tf.train.Features(feature=named)).SerializeToString()


def field(number: int, payload: bytes) -> bytes:
    """A length-delimited field of a proto, as the wire format has it."""
    length, size = b"", len(payload)
    while size > 127:
        length += bytes([size & 127 | 128])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + payload


def elwc(examples: list[bytes], context: bytes | None = None) -> bytes:
    record = b"".join(field(1, one) for one in examples)
    return record if context is None else record + field(2, context)


def example_in_example(examples: list[bytes], context: bytes) -> bytes:
    return example(serialized_context=[context], serialized_examples=examples)


def sequence_example(steps: dict[str, list], **context) -> bytes:
    lists = {
        name: tf.train.FeatureList(feature=[feature(one) for one in values])
        for name, values in steps.items()
    }
    named = {name: feature(value) for name, value in context.items()}
    return tf.train.SequenceExample(
        context=tf.train.Features(feature=named),
        feature_lists=tf.train.FeatureLists(feature_list=lists),
    ).SerializeToString()
