"""Probabilities of several events from one sample."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from recs.errors import explain
from recs.layers.embedding_collection import EmbeddingCollection
from recs.layers.feature_config import FeatureConfig
from recs.layers.multi_task.grad_norm import GradNorm
from recs.layers.multi_task.task_towers import TaskTowers
from recs.layers.row_shapes import check_same_rows, ids_per_row, value_per_row
from recs.layers.table_config import TableConfig
from recs.models.base import ReadyModel
from recs.tasks.multi_task import MultiTask
from recs.tasks.ranking import Ranking
from recs.tasks.sample_weights import as_columns, flat_weights, lone


@keras.saving.register_keras_serializable("recs")
class MultiTaskModel(ReadyModel):
    """Predicts several yes-or-no labels of a sample, by what they share and what is their own.

    `x` is the embeddings of the categories beside the numbers, tamed and scaled,
    `z = (log(1 + |v|) sign(v) - mean) / deviation`; `h = sharing(x)` a vector for each task, and
    `p_t = sigmoid(tower_t(h_t))`. Trained on the binary cross-entropy of each task; a label that is
    NaN is no loss. `<task>_auc` is the metric.

    Masking: none. State: tables, weights, means and deviations of the numbers.

    Args:
        tasks: The columns of labels, 0 or 1 or NaN, which also name the tasks.
        sharing: What gives each task a vector: a layer of `recs.layers.multi_task` for these tasks.
            Defaults to `None`: every task sees `x` itself.
        categories: Columns of strings, each with embeddings of its own. Defaults to `()`.
        numbers: Columns of numbers. Defaults to `()`.
        embedding_dim: int. Length of each embedding. Defaults to `8`.
        tower_units: Sizes of the hidden layers of each task's tower. Defaults to `(16,)`.
        dropout: float. The share of `x` that training leaves out. Defaults to `0.0`.
        balance: `PCGrad` or `GradNorm`, between `sharing`, then one network for all such as
            `recs.layers.blocks.MLP`, and the towers. Defaults to `None`.
        weights: Of the losses, as in `recs.tasks.MultiTask`. Defaults to `None`.
        seed: int. Decides the initial embeddings. Defaults to `None`: drawn from Python's `random`.
        **kwargs: The arguments of `keras.Model`.

    Shapes: a dict of columns `(batch,)` -> a dict with `(batch,)` float32 for each task.

    Raises:
        ValueError: `weights` fits no task, or is a `GradNorm` other than `balance`.

    Example:
    ```python
    >>> from recs.data import Samples
    >>> from recs.layers.multi_task import MMoE
    >>> from recs.models import MultiTaskModel
    >>> rows = Samples({"job": ["clerk", "farmer"], "age": [25.0, 38.0],
    ...                 "rich": [0.0, 1.0], "married": [1.0, float("nan")]})
    >>> model = MultiTaskModel(["rich", "married"], MMoE(["rich", "married"], 2, (4,)),
    ...                        categories=["job"], numbers=["age"], seed=1)
    >>> model.adapt(rows).compile("adam")
    >>> history = model.fit(rows.to_dataset(batch_size=2), verbose=0)
    >>> sorted(model.predict_probabilities(rows))
    ['married', 'rich']

    ```
    """

    def __init__(
        self,
        tasks: Sequence[str],
        sharing: keras.layers.Layer | None = None,
        *,
        categories: Sequence[str] = (),
        numbers: Sequence[str] = (),
        embedding_dim: int = 8,
        tower_units: Sequence[int] = (16,),
        dropout: float = 0.0,
        balance: keras.layers.Layer | None = None,
        weights: Any = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._arguments: dict[str, Any] = {
            "tasks": list(tasks),
            "categories": list(categories),
            "numbers": list(numbers),
            "embedding_dim": embedding_dim,
            "tower_units": list(tower_units),
            "dropout": dropout,
            "seed": seed,
        }
        self.sharing = sharing
        self.balance = balance
        if isinstance(weights, GradNorm) and weights is not balance:
            raise ValueError(
                explain(
                    "`weights`",
                    rule="must be the layer `balance` where it is a `GradNorm`",
                    received=f"another one than balance={balance!r}",
                    where=f"MultiTaskModel '{self.name}'",
                    remedy="Give the same layer as `balance=` and `weights=`.",
                )
            )
        drawn = random.randrange(2**31) if seed is None else seed
        self.embeddings = _embeddings(categories, embedding_dim, drawn) if categories else None
        self.dropout = keras.layers.Dropout(dropout, seed=drawn)
        self.towers = TaskTowers(tasks, (*tower_units, 1))
        heads = {
            name: Ranking(
                keras.losses.BinaryCrossentropy(from_logits=True),
                metrics=keras.metrics.AUC(from_logits=True, name=f"{name}_auc"),
            )
            for name in tasks
        }
        self.task = MultiTask(heads, weights)
        count = len(numbers)
        self.means, self.deviations = (
            self.add_weight(shape=(count,), initializer=start, trainable=False, name=name)
            for name, start in (("means", "zeros"), ("deviations", "ones"))
        )
        # All weights are made now, for a file to be loaded into.
        self._predicted(keras.KerasTensor((None, embedding_dim * len(categories) + count)))
        self.built = True

    @property
    def tasks(self) -> list[str]:
        """The labels that are predicted."""
        return list(self._arguments["tasks"])

    @property
    def columns(self) -> list[str]:
        """The columns that a prediction reads."""
        return [*self._arguments["categories"], *self._arguments["numbers"]]

    @property
    def adapting_towers(self) -> dict[str, list[keras.layers.Layer]]:
        """The part that a `MetaLearner` adapts: the tower of each task."""
        return self.towers.dense_layers

    @property
    def tower_loss(self) -> keras.losses.Loss:
        """The labels that a `MetaLearner` adapts them to."""
        return keras.losses.BinaryCrossentropy(from_logits=True)

    def tower_labels(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the label of each task, `(batch, 1)`, NaN where it is missing."""
        return {t: ops.expand_dims(ops.cast(inputs[t], "float32"), -1) for t in self.tasks}

    def adapt(self, samples: Mapping[str, Any]) -> MultiTaskModel:
        """Takes means and deviations from training samples; returns the model.

        Args:
            samples: a dict or a table with the columns of numbers.
        """
        if names := self._arguments["numbers"]:
            tamed = np.stack([_tame(np.asarray(samples[n], np.float64), np) for n in names])
            self.means.assign(tamed.mean(1))
            self.deviations.assign(np.maximum(tamed.std(1), 1e-6))
        return self

    def call(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the probabilities of a batch."""
        logits = self.logits(inputs)
        return {name: ops.sigmoid(ops.squeeze(logit, -1)) for name, logit in logits.items()}

    def logits(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Returns each task's logits, `(batch, 1)`."""
        return self._predicted(self.dropout(self._vector(inputs)))

    def _predicted(self, x: Any) -> dict[str, Any]:
        if self.sharing is not None:
            x = self.sharing(x)
        if self.balance is not None:
            x = self.balance(x)
        return self.towers(x)

    def _vector(self, inputs: Mapping[str, Any]) -> Any:
        where = f"MultiTaskModel '{self.name}'"
        columns = {n: value_per_row(inputs[n], n, where) for n in self._arguments["numbers"]}
        for name in self._arguments["categories"]:
            columns[name] = ids_per_row(inputs[name], name, "string", where, fixed=True)
        inputs = check_same_rows(columns, where)
        parts = []
        if self.embeddings is not None:
            found = self.embeddings({n: inputs[n] for n in self._arguments["categories"]})
            parts = [found[name] for name in self._arguments["categories"]]
        if names := self._arguments["numbers"]:
            numbers = ops.stack([ops.cast(inputs[name], "float32") for name in names], axis=-1)
            scaled = (_tame(numbers, ops) - self.means) / self.deviations
            parts.append(ops.cast(scaled, self.compute_dtype))
        return ops.concatenate(parts, axis=-1)

    def compute_loss(self, inputs: Any, training: bool = False) -> Any:
        """Returns the weighed loss of a batch.

        Args:
            inputs: A dict with the model's columns, the labels, and weights of the rows as
                `"sample_weight"`; or `(columns, labels, weights)`, labels being a dict.
            training: Whether the model is trained.
        """
        inputs = as_columns(inputs, f"MultiTaskModel '{self.name}'", lone(self.tasks))
        labels = {name: ops.expand_dims(inputs[name], -1) for name in self.tasks}
        weight = flat_weights(inputs)
        return self.task(labels, self.logits(inputs), sample_weight=weight, training=training)

    def predict_probabilities(
        self, columns: Mapping[str, Any], batch_size: int = 8192
    ) -> dict[str, np.ndarray]:
        """Returns the probabilities of each task, `(rows,)` float32.

        Args:
            columns: a dict or a table of the model's columns.
            batch_size: rows predicted at once. Defaults to `8192`.
        """
        data = tf.data.Dataset.from_tensor_slices(
            {name: tf.convert_to_tensor(np.asarray(columns[name])) for name in self.columns}
        )
        parts = [self(batch, training=False) for batch in data.batch(batch_size)]
        return {name: np.concatenate([part[name] for part in parts]) for name in self.tasks}

    def serving_signatures(self) -> dict[str, Any]:
        """Returns what a server offers: `serving_default`, from columns to probabilities."""
        kinds = dict.fromkeys(self._arguments["categories"], tf.string)
        kinds |= dict.fromkeys(self._arguments["numbers"], tf.float32)
        specs = {name: tf.TensorSpec([None], kind, name=name) for name, kind in kinds.items()}

        @tf.function(input_signature=[specs])
        @tf.autograph.experimental.do_not_convert
        def serving_default(columns: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            return self(columns, training=False)

        return {"serving_default": serving_default}

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the model."""
        serialize = keras.saving.serialize_keras_object
        layers = {
            name: None if layer is None else serialize(layer)
            for name, layer in (("sharing", self.sharing), ("balance", self.balance))
        }
        config = {"name": self.name, **self._arguments, **layers}
        config["weights"] = self.task.get_config()["weights"]
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> MultiTaskModel:
        """Rebuilds the model from `get_config`."""
        config = dict(config)
        for name in ("sharing", "balance"):
            if config[name] is not None:
                config[name] = keras.saving.deserialize_keras_object(config[name])
        weights = config["weights"]
        if isinstance(weights, dict) and "class_name" in weights:
            layer = keras.saving.deserialize_keras_object(weights)
            # A `GradNorm` is the layer of the network, and not a second one.
            config["weights"] = config["balance"] if isinstance(layer, GradNorm) else layer
        return cls(**config)


def _embeddings(categories: Sequence[str], dim: int, seed: int) -> EmbeddingCollection:
    return EmbeddingCollection(
        [
            FeatureConfig(name, TableConfig(name, dim, combiner=None, key_dtype="string",
                                            seed=seed + number))
            for number, name in enumerate(categories)
        ],
        name="embeddings",
    )  # fmt: skip


def _tame(values: Any, library: Any) -> Any:
    return library.sign(values) * library.log1p(library.abs(values))
