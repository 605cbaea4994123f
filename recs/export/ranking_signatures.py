"""Signatures that take serialised lists."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from recs.data.ranking import RankingFeatures, parse
from recs.errors import explain


def ranking_signatures(
    model: keras.layers.Layer, features: RankingFeatures, default: str = "predict"
) -> dict[str, Any]:
    """Returns signatures of a ranking model for serialised requests, for `saved_model`.

    | signature | takes | gives |
    |---|---|---|
    | `predict` | `inputs`: ExampleListWithContext, `(batch,)` strings | `(batch, list)` |
    | `regress` | `inputs`: tf.Example, an item each with its context, `(batch,)` | `(batch,)` |

    Requests need no labels. Lists are padded to the longest of the request, and padded items score
    the lowest float32; scores of a list do not depend on the others if the model keeps to the mask.

    Args:
        model: Called with a batch as `RankingFeatures` describes it, and `training=False`; gives
            scores `(batch, list)`, or several by name.
        features: What requests hold.
        default: Which of them is `serving_default` too. Defaults to `"predict"`.

    Returns:
        `tf.function`s by name. Outputs have the model's names, or `"output"`.

    Raises:
        ValueError: `default` is neither.

    Example:
    ```python
    # not run
    signatures = recs.export.ranking_signatures(model, features)
    recs.export.saved_model(model, "saved_model/1", signatures=signatures)
    ```

    Reference: `tfr.keras.saved_model.Signatures`.
    """
    if default not in ("predict", "regress"):
        rule = "must be 'predict' or 'regress'"
        received = f"default={default!r}"
        where = "ranking_signatures"
        raise ValueError(explain("`default`", rule=rule, received=received, where=where))
    spec = [tf.TensorSpec([None], tf.string, name="inputs")]

    @tf.function(input_signature=spec)
    def predict(inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        batch = parse(inputs, features, "elwc", label=False)
        mask = batch[features.mask]
        scores = _named(model(batch, training=False))
        return {name: tf.where(mask, one, one.dtype.min) for name, one in scores.items()}

    @tf.function(input_signature=spec)
    def regress(inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        batch = parse(inputs, features, "tf_example", list_size=1, label=False)
        scores = _named(model(batch, training=False))
        return {name: one[:, 0] for name, one in scores.items()}

    found = {"predict": predict, "regress": regress}
    return {**found, "serving_default": found[default]}


def _named(outputs: Any) -> dict[str, tf.Tensor]:
    return dict(outputs) if isinstance(outputs, dict) else {"output": outputs}
