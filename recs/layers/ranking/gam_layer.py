"""A generalized additive model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from recs.errors import explain
from recs.layers.found_parts import FoundParts
from recs.layers.ranking.tower import create_tower


@keras.saving.register_keras_serializable("recs")
class GAMLayer(FoundParts, keras.layers.Layer):
    """Scores items by a sum over their features, each scored by a network of its own.

    `F(c, x) = sum_j w_j(c) f_j(x_j)`, where `w(c) = sum_k softmax(g_k(c_k))` over the context
    features, and 1 without any. What each feature contributes can be plotted: it is returned.

    Args:
        example_feature_num: int. How many features items have.
        example_hidden_layer_dims: Widths of the hidden layers of `f_j`.
        context_feature_num: int. How many features the context has. Defaults to `None`, for none.
        context_hidden_layer_dims: Widths of the hidden layers of `g_k`. Defaults to `None`; needed
            with context features.
        activation: Of hidden layers. Defaults to `None`, the identity.
        use_batch_norm: bool. See `create_tower`. Defaults to `True`.
        batch_norm_moment: float. See `create_tower`. Defaults to `0.999`.
        dropout: float. See `create_tower`. Defaults to `0.5`.
        kernel_regularizer: Of every dense layer. Defaults to `None`.
        **kwargs: The arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: A pair: a list of example features; a list of context features, or an empty one or
            None, which leaves the weights out.

    Shapes: features `(..., dim)` -> scores `(..., 1)`, a list of `(..., 1)` for each example
    feature, a list of `(..., example_feature_num)` for each context feature. The leading axes are
    those of all features: `(batch * list,)` from `FlattenList`, or `(batch, list)`, where context
    features may be `(batch, 1, dim)`.

    Raises:
        ValueError: when features are more or less than was said.

    Example:
    ```python
    >>> import keras
    >>> from recs.layers.ranking import GAMLayer
    >>> x = keras.ops.ones((4, 1))
    >>> scores, parts, _ = GAMLayer(2, [3])(([x, x], []))
    >>> scores.shape, len(parts)
    (TensorShape([4, 1]), 2)

    ```

    Reference: Zhuang et al., "Interpretable Ranking with Generalized Additive Models", 2021;
    `tfr.keras.layers.GAMLayer`.
    """

    def __init__(
        self,
        example_feature_num: int,
        example_hidden_layer_dims: Sequence[int],
        context_feature_num: int | None = None,
        context_hidden_layer_dims: Sequence[int] | None = None,
        activation: Any = None,
        use_batch_norm: bool = True,
        batch_norm_moment: float = 0.999,
        dropout: float | None = 0.5,
        kernel_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.example_feature_num = example_feature_num
        self.example_hidden_layer_dims = list(example_hidden_layer_dims)
        self.context_feature_num = context_feature_num
        self.context_hidden_layer_dims = list(context_hidden_layer_dims or ())
        self.activation = keras.activations.get(activation)
        self.use_batch_norm = use_batch_norm
        self.batch_norm_moment = batch_norm_moment
        self.dropout = dropout
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        if context_feature_num and not self.context_hidden_layer_dims:
            raise self._bad("`context_hidden_layer_dims`", "must be given", "none")
        self._examples = [
            self._tower(self.example_hidden_layer_dims, 1, f"example_{j}")
            for j in range(example_feature_num)
        ]
        self._contexts = [
            self._tower(self.context_hidden_layer_dims, example_feature_num, f"context_{k}")
            for k in range(context_feature_num or 0)
        ]

    def _tower(self, widths: Sequence[int], units: int, name: str) -> keras.Sequential:
        return create_tower(
            widths,
            units,
            self.activation,
            use_batch_norm=self.use_batch_norm,
            batch_norm_moment=self.batch_norm_moment,
            dropout=self.dropout,
            name=name,
            kernel_regularizer=self.kernel_regularizer,
        )

    def call(self, inputs: Any, training: bool | None = None) -> tuple[Any, list[Any], list[Any]]:
        """Returns scores, what each example feature gives, and the weights of each context one."""
        examples, contexts = inputs
        if len(examples) != len(self._examples):
            raise self._bad("The example features", f"must be {len(self._examples)}", len(examples))
        if contexts and len(contexts) != len(self._contexts):
            raise self._bad(
                "The context features", f"must be {len(self._contexts)} or none", len(contexts)
            )
        parts = [
            tower(x, training=training) for x, tower in zip(examples, self._examples, strict=True)
        ]
        weights = [
            ops.softmax(tower(x, training=training), axis=-1)
            for x, tower in zip(contexts or (), self._contexts, strict=bool(contexts))
        ]
        together = ops.concatenate(parts, axis=-1)
        if weights:
            together = together * sum(weights)
        return ops.sum(together, axis=-1, keepdims=True), parts, weights

    def _bad(self, what: str, rule: str, received: Any) -> ValueError:
        where = f"GAMLayer '{self.name}'"
        return ValueError(explain(what, rule=rule, received=str(received), where=where))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        names = (
            "example_feature_num",
            "example_hidden_layer_dims",
            "context_feature_num",
            "context_hidden_layer_dims",
            "use_batch_norm",
            "batch_norm_moment",
            "dropout",
        )
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in names},
            "activation": keras.activations.serialize(self.activation),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }
