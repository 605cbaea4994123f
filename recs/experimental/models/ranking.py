"""DLRM- and DCN-style ranking model on dense and sparse features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from recs.errors import explain
from recs.layers.blocks import MLP
from recs.layers.feature_interaction import DotInteraction
from recs.layers.row_shapes import check_same_rows
from recs.models.base import Model
from recs.tasks.base import Task
from recs.tasks.ranking import Ranking as RankingTask

_PARTS = ("embedding_layer", "bottom_stack", "feature_interaction", "top_stack", "task")


@keras.saving.register_keras_serializable("recs", "ExperimentalRanking")
class Ranking(Model):
    """A ranking model of exchangeable parts, for clicks or ratings.

    With embeddings `e_1 ... e_F` of the sparse features, sorted by name, and
    `d = bottom_stack(dense_features)`:
    `prediction = top_stack([d, feature_interaction([e_1, ..., e_F, d])])`.
    With `DotInteraction` that is DLRM; with
    `keras.Sequential([keras.layers.Concatenate(), Cross()])` it is DCN. The loss is the mean of
    what the task returns, by the number of replicas that `tf.distribute` sums over.

    Masking: none. State: that of the layers. A model whose layers can be saved can be saved.

    Args:
        embedding_layer: A layer from a dict of features to a dict of embeddings under the same
            names, `(batch, dim)` or `(batch, 1, dim)`: `recs.layers.EmbeddingCollection`, or a
            layer of your own over `DynamicEmbedding` or `keras.layers.Embedding`.
        bottom_stack: A layer of the dense features, whose result must be as wide as the embeddings
            for `DotInteraction`. Defaults to `None`: `MLP([256, 64, 16])`, with a relu at the end.
        feature_interaction: A layer of a list of tensors. Defaults to `None`: `DotInteraction()`.
        top_stack: A layer from the interactions to one number. Defaults to `None`:
            `MLP([512, 256, 1])`, with a sigmoid at the end.
        concat_dense: bool. Whether the top stack gets `d` too. Defaults to `True`.
        task: A `recs.tasks.Task` of labels, predictions and weights. Defaults to `None`: binary
            cross-entropy, with the metrics `auc`, `accuracy`, `prediction_mean`, `label_mean`.
        name: str. The model's name. Defaults to `None`, which lets Keras choose one.
        **kwargs: The arguments of `keras.Model`.

    Shapes: a dict of `dense_features (batch, features)` and `sparse_features`, a dict that the
    embedding layer takes -> `(batch,)`. A batch of `fit` is a tuple of that dict, labels
    `(batch,)` or `(batch, 1)`, and weights of the same shape if there are any. The task sees
    labels and predictions as `(batch, 1)`, weights as `(batch,)`.

    Raises:
        ValueError: when a batch is no such tuple, or an embedding no vector an example.

    Example:
    ```python
    >>> import keras
    >>> import numpy as np
    >>> import tensorflow as tf
    >>> from recs.experimental.models import Ranking
    >>> from recs.layers import EmbeddingCollection, FeatureConfig, TableConfig
    >>> from recs.layers.blocks import MLP
    >>> ads = FeatureConfig("ad", TableConfig("ads", 4, seed=1), combiner=None)
    >>> model = Ranking(EmbeddingCollection([ads]), bottom_stack=MLP([8, 4]))
    >>> model.compile(keras.optimizers.Adam(0.01))
    >>> x = {"dense_features": tf.ones((2, 3)), "sparse_features": {"ad": tf.constant([7, 8])}}
    >>> logs = model.train_on_batch(x, np.array([1.0, 0.0]), return_dict=True)
    >>> sorted(logs)[:3], model(x).shape
    (['accuracy', 'auc', 'label_mean'], TensorShape([2]))

    ```

    Reference: `tfrs.experimental.models.Ranking`. Repaired here: a batch of one example, and
    embeddings of one number, which `squeeze` without an axis broke; weights, which need the second
    axis that labels and predictions have here: without it Keras averages the losses before it
    weighs them; the error for a batch of another kind, which did not say what came.
    """

    def __init__(
        self,
        embedding_layer: keras.layers.Layer,
        bottom_stack: keras.layers.Layer | None = None,
        feature_interaction: keras.layers.Layer | None = None,
        top_stack: keras.layers.Layer | None = None,
        concat_dense: bool = True,
        task: Task | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self._embedding_layer = embedding_layer
        self._concat_dense = concat_dense
        self._bottom_stack = bottom_stack or MLP([256, 64, 16], final_activation="relu")
        self._top_stack = top_stack or MLP([512, 256, 1], final_activation="sigmoid")
        self._feature_interaction = feature_interaction or DotInteraction()
        self._task = task or _click_task()

    def call(self, inputs: Mapping[str, Any]) -> Any:
        """Returns the predictions of a batch."""
        embedded = self._embedding_layer(inputs["sparse_features"])
        dense = self._bottom_stack(inputs["dense_features"])
        vectors = [self._vectors(one) for one in keras.tree.flatten(embedded)]
        parts = {"dense_features": dense, **{f"embedding {n}": v for n, v in enumerate(vectors)}}
        dense, *vectors = check_same_rows(parts, self._where).values()
        met = self._feature_interaction([*vectors, dense])
        if self._concat_dense:
            met = ops.concatenate([dense, met], axis=1)
        return ops.reshape(self._top_stack(met), (-1,))

    def _vectors(self, embedding: Any) -> Any:
        """Returns embeddings `(batch, dim)` of such, or of `(batch, 1, dim)`."""
        shape = tuple(embedding.shape)
        if len(shape) == 3 and shape[1] == 1:
            return ops.squeeze(embedding, axis=1)
        if len(shape) != 2:
            raise ValueError(
                explain(
                    "The embedding of a sparse feature",
                    rule="must be one vector an example",
                    received=f"shape {shape}",
                    where=self._where,
                    remedy="Let the embedding layer combine several ids into one vector.",
                )
            )
        return embedding

    def compute_loss(self, inputs: Any, training: bool = False) -> Any:
        """Returns the loss of a batch.

        Args:
            inputs: `(features, labels)` or `(features, labels, weights)`.
            training: Whether the model is trained.
        """
        if not isinstance(inputs, tuple | list) or len(inputs) not in (2, 3):
            kind = type(inputs).__name__
            received = f"{kind} of {len(inputs)}" if isinstance(inputs, tuple | list) else kind
            raise ValueError(
                explain(
                    "A batch",
                    rule="must be (features, labels) or (features, labels, weights)",
                    received=received,
                    where=self._where,
                )
            )
        features, labels, *weights = inputs
        predictions = ops.reshape(self(features, training=training), (-1, 1))
        weight = ops.reshape(weights[0], (-1,)) if weights and weights[0] is not None else None
        loss = self._task(ops.reshape(labels, (-1, 1)), predictions, sample_weight=weight)
        # Optimizers sum over replicas.
        return ops.mean(loss) / tf.distribute.get_strategy().num_replicas_in_sync

    def get_build_config(self) -> dict[str, Any]:
        """Returns whether there are weights: the parts, which have them, know their shapes."""
        inputs = self._called_with.get_config()
        return {"built": self.built, "called_with": inputs}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Takes the parts for built if they were when the model was saved."""
        self._called_with.set_config(config["called_with"])
        if config["built"]:
            self.built = True

    @property
    def _where(self) -> str:
        return f"Ranking '{self.name}'"

    @property
    def embedding_trainable_variables(self) -> list[keras.Variable]:
        """The trainable weights of the embedding layer; of a layer with tables, its anchor."""
        return self._embedding_layer.trainable_variables

    @property
    def dense_trainable_variables(self) -> list[keras.Variable]:
        """All other trainable weights."""
        embeddings = {id(one) for one in self.embedding_trainable_variables}
        return [one for one in self.trainable_variables if id(one) not in embeddings]

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the model; what it has learnt is state."""
        parts = {
            name: keras.saving.serialize_keras_object(getattr(self, f"_{name}")) for name in _PARTS
        }
        return {**super().get_config(), "concat_dense": self._concat_dense, **parts}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Ranking:
        """Rebuilds a model from `get_config`."""
        parts = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects)
            for name in _PARTS
        }
        return cls(**{**config, **parts})


def _click_task() -> RankingTask:
    return RankingTask(
        loss=keras.losses.BinaryCrossentropy(reduction="none"),
        metrics=[
            keras.metrics.AUC(name="auc"),
            keras.metrics.BinaryAccuracy(name="accuracy"),
        ],
        prediction_metrics=[keras.metrics.Mean("prediction_mean")],
        label_metrics=[keras.metrics.Mean("label_mean")],
    )
