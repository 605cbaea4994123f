"""The scores of one scorer, or of several that are alike."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from recs.layers.found_parts import FoundParts
from recs.tasks.list_scores import ListScores

_OF_LISTS = ("units", "kernel_regularizer", "mask_name")


@keras.saving.register_keras_serializable("recs")
class MemberScores(FoundParts, keras.layers.Layer):
    """Scores items by several scorers of the same kind, each with weights of its own.

    The layer `scores` of a `RankingHead`; the score is the mean of the members' scores.

    Args:
        scorer: A layer or model, or None: the inputs are what a scorer gave. The first member; the
            others are made of its configuration, and begin with other weights if its initializers
            have no seed.
        members: How many.
        units: As for `ListScores`. Each member has a dense layer of its own.
        kernel_regularizer: As for `ListScores`.
        mask_name: As for `ListScores`.
        **kwargs: As for every Keras layer.
    """

    def __init__(
        self,
        scorer: keras.layers.Layer | None = None,
        members: int = 1,
        units: int | None = None,
        kernel_regularizer: Any = None,
        mask_name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        self.supports_masking = True
        scorers = [scorer]
        if members > 1:
            config = _unshared(keras.saving.serialize_keras_object(scorer))
            others = range(members - 1)
            scorers += [keras.saving.deserialize_keras_object(config) for _ in others]
        given = (units, kernel_regularizer, mask_name)
        self.members = [
            ListScores(one, *given, name=f"member_{number}", dtype=self.dtype_policy)
            for number, one in enumerate(scorers)
        ]
        # Members build themselves on what reaches them.
        self.built = True

    @property
    def scorer(self) -> keras.layers.Layer | None:
        """The scorer of the first member, or None."""
        return self.members[0].scorer

    def call(
        self, inputs: Any, there: Any = None, training: bool | None = None, each: bool = False
    ) -> Any:
        """Returns the mean of the members' scores, as a member gives them.

        Args:
            inputs: What the scorer takes.
            there: bool `(batch, list)`, the mask.
            training: As for every Keras layer.
            each: Whether to return the scores of each member, along a first axis more.
        """
        scores = [member(inputs, there, training=training) for member in self.members]
        if len(scores) == 1 and not each:
            return scores[0]
        stacked = ops.stack([ops.cast(one, "float32") for one in scores])
        return stacked if each else ops.mean(stacked, axis=0)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        of_first = self.members[0].get_config()
        given = {name: of_first[name] for name in ("scorer", *_OF_LISTS)}
        return {**super().get_config(), **given, "members": len(self.members)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> MemberScores:
        """Rebuilds the layer from `get_config`."""
        config = dict(config)
        if config.get("scorer") is not None:
            config["scorer"] = keras.saving.deserialize_keras_object(config["scorer"])
        return cls(**config)


def _unshared(config: Any) -> Any:
    """Returns a configuration whose objects are made anew each time.

    While a file is loaded Keras marks configurations with the object that they are of, and gives
    that same object back.
    """
    if isinstance(config, dict):
        kept = {name: one for name, one in config.items() if name != "shared_object_id"}
        return {name: _unshared(one) for name, one in kept.items()}
    return [_unshared(one) for one in config] if isinstance(config, list) else config
