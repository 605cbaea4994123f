"""Lists ranked by all that is known of list and items: features, scorer and loss as one model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from recs.data.ragged_column import RaggedColumn
from recs.data.ranking import RankingFeature, RankingFeatures, RankingLists
from recs.errors import explain
from recs.layers.ranking import create_tower
from recs.layers.ranking_features import RankingInputs, list_inputs
from recs.layers.table_config import TableConfig
from recs.metrics import MRRMetric, NDCGMetric
from recs.models.base import Model
from recs.tasks.base import deserialize_all, serialize_all
from recs.tasks.loss_weight import LossWeight
from recs.tasks.ranking_head import RankingHead

_NESTED = ("loss", "metrics", "scorer", "kernel_regularizer", "tables")


@keras.saving.register_keras_serializable("recs")
class Ranker(Model):
    """Learns to rank lists whose features are described once, and is served by that description.

    `RankingInputs` makes a vector of each item and what is known of its list, a scorer turns the
    vectors of a list into scores, and `recs.tasks.RankingHead` takes these and the labels to the
    ranking loss. What embeddings, scorer and head are regularized with is added to it, see there.

    Masking: items that `mask` of the batch leaves out, or whose label is below 0, have no part in
    loss and metrics; no other item's score depends on them unless the scorer ignores its mask.
    State: tables and weights, all in `.keras` files.

    Args:
        features: The description of the features.
        tables: The tables of ids, by the name in `table`. Defaults to `()`: each gets one with
            vectors of `embedding_dim`, and so does every name that is missing here.
        scorer: A layer or model from `(batch, list, width)` to scores `(batch, list)` or, with
            `units`, to vectors. Where sequences are left as such (`combiner=None`) it takes the
            dict that `RankingInputs` gives. Defaults to `None`: dense layers of 64 and 32 units.
        loss: As for `RankingHead`. Defaults to `None`, which is `recs.losses.SoftmaxLoss()`.
        metrics: As for `RankingHead`. Defaults to `None`: NDCG of the first ten, as `ndcg_10`, and
            `mrr`.
        units: As for `RankingHead`. Defaults to `None`: the scorer gives scores.
        kernel_regularizer: As for `RankingHead`. Defaults to `None`.
        regularization_weight: float, 0 or more. How much all regularization counts, that of the
            embeddings too. Defaults to `1.0`.
        list_dropout: As for `RankingHead`. Defaults to `0.0`.
        embedding_dim: int, positive. Of tables that `tables` does not have. Defaults to `16`.
        seed: int. Decides the initial rows of these tables, and what `list_dropout` leaves out.
            Defaults to `None`: drawn anew.
        **kwargs: The arguments of `keras.Model`.

    Shapes: a batch as `RankingFeatures` describes it -> `(batch, list)` float32, the lowest
        float32 where there is no item.

    Raises:
        ValueError: when an argument is not as `RankingInputs` and `RankingHead` want it, or a batch
            to learn from has no labels.

    Example:
    ```python
    >>> import keras
    >>> from recs.data.ranking import RankingFeature, RankingFeatures, RankingLists
    >>> from recs.models import Ranker
    >>> features = RankingFeatures([RankingFeature("user", "ids")], [RankingFeature("item", "ids")])
    >>> examples = {"item": [1, 2, 3, 2], "label": [0, 1, 1, 0]}
    >>> lists = RankingLists(features, {"user": [7, 8]}, examples, row_splits=[0, 2, 4])
    >>> keras.utils.set_random_seed(1)
    >>> model = Ranker(features, seed=1)
    >>> model.compile(optimizer=keras.optimizers.Adam(0.05))
    >>> history = model.fit(lists.to_dataset(batch_size=2), epochs=20, verbose=0)
    >>> [int(np.argmax(scores)) for scores in model.predict_lists(lists)]
    [1, 0]

    ```

    Reference: `tfr.keras.model.ModelBuilder`.
    """

    def __init__(
        self,
        features: RankingFeatures,
        tables: Sequence[TableConfig] = (),
        scorer: keras.layers.Layer | None = None,
        *,
        loss: Any = None,
        metrics: Sequence[keras.Metric] | keras.Metric | None = None,
        units: int | None = None,
        kernel_regularizer: Any = None,
        regularization_weight: float = 1.0,
        list_dropout: float = 0.0,
        embedding_dim: int = 16,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.features = features
        named = [*tables, *_missing(features, tables, embedding_dim, seed)]
        self.inputs_of_lists = RankingInputs(features, named, name="inputs")
        self.takes_sequences = any(_is_left(one) for one in (*features.context, *features.examples))
        if scorer is None:
            scorer = create_tower([64, 32], 1, "relu", use_batch_norm=False, dropout=None)
        if metrics is None:
            metrics = [NDCGMetric(name="ndcg_10", topn=10), MRRMetric(name="mrr")]
        self.head = RankingHead(
            loss,
            metrics,
            scorer=scorer,
            units=units,
            kernel_regularizer=kernel_regularizer,
            regularization_weight=regularization_weight,
            list_dropout=list_dropout,
            mask_name="mask" if self.takes_sequences else None,
            seed=seed,
            name="head",
        )
        self._embeddings_weight = LossWeight(self.inputs_of_lists, regularization_weight)
        self._given = {"embedding_dim": embedding_dim, "seed": seed}
        # The scorer's weights are made now, so that saved ones have a place to go.
        spec = self.inputs_of_lists.compute_output_spec(list_inputs(features))
        self.head.scores(self._of_scorer(spec), spec["mask"])
        self.built = True

    def call(self, inputs: Mapping[str, Any], training: bool | None = None) -> Any:
        """Returns the scores of the items of a batch."""
        vectors = self.inputs_of_lists(inputs, training=training)
        mask = vectors["mask"]
        scores = self.head.scores(self._of_scorer(vectors), mask, training=training)
        lowest = float(np.finfo("float32").min)
        return ops.where(mask, ops.cast(scores, "float32"), lowest)

    def compute_loss(self, inputs: Any, training: bool = False) -> Any:
        """Returns the ranking loss of a batch.

        Args:
            inputs: A batch as `RankingFeatures` describes it, with labels.
            training: Whether the model is trained.
        """
        if self.features.label not in inputs:
            raise ValueError(
                explain(
                    "The batch",
                    rule=f"must have labels as {self.features.label!r}",
                    received=", ".join(inputs),
                    where=f"Ranker '{self.name}'",
                )
            )
        before = self._embeddings_weight.before()
        vectors = self.inputs_of_lists(inputs, training=training)
        self._embeddings_weight.correct(before)
        weights = None if self.features.weight is None else inputs[self.features.weight]
        return self.head(
            inputs[self.features.label],
            self._of_scorer(vectors),
            sample_weight=weights,
            mask=vectors["mask"],
            training=training,
        )

    def predict_lists(self, lists: RankingLists, batch_size: int = 256) -> RaggedColumn:
        """Returns the scores of the items of each list, in their order.

        Args:
            lists: The lists; their labels are not looked at.
            batch_size: Lists scored at once. Defaults to `256`.
        """
        flat = [np.zeros(0, "float32")]
        for batch in lists.to_dataset(batch_size):
            flat.append(self.predict_on_batch(batch)[batch[self.features.mask].numpy()])
        return RaggedColumn(np.concatenate(flat), lists.row_splits)

    def serving_signatures(self) -> dict[str, Any]:
        """Returns what a server offers; see `recs.export.ranking_signatures`.

        `recs.export.saved_model(model, path)` asks for it.
        """
        from recs.export import ranking_signatures

        return ranking_signatures(self, self.features)

    def _of_scorer(self, vectors: Mapping[str, Any]) -> Any:
        """Returns what the scorer takes of what `RankingInputs` gives."""
        return dict(vectors) if self.takes_sequences else vectors["features"]

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the model; what it has learnt is state."""
        head = self.head.get_config()
        from_head = ("loss", "metrics", "scorer", "units", "kernel_regularizer")
        numbers = ("regularization_weight", "list_dropout")
        return {
            **super().get_config(),
            "features": self.features.get_config(),
            "tables": serialize_all(self.inputs_of_lists.table_configs),
            **{name: head[name] for name in (*from_head, *numbers)},
            **self._given,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Ranker:
        """Rebuilds a model from `get_config`."""
        rebuilt = deserialize_all(config, _NESTED)
        return cls(**{**rebuilt, "features": RankingFeatures.from_config(config["features"])})


def _is_left(feature: RankingFeature) -> bool:
    return feature.kind == "sequence" and feature.combiner is None


def _missing(
    features: RankingFeatures, tables: Sequence[TableConfig], dim: int, seed: int | None
) -> list[TableConfig]:
    """Returns tables for ids that are of none of the given ones."""
    names = {table.name for table in tables}
    made: dict[str, TableConfig] = {}
    for feature in (*features.context, *features.examples):
        name = feature.table or feature.name
        if feature.kind == "dense" or name in names or name in made:
            continue
        own = None if seed is None else seed + 1009 * len(made)
        made[name] = TableConfig(name, dim, key_dtype=str(feature.dtype), seed=own)
    return list(made.values())
