"""From what is known of the items of a list to their scores."""

from __future__ import annotations

import inspect
from typing import Any

import keras
from keras import ops

from recs.errors import explain
from recs.losses.functional.ranking.lists import is_ragged


@keras.saving.register_keras_serializable("recs")
class ListScores(keras.layers.Layer):
    """Calls a scorer, and makes scores of what it gives.

    The layer `scores` of a `RankingHead`.

    Args:
        scorer: A layer or model, or None: the inputs are what a scorer gave.
        units: None, for a scorer that gives scores; or how many a dense layer makes of its vectors.
        kernel_regularizer: The regularizer of that dense layer's kernel.
        mask_name: The input, by name, that the mask is handed to the scorer as.
        **kwargs: As for every Keras layer.
    """

    def __init__(
        self,
        scorer: keras.layers.Layer | None = None,
        units: int | None = None,
        kernel_regularizer: Any = None,
        mask_name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        self.supports_masking = True
        self.scorer = scorer
        self.units = units
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.mask_name = mask_name
        self.dense = (
            None
            if units is None
            else keras.layers.Dense(
                units,
                kernel_regularizer=self.kernel_regularizer,
                dtype=self.dtype_policy,
                name="dense",
            )
        )
        # The scorer and the dense layer build themselves on what reaches them.
        self.built = True

    def call(self, inputs: Any, there: Any = None, training: bool | None = None) -> Any:
        """Returns scores `(batch, list)`, or `(batch, list, units)` for more than one unit.

        Args:
            inputs: What the scorer takes.
            there: bool `(batch, list)`, the mask. Not named so, or Keras would attach it to the
                inputs, and warn of every layer that knows of no masks.
            training: As for every Keras layer.
        """
        outputs = inputs
        if self.scorer is not None:
            inputs, kwargs = self._with_mask(inputs, there)
            if "training" in inspect.signature(self.scorer.call).parameters:
                kwargs["training"] = training
            outputs = self.scorer(inputs, **kwargs)
        if is_ragged(outputs):
            outputs = outputs.to_tensor(0)
        if keras.tree.is_nested(outputs):
            raise self._bad_scores(f"a structure, {type(outputs).__name__}")
        outputs = ops.convert_to_tensor(outputs)
        if self.dense is not None:
            if len(outputs.shape) != 3:
                raise self._bad_scores(f"shape {tuple(outputs.shape)}")
            outputs = self.dense(outputs)
        if len(outputs.shape) == 3 and outputs.shape[-1] == 1:
            outputs = ops.squeeze(outputs, -1)
        if len(outputs.shape) not in (2, 3):
            raise self._bad_scores(f"shape {tuple(outputs.shape)}")
        return outputs

    def _with_mask(self, inputs: Any, mask: Any) -> tuple[Any, dict[str, Any]]:
        """Returns the scorer's inputs and keyword arguments, the mask in one or the other."""
        if mask is None:
            return inputs, {}
        if self.mask_name is not None:
            return {**inputs, self.mask_name: mask}, {}
        # Keras's own models want a mask for each input: only one that is alone has one.
        if not _uses_mask(self.scorer) or (_holds(self.scorer) and keras.tree.is_nested(inputs)):
            return inputs, {}
        _let_pass(self.scorer)
        return inputs, {"mask": mask}

    def _bad_scores(self, received: str) -> ValueError:
        scores = "(batch, list, dim)" if self.units else "(batch, list) or (batch, list, 1)"
        return ValueError(
            explain(
                "What is scored" if self.scorer is None else f"The output of '{self.scorer.name}'",
                rule=f"must be one tensor of shape {scores}",
                received=received,
                where=f"ListScores '{self.name}'",
                remedy="`units=1` makes scores of vectors; without it the scorer gives scores.",
            )
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "scorer": None if self.scorer is None else serialize(self.scorer),
            "units": self.units,
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "mask_name": self.mask_name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ListScores:
        """Rebuilds the layer from `get_config`."""
        config = dict(config)
        if config.get("scorer") is not None:
            config["scorer"] = keras.saving.deserialize_keras_object(config["scorer"])
        return cls(**config)


def _holds(layer: Any) -> bool:
    """Returns whether a layer is a graph or a sequence of others, which it hands masks on to."""
    return isinstance(layer, keras.Sequential) or (
        isinstance(layer, keras.Model) and hasattr(layer, "operations")
    )


def _let_pass(layer: Any) -> None:
    """Tells Keras that a scorer, and what it is put together of, may be given a mask.

    Else it warns that the layers behind do not see the mask, for want of a `compute_mask`.
    """
    layer.supports_masking = True
    for one in layer.layers if _holds(layer) else ():
        if _holds(one):
            _let_pass(one)


def _uses_mask(layer: Any) -> bool:
    if _holds(layer):
        return any(_uses_mask(one) for one in layer.layers)
    return "mask" in inspect.signature(layer.call).parameters
