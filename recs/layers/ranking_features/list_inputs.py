"""The inputs of functional models of lists."""

from __future__ import annotations

import keras

from recs.data.ranking.ranking_features import RankingFeatures


def list_inputs(features: RankingFeatures) -> dict[str, keras.KerasTensor]:
    """Returns a `keras.Input` for every feature and the mask, for functional models.

    Sequences are ragged. With `RankingInputs` and a scorer they make an ordinary Keras model that
    learns from `RankingLists.to_dataset(supervised=True)`.

    Args:
        features: The description of the features.

    Example:
    ```python
    >>> from recs.data.ranking import RankingFeature, RankingFeatures
    >>> from recs.layers.ranking_features import RankingInputs, list_inputs
    >>> features = RankingFeatures(examples=[RankingFeature("price"), RankingFeature("age")])
    >>> inputs = list_inputs(features)
    >>> vectors = RankingInputs(features)(inputs)
    >>> scores = keras.ops.squeeze(keras.layers.Dense(1)(vectors["features"]), -1)
    >>> model = keras.Model(inputs, scores)
    >>> model.compile(loss=recs.losses.SoftmaxLoss())
    >>> sorted(inputs), model.output_shape
    (['age', 'mask', 'price'], (None, None))

    ```

    Reference: `tfr.keras.model.FeatureSpecInputCreator` and `ModelBuilder`.
    """
    inputs: dict[str, keras.KerasTensor] = {}
    for before, described in (((), features.context), ((None,), features.examples)):
        for feature in described:
            ragged = feature.kind == "sequence"
            shape = (*before, *((None,) if ragged else feature.shape))
            inputs[feature.name] = keras.Input(
                shape, dtype=feature.dtype, ragged=ragged, name=feature.name
            )
            if feature.weights is not None:
                inputs[feature.weights] = keras.Input(
                    shape, dtype="float32", ragged=ragged, name=feature.weights
                )
    return {**inputs, features.mask: keras.Input((None,), dtype="bool", name=features.mask)}
