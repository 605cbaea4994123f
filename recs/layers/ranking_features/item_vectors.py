"""From features of lists to what a scorer takes, by way of transforms."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from recs.layers.found_parts import FoundParts
from recs.layers.ranking_features.ranking_inputs import RankingInputs


@keras.saving.register_keras_serializable("recs")
class ItemVectors(FoundParts, keras.layers.Layer):
    """Makes the vectors of items, and what transforms make of them, side by side.

    The layer `vectors` of a `recs.models.Ranker`.

    Args:
        inputs: The layer from a batch to vectors.
        transforms: Layers from `(batch, list, dim)` to the same with another `dim`. None: the
            vectors stay as they are.
        **kwargs: As for every Keras layer.
    """

    def __init__(
        self, inputs: RankingInputs, transforms: Sequence[keras.layers.Layer] = (), **kwargs: Any
    ) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        self.inputs = inputs
        self.transforms = list(transforms)
        # All build themselves on what reaches them.
        self.built = True

    def call(self, inputs: Mapping[str, Any], training: bool | None = None) -> dict[str, Any]:
        """Returns what `RankingInputs` does, its `features` transformed.

        Args:
            inputs: A batch.
            training: As for every Keras layer.
        """
        return self._transformed(self.inputs(inputs, training=training), training)

    def compute_output_spec(
        self, inputs: Mapping[str, Any], training: bool | None = None
    ) -> dict[str, keras.KerasTensor]:
        """Returns shapes and dtypes without looking anything up; the transforms are built.

        Args:
            inputs: The batch's shapes and dtypes.
            training: As for every Keras layer.
        """
        return self._transformed(self.inputs.compute_output_spec(inputs), False)

    def adapt(self, batches: Any) -> None:
        """Adapts those of the transforms that have a method `adapt` to the items of batches.

        Args:
            batches: An iterable of them.
        """
        layers = [layer for layer in self.transforms if hasattr(layer, "adapt")]
        if not layers:
            return
        rows = []
        for batch in batches:
            items = self.inputs(batch, training=False)
            there = ops.convert_to_numpy(items["mask"])
            rows.append(ops.convert_to_numpy(items["features"])[there])
        for layer in layers:
            layer.adapt(np.concatenate(rows))

    def _transformed(self, items: Mapping[str, Any], training: bool | None) -> dict[str, Any]:
        if not self.transforms:
            return dict(items)
        mask = items["mask"]
        parts = [_called(layer, items["features"], mask, training) for layer in self.transforms]
        vectors = ops.concatenate(parts, axis=-1)
        vectors = ops.where(mask[..., None], vectors, ops.zeros_like(vectors))
        return {**items, "features": vectors}

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer; what transforms adapted to is state."""
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "inputs": serialize(self.inputs),
            "transforms": [serialize(layer) for layer in self.transforms],
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ItemVectors:
        """Rebuilds the layer from `get_config`."""
        deserialize = keras.saving.deserialize_keras_object
        transforms = [deserialize(layer) for layer in config["transforms"]]
        return cls(**{**config, "inputs": deserialize(config["inputs"]), "transforms": transforms})


def _called(layer: Any, vectors: Any, mask: Any, training: bool | None) -> Any:
    takes = inspect.signature(layer.call).parameters
    kwargs: dict[str, Any] = {"mask": mask} if "mask" in takes else {}
    if "training" in takes:
        kwargs["training"] = training
    return layer(vectors, **kwargs)
