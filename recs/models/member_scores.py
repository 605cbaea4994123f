"""The scores of several scorers that are alike."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from recs.tasks.list_scores import ListScores
from recs.tasks.loss_weight import LossWeight


@keras.saving.register_keras_serializable("recs")
class MemberScores(keras.layers.Layer):
    """Scores items by several scorers of the same kind, each with weights of its own.

    The layer `members` of a `ListRanker`. Their regularization counts as the mean over them.

    Args:
        scorer: A layer or model from `(batch, list, dim)` to scores. The first member; the others
            are made of its configuration, and begin with other weights if its initializers have
            no seed.
        members: How many.
        regularization_weight: How much their regularization counts.
        **kwargs: The arguments of `keras.layers.Layer`.
    """

    def __init__(
        self, scorer: Any, members: int, regularization_weight: float = 1.0, **kwargs: Any
    ) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        self.supports_masking = True
        config = _unshared(keras.saving.serialize_keras_object(scorer))
        others = [keras.saving.deserialize_keras_object(config) for _ in range(members - 1)]
        self.scorers = [
            ListScores(one, name=f"member_{number}", dtype=self.dtype_policy)
            for number, one in enumerate([scorer, *others])
        ]
        self._loss_weight = LossWeight(self, regularization_weight / members)
        # Scorers build themselves on what reaches them.
        self.built = True

    def call(self, inputs: Any, there: Any, training: bool | None = None) -> Any:
        """Returns `(batch, list, members)`.

        Args:
            inputs: `(batch, list, dim)`.
            there: bool `(batch, list)`, the mask.
            training: As for every Keras layer.
        """
        before = self._loss_weight.before()
        scores = [member(inputs, there, training=training) for member in self.scorers]
        self._loss_weight.correct(before)
        return ops.stack([ops.cast(one, "float32") for one in scores], axis=-1)


def _unshared(config: Any) -> Any:
    """Returns a configuration whose objects are made anew each time.

    While a file is loaded Keras marks configurations with the object that they are of, and gives
    that same object back.
    """
    if isinstance(config, dict):
        kept = {name: one for name, one in config.items() if name != "shared_object_id"}
        return {name: _unshared(one) for name, one in kept.items()}
    return [_unshared(one) for one in config] if isinstance(config, list) else config
