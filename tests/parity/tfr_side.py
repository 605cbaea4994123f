"""The TF-Ranking half of the parity tests; runs alone, under TF_USE_LEGACY_KERAS=1, without recs.

TF-Ranking breaks ties at random. Where a case says so, its shuffle is replaced by one that leaves
everything in place, and its noise by the noise of the case: everything else is its own.
"""

from __future__ import annotations

import contextlib
import json
import sys
from unittest import mock

import numpy as np
import tensorflow as tf
from tfr_imported import import_tfr

tfr = import_tfr(sys.argv[1])
from tensorflow_ranking.python import losses_impl, metrics_impl, utils  # noqa: E402
from tensorflow_ranking.python.keras import utils as functions  # noqa: E402


def _function(name):
    if name == "rank_plus_one":
        return lambda rank: 1.0 / (rank + 1.0)
    if name == "one_more":
        return lambda label: label + 1.0
    return getattr(functions, name)


def _arguments(options):
    """Returns keyword arguments, names of functions replaced by functions."""
    return {k: _function(v) if k.endswith("_fn") else v for k, v in options.items()}


def _lambda(asked):
    name, options = asked
    if name == "MRRLambdaWeight":
        return tfr.losses.create_reciprocal_rank_lambda_weight(**options)
    if name == "PListMLELambdaWeight":
        return tfr.losses.create_p_list_mle_lambda_weight(**options)
    if name == "DCGLambdaWeightV2":
        defaults = {"gain_fn": functions.identity, "rank_discount_fn": functions.inverse}
        return losses_impl.DCGLambdaWeightV2(**{**defaults, **_arguments(options)})
    return getattr(tfr.keras.losses, name)(**_arguments(options))


@contextlib.contextmanager
def _without_chance(options, arrays):
    with contextlib.ExitStack() as stack:
        if options.get("ties_in_place"):
            shuffle = utils._get_shuffle_indices

            def in_place(shape, mask=None, shuffle_ties=True, seed=None):
                return shuffle(shape, mask, shuffle_ties=False)

            stack.enter_context(mock.patch.object(utils, "_get_shuffle_indices", in_place))
        if "noise" in arrays:
            noise = tf.constant(arrays["noise"])
            stack.enter_context(
                mock.patch.object(losses_impl, "_sample_gumbel", return_value=noise)
            )
        yield


def _ragged(x, arrays, options):
    if not options.get("ragged"):
        return tf.constant(x)
    return tf.RaggedTensor.from_tensor(x, arrays["lengths"])


def loss(options, arrays):
    made = dict(_arguments(options.get("arguments", {})))
    if options.get("lambda"):
        made["lambda_weight"] = _lambda(options["lambda"])
    if options.get("ragged"):
        made["ragged"] = True
    if options.get("reduction"):
        made["reduction"] = options["reduction"]
    of_class = getattr(tfr.keras.losses, options["class"])(**made)
    labels = _ragged(arrays["labels"], arrays, options)
    weights = arrays.get("weights")
    if weights is not None:
        per_item = weights.shape == arrays["labels"].shape
        weights = _ragged(weights, arrays, options) if per_item else tf.constant(weights)
    with _without_chance(options, arrays), tf.GradientTape() as tape:
        dense = tf.constant(arrays["scores"])
        tape.watch(dense)
        scores = dense
        if options.get("ragged"):
            scores = tf.RaggedTensor.from_tensor(dense, arrays["lengths"])
        value = of_class(labels, scores, weights)
    return {"loss": value, "d": tape.gradient(value, dense)}


def metric(options, arrays):
    name, made = options["class"], _arguments(options.get("arguments", {}))
    labels = _ragged(arrays["labels"], arrays, options)
    scores = _ragged(arrays["scores"], arrays, options)
    weights = arrays.get("weights")
    if weights is not None:
        per_item = weights.shape == arrays["scores"].shape
        weights = _ragged(weights, arrays, options) if per_item else tf.constant(weights)
    ragged = {"ragged": True} if options.get("ragged") else {}
    with _without_chance(options, arrays):
        if name in ("BPrefMetric", "PWAMetric"):
            impl = getattr(metrics_impl, name)("metric", **{"topn": None, **made}, **ragged)
            values, list_weights = impl.compute(labels, scores, weights)
            total = tf.reduce_sum(values * list_weights)
            result = tf.math.divide_no_nan(total, tf.reduce_sum(list_weights))
        else:
            of_class = getattr(tfr.keras.metrics, name)(**made, **ragged)
            of_class.update_state(labels, scores, weights)
            result = of_class.result()
            values, list_weights = of_class._metric.compute(labels, scores, weights)
    return {"result": result, "values": values[:, 0], "weights": list_weights[:, 0]}


def main(folder, asked, given, answer):
    with open(asked) as file:
        cases = json.load(file)
    loaded = np.load(given, allow_pickle=False)
    arrays = {name: {} for name in cases}
    for key in loaded.files:
        name, field = key.rsplit("|", 1)
        arrays[name][field] = loaded[key]
    out = {}
    for name, (kind, options) in cases.items():
        try:
            found = globals()[kind](options, arrays[name])
        except Exception as error:
            raise RuntimeError(f"in case {name}: {options}") from error
        out |= {f"{name}|{key}": np.asarray(value) for key, value in found.items()}
    np.savez(answer, **out)


if __name__ == "__main__":
    main(*sys.argv[1:])
