"""Signatures that take lists, serialised or as tensors."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from recs.data.ranking import RankingFeatures, parse
from recs.errors import explain
from recs.export.raw_lists import raw_batch, raw_specs


def ranking_signatures(
    model: keras.layers.Layer, features: RankingFeatures, default: str = "predict"
) -> dict[str, Any]:
    """Returns signatures of a ranking model, for `saved_model`.

    | signature | takes | gives |
    |---|---|---|
    | `predict` | `inputs`: ExampleListWithContext, `(batch,)` strings | `(batch, list)` |
    | `regress` | `inputs`: tf.Example, one item with its context each, `(batch,)` | `(batch,)` |
    | `score` | the features by name, and `mask` | `(batch, list)` |

    Requests need no labels. Lists are padded to the longest of the request, and padded items score
    the lowest float32; scores of a list do not depend on the others if the model keeps to the mask.

    In `score`, features of the context are `(batch, *shape)`, of items `(batch, list, *shape)`; a
    sequence has one axis more, padded with anything, and its lengths are `<name>_lengths`, int64
    `(batch,)` or `(batch, list)`; `mask` is bool. Other characters in names than letters, digits
    and `_` become `_`.

    Args:
        model: Called with a batch as `RankingFeatures` describes it, and `training=False`; gives
            scores `(batch, list)`, or several by name.
        features: What requests hold.
        default: Which of them is `serving_default` too. Defaults to `"predict"`.

    Returns:
        `tf.function`s by name. Outputs have the model's names, or `"output"`.

    Raises:
        ValueError: `default` is none of these, or two tensors of `score` get the same name.

    Example:
    ```python
    # not run
    signatures = recs.export.ranking_signatures(model, features)
    recs.export.saved_model(model, "saved_model/1", signatures=signatures)
    ```

    Reference: `tfr.keras.saved_model.Signatures`.
    """
    if default not in ("predict", "regress", "score"):
        rule = "must be 'predict', 'regress' or 'score'"
        received = f"default={default!r}"
        where = "ranking_signatures"
        raise ValueError(explain("`default`", rule=rule, received=received, where=where))
    spec = [tf.TensorSpec([None], tf.string, name="inputs")]

    @tf.function(input_signature=spec)
    @tf.autograph.experimental.do_not_convert
    def predict(inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        batch = parse(inputs, features, "elwc", label=False)
        mask = batch[features.mask]
        return _masked(model(batch, training=False), mask)

    @tf.function(input_signature=spec)
    @tf.autograph.experimental.do_not_convert
    def regress(inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        batch = parse(inputs, features, "tf_example", list_size=1, label=False)
        scores = _named(model(batch, training=False))
        return {name: one[:, 0] for name, one in scores.items()}

    @tf.function(input_signature=[_specs(features)])
    @tf.autograph.experimental.do_not_convert
    def score(tensors: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        batch = raw_batch(tensors, features)
        return _masked(model(batch, training=False), batch[features.mask])

    found = {"predict": predict, "regress": regress, "score": score}
    return {**found, "serving_default": found[default]}


def _specs(features: RankingFeatures) -> dict[str, tf.TensorSpec]:
    specs = raw_specs(features)
    weights = [f.weights for f in (*features.context, *features.examples) if f.weights is not None]
    sequences = [f for f in (*features.context, *features.examples) if f.kind == "sequence"]
    if len(specs) < len(features.names) + len(weights) + len(sequences) + 1:
        rule = "must differ, those of lengths too, once other characters have become _"
        received = ", ".join([*features.names, *weights, features.mask])
        where = "ranking_signatures"
        raise ValueError(explain("The names", rule=rule, received=received, where=where))
    return specs


def _masked(outputs: Any, mask: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns scores by name, the lowest number where there is no item."""
    return {name: tf.where(mask, one, one.dtype.min) for name, one in _named(outputs).items()}


def _named(outputs: Any) -> dict[str, tf.Tensor]:
    return dict(outputs) if isinstance(outputs, dict) else {"output": outputs}
