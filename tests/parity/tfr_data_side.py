"""TF-Ranking's parsing of records; runs alone, under TF_USE_LEGACY_KERAS=1, without recs."""

from __future__ import annotations

import pickle
import sys

import tensorflow as tf
from tfr_imported import import_tfr

data = import_tfr(sys.argv[1]).data

CONTEXT = {
    "history": tf.io.RaggedFeature(tf.int64, row_splits_dtype=tf.int64),
    "country": tf.io.FixedLenFeature([], tf.string, default_value="none"),
}
EXAMPLES = {
    "price": tf.io.FixedLenFeature([1], tf.float32, default_value=[-7.0]),
    "label": tf.io.FixedLenFeature([1], tf.int64, default_value=[-1]),
    "tags": tf.io.RaggedFeature(tf.string),
}


def main(given, answer):
    with open(given, "rb") as file:
        asked = pickle.load(file)
    out = {}
    for name, (format, records, list_size) in asked.items():
        parse = data.make_parsing_fn(
            getattr(data, format),
            list_size=list_size,
            context_feature_spec=CONTEXT,
            example_feature_spec=EXAMPLES,
            mask_feature_name="mask",
        )
        found = parse(tf.constant(records))
        out[name] = {
            key: x.to_list() if isinstance(x, tf.RaggedTensor) else x.numpy().tolist()
            for key, x in found.items()
        }
    with open(answer, "wb") as file:
        pickle.dump(out, file)


if __name__ == "__main__":
    main(*sys.argv[2:])
