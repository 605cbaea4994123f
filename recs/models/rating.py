"""A rating predicted from a user's and an item's embedding."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from recs.errors import explain
from recs.layers.dense_chain import through
from recs.layers.dynamic_embedding import DynamicEmbedding
from recs.layers.row_shapes import with_values_per_row
from recs.models.base import ReadyModel
from recs.models.encode import in_batches
from recs.models.tower import Tower
from recs.tasks.ranking import Ranking
from recs.tasks.sample_weights import as_columns, flat_weights


@keras.saving.register_keras_serializable("recs")
class RatingModel(ReadyModel):
    """Predicts what a user would rate an item.

    `rating(u, i) = mean + b_u + b_i + MLP([e_u, e_i, e_u * e_i])`, with the mean of training,
    a bias for each user and item, and embeddings of both. Trained on the mean squared error, with
    the root of it, `rmse`, as the metric. Users and items that training has not seen have zero
    embeddings and biases, so that their rating is near the mean.

    Masking: none. State: tables, weights and the mean.

    Args:
        user: The column of user ids; None leaves the user out, `mean + b_i + MLP(e_i)`, for a
            `MetaLearner` to make the user's own. Defaults to `"user_id"`.
        item: The column of item ids. Defaults to `"item_id"`.
        rating: The column of ratings. Defaults to `"user_rating"`.
        embedding_dim: int, positive. Length of each embedding. Defaults to `16`.
        units: Sizes of the hidden layers of the MLP. Defaults to `(32,)`.
        user_features: Further columns of the user. Defaults to `()`.
        item_features: Further columns of the item, such as genres. Defaults to `()`.
        id_dtype: `"string"` or `"int64"`. Defaults to `"string"`.
        regularization: float. Factor of the squares of the batch's distinct embeddings and biases;
            larger trusts users and items with few ratings less. Defaults to `0.0`.
        dropout: float in [0, 1): the share of the MLP's inputs that training leaves out. Defaults
            to `0.0`.
        seed: int. Decides all initial values. Defaults to `None`: drawn from Python's `random`,
            which `keras.utils.set_random_seed` seeds.
        **kwargs: The arguments of `keras.Model`.

    Shapes: a dict of columns `(batch,)`, lists `(batch, None)` -> `(batch,)` float32.

    Raises:
        ValueError: when a column is missing.

    Example:
    ```python
    >>> import keras
    >>> from recs.data import Interactions
    >>> from recs.models import RatingModel
    >>> log = Interactions({"user": ["a", "b"], "item": ["x", "x"], "rating": [5, 1]})
    >>> model = RatingModel(user="user", item="item", rating="rating", embedding_dim=4, seed=1)
    >>> model.set_mean(3.0).compile(optimizer=keras.optimizers.Adagrad(0.1))
    >>> history = model.fit(log.to_dataset(batch_size=2), epochs=50, verbose=0)
    >>> model.predict_ratings({"user": ["a", "b"], "item": ["x", "x"]}).round().tolist()
    [5.0, 1.0]

    ```
    """

    def __init__(
        self,
        *,
        user: str | None = "user_id",
        item: str = "item_id",
        rating: str = "user_rating",
        embedding_dim: int = 16,
        units: Sequence[int] = (32,),
        user_features: Sequence[str] = (),
        item_features: Sequence[str] = (),
        id_dtype: str = "string",
        regularization: float = 0.0,
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._arguments = {
            "user": user,
            "item": item,
            "rating": rating,
            "embedding_dim": embedding_dim,
            "units": list(units),
            "user_features": list(user_features),
            "item_features": list(item_features),
            "id_dtype": id_dtype,
            "regularization": regularization,
            "dropout": dropout,
            "seed": seed,
        }
        self.rating = rating
        drawn = random.randrange(2**31) if seed is None else seed
        shared: dict[str, Any] = {"id_dtype": id_dtype, "regularization": regularization}
        self.query_tower = None
        if user is not None:
            self.query_tower = Tower(
                user, embedding_dim, (), user_features, seed=drawn, name="query_tower", **shared
            )
        self.candidate_tower = Tower(
            item,
            embedding_dim,
            (),
            item_features,
            seed=drawn + 1009,
            name="candidate_tower",
            **shared,
        )
        self.user_bias = None
        if user is not None:
            self.user_bias = _bias("user_bias", id_dtype, regularization)
        self.item_bias = _bias("item_bias", id_dtype, regularization)
        self.mean = self.add_weight(name="mean", shape=(), initializer="zeros", trainable=False)
        self.dropout = keras.layers.Dropout(dropout, seed=drawn)
        sizes = [*units, 1]
        self.mlp = [
            keras.layers.Dense(
                size,
                activation="relu" if number < len(units) else None,
                kernel_initializer=keras.initializers.GlorotUniform(drawn + 101 + number),
                name=f"dense_{number}",
            )
            for number, size in enumerate(sizes)
        ]
        first = embedding_dim if user is None else 3 * embedding_dim
        for layer, width in zip(self.mlp, [first, *units], strict=True):
            layer.build((None, width))
        self.task = Ranking(
            loss=keras.losses.MeanSquaredError(),
            metrics=[keras.metrics.RootMeanSquaredError(name="rmse")],
        )
        self.built = True

    @property
    def columns(self) -> list[str]:
        """The columns that a prediction reads."""
        query = [] if self.query_tower is None else self.query_tower.columns
        return [*query, *self.candidate_tower.columns]

    def set_mean(self, mean: float) -> RatingModel:
        """Sets the rating from which predictions start; returns the model.

        Args:
            mean: the mean rating of training.
        """
        self.mean.assign(float(mean))
        return self

    def call(self, inputs: Mapping[str, Any]) -> Any:
        """Returns the predicted ratings of a batch."""
        columns = [t.column for t in (self.query_tower, self.candidate_tower) if t is not None]
        inputs = with_values_per_row(inputs, columns, f"RatingModel '{self.name}'")
        x = ops.cast(self.candidate_tower(inputs), self.compute_dtype)
        if self.query_tower is not None:
            user = ops.cast(self.query_tower(inputs), self.compute_dtype)
            x = ops.concatenate([user, x, user * x], axis=-1)
        x = through(self.mlp, self.dropout(x))
        told = self._start(inputs) + ops.cast(x, "float32")
        return ops.squeeze(told, axis=-1)

    def _start(self, inputs: Mapping[str, Any]) -> Any:
        """Returns the mean and the biases, `(batch, 1)` float32."""
        bias = self.item_bias(inputs[self.candidate_tower.column])
        if self.user_bias is not None and self.query_tower is not None:
            bias = bias + self.user_bias(inputs[self.query_tower.column])
        return ops.cast(self.mean, "float32") + ops.cast(bias, "float32")

    @property
    def adapting_towers(self) -> dict[str, list[keras.layers.Layer]]:
        """The part that a `MetaLearner` adapts: the MLP."""
        return {"mlp": self.mlp}

    @property
    def tower_loss(self) -> keras.losses.Loss:
        """The labels that a `MetaLearner` adapts it to."""
        return keras.losses.MeanSquaredError()

    def tower_labels(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Returns what the MLP has to give: ratings without the mean and biases, `(batch, 1)`."""
        rating = ops.expand_dims(ops.cast(inputs[self.rating], "float32"), -1)
        return {"mlp": rating - self._start(inputs)}

    def compute_loss(self, inputs: Any, training: bool = False) -> Any:
        """Returns the mean squared error of a batch.

        Args:
            inputs: a dict with the model's columns, the ratings, and weights of the rows as
                `"sample_weight"`; or `(columns, ratings, weights)`.
            training: whether the model is trained.
        """
        inputs = as_columns(inputs, f"RatingModel '{self.name}'", self.rating)
        if self.rating not in inputs:
            raise ValueError(
                explain(
                    "The batch",
                    rule=f"must have the ratings as {self.rating!r}",
                    received=", ".join(inputs),
                    where=f"RatingModel '{self.name}'",
                    remedy="Name their column with `rating=`.",
                )
            )
        predicted = self(inputs, training=training)
        return self.task(inputs[self.rating], predicted, sample_weight=flat_weights(inputs))

    def predict_ratings(self, columns: Mapping[str, Any], batch_size: int = 8192) -> Any:
        """Returns the predicted ratings, `(rows,)` float32.

        Args:
            columns: a dict of the model's columns: lists, arrays or `RaggedColumn`s.
            batch_size: rows predicted at once. Defaults to `8192`.
        """
        return in_batches(self, columns, self.columns, batch_size)

    def serving_signatures(self) -> dict[str, Any]:
        """Returns what a server offers: `serving_default`, from users and items to `rating`.

        `recs.export.saved_model(model, path)` asks for it.
        """
        query = {} if self.query_tower is None else self.query_tower.serving_specs()
        specs = {**query, **self.candidate_tower.serving_specs()}

        @tf.function(input_signature=[specs])
        @tf.autograph.experimental.do_not_convert
        def serving_default(columns: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            return {"rating": self(columns, training=False)}

        return {"serving_default": serving_default}

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the model; what it has learnt is state."""
        return {**super().get_config(), **self._arguments}


def _bias(name: str, id_dtype: str, regularization: float) -> DynamicEmbedding:
    return DynamicEmbedding(
        1,
        embeddings_initializer="zeros",
        embeddings_regularizer=keras.regularizers.L2(regularization) if regularization else None,
        key_dtype=id_dtype,
        seed=0,
        name=name,
    )
