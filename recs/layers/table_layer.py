"""Base class of layers with embedding tables."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from recs.errors import explain
from recs.keras_contract import outermost_layer
from recs.layers.look_up_time import newest
from recs.layers.resource_layer import ResourceLayer
from recs.layers.table_anchor import TableAnchor
from recs.layers.table_arguments import TableArguments
from recs.layers.table_weight import TableWeight
from recs.ops import lookup
from recs.ops.bags import combine
from recs.ops.table import Table, stand_in
from recs.ops.table_resource import take_time_source
from recs.optimizers.commit import commit
from recs.optimizers.followed_optimizer import DEFAULT_OPTIMIZER, FollowedOptimizer
from recs.optimizers.refusals import refuse_averages


class TableLayer(ResourceLayer):
    """A layer that owns tables: looks rows up, has them trained, and saves them.

    The layer has one scalar weight, its *anchor*; every look-up of training takes it as an input,
    and its constraint is what Keras calls when the optimizer applies; kept in memory, its value is
    the ids and rows of the tables. A subclass makes its tables
    and gives them to `_own` at the end of its constructor.

    Args:
        **kwargs: `name`, `dtype`, `trainable` as for every Keras layer.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._followed: tuple[FollowedOptimizer, ...] = ()
        self._warned_of_default_optimizer = False

    def _own(self, tables: Sequence[Table], arguments: Sequence[TableArguments]) -> None:
        """Takes tables over, made from these arguments."""
        self._own_resources(tables)
        for t, one in enumerate(arguments):
            if one.cold_ids is not None:
                name = f"{tables[t].name}_cold".replace("/", "_")
                made = one.cold_ids.fallback(one, name)
                setattr(self, f"_fallback_{t}", made)
        self._followed = tuple(FollowedOptimizer(one.optimizer) for one in arguments)
        self._row_regularizers = tuple(one.regularizer for one in arguments)
        self._anchor = TableWeight(self, "anchor", trainable=self.trainable)
        self._anchor.constraint = TableAnchor(self)
        # In half precision the loss is scaled, and only `recs.Model` tells the layer by how much.
        self._seen_loss_scale = (
            self.add_weight(
                name="loss_scale",
                shape=(),
                dtype="float32",
                initializer="zeros",
                autocast=False,
                trainable=False,
            )
            if self._output_dtype == "float16"
            else None
        )

    def _fallback_of(self, table: int) -> Any:
        return getattr(self, f"_fallback_{table}", None)

    def _rows_of(
        self,
        batches: Sequence[lookup.Batch],
        table_of: Sequence[int],
        training: bool | None,
        cold_features: Any = None,
        timestamps: Any = None,
    ) -> list[tf.Tensor]:
        """Returns rows `(n or bags, dim)` of every batch, in the layer's output dtype."""
        learns = bool(training and self.trainable)
        fallbacks = [self._fallback_of(t) for t in table_of]
        # Where something stands for cold ids, rows are combined when it has.
        asked = [
            batch if fallback is None else batch.uncombined()
            for batch, fallback in zip(batches, fallbacks, strict=True)
        ]
        lookups = lookup.Lookups(self.tables, asked, table_of)
        if learns:
            for table in self.tables:
                take_time_source(table, from_events=timestamps is not None, where=self._where)
            found = self._train(lookups, newest(timestamps, self._where))
        else:
            found = self._find(lookups)
        rows = found.outputs
        for f, fallback in enumerate(fallbacks):
            if fallback is not None:
                known, whole = found.known[f], batches[f]
                filled = fallback.fill(rows[f], known, whole, cold_features, learns)
                rows[f] = combine(filled, whole)
        return [tf.cast(one, self._output_dtype) for one in rows]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the layer; notes which optimizer the model is compiled with that calls it."""
        outermost = outermost_layer(self)
        is_model = isinstance(outermost, keras.Model)  # of which only compiled ones have it
        of_model = getattr(outermost, "optimizer", None) if is_model else None
        for followed in self._followed:
            followed.of_model = of_model
        return super().__call__(*args, **kwargs)

    def _find(self, lookups: lookup.Lookups) -> lookup.Found:
        static_finds = [stand_in(table) for table in self.tables]
        if None in static_finds:
            return lookup.find(lookups)
        pairs = zip(lookups.batches, lookups.table_of, strict=True)
        found = [static_finds[t](batch) for batch, t in pairs]  # type: ignore[misc]
        return lookup.Found([rows for rows, _ in found], [known for _, known in found])

    def _train(self, lookups: lookup.Lookups, time: tf.Tensor | int) -> lookup.Found:
        refuse_averages(self._followed[0].of_model, self._where)
        found = lookup.find_or_insert(
            lookups,
            tf.convert_to_tensor(self._anchor),
            emit_unique_rows=any(r is not None for r in self._row_regularizers),
            emit_known=any(self._fallback_of(t) is not None for t in lookups.table_of),
            flag_bad_gradients=self._loss_is_scaled,
            time=time,
        )
        for regularizer, of_table in zip(self._row_regularizers, found.distinct, strict=True):
            if regularizer is not None:
                self.add_loss(regularizer(of_table))
        if self._must_find_loss_scale:
            self.add_loss(self._probe_loss_scale(tf.convert_to_tensor(self._anchor)))
        return found

    def commit(self) -> None:
        """Updates the tables from the pending gradients; Keras calls it, through the anchor."""
        self._warn_of_default_optimizer()
        resolved = [followed.resolve(self._anchor) for followed in self._followed]
        # There is one loss: a table whose optimizer knows its scale knows it for all.
        loss_scale = next((scale for _, scale in resolved if scale is not None), None)
        if loss_scale is None and self._must_find_loss_scale:
            loss_scale = self._take_seen_loss_scale()
        commit(
            self.tables,
            [optimizer for optimizer, _ in resolved],
            loss_scale=loss_scale,
            anchor=self._anchor,
            where=self._where,
        )

    def bind_optimizer(self, optimizer: keras.optimizers.Optimizer) -> None:
        """Tells the layer which optimizer the model is compiled with; `recs.Model` does it.

        Tables without an optimizer of their own follow it, and its loss scale is divided out.

        Raises:
            ValueError: it averages weights (`use_ema`), and the layer is trained.
        """
        if self.trainable:
            refuse_averages(optimizer, self._where)
        for followed in self._followed:
            followed.compiled = optimizer

    def _warn_of_default_optimizer(self) -> None:
        by_default = [followed for followed in self._followed if followed.is_default]
        if not by_default or self._warned_of_default_optimizer:
            return
        self._warned_of_default_optimizer = True
        of_model = by_default[0].of_model
        name = "the optimizer of this step" if of_model is None else type(of_model).__name__
        warnings.warn(
            explain(
                "The optimizer of a table",
                rule="should be chosen: outside a `recs.Model`, tables do not follow the compiled "
                "optimizer, nor do callbacks that change its learning rate reach them",
                received="no `optimizer=`, so that the rows are trained by "
                f"{DEFAULT_OPTIMIZER} and not by {name}",
                where=self._where,
                remedy="Give the layer `optimizer=`; the very instance that is compiled, where "
                "callbacks are to reach it. Or use `recs.Model` in the place of `keras.Model`.",
            ),
            stacklevel=2,
        )

    @property
    def _loss_is_scaled(self) -> bool:
        scaled = any(followed.loss_scaler is not None for followed in self._followed)
        return scaled or self._must_find_loss_scale

    @property
    def _must_find_loss_scale(self) -> bool:
        known = any(followed.loss_scale_is_known for followed in self._followed)
        return self._seen_loss_scale is not None and not known

    def _probe_loss_scale(self, anchor: tf.Tensor) -> tf.Tensor:
        """Returns a zero loss; its gradient is what the whole loss was multiplied by."""
        seen = self._seen_loss_scale
        assert seen is not None

        @tf.custom_gradient
        def probe(anchor: tf.Tensor):  # type: ignore[no-untyped-def]
            def gradient(scale: tf.Tensor) -> tf.Tensor:
                seen.assign(tf.cast(scale, tf.float32))
                return tf.zeros_like(anchor)

            return tf.zeros_like(anchor), gradient

        return probe(anchor)

    def _take_seen_loss_scale(self) -> tf.Tensor:
        message = explain(
            "The loss",
            rule="must contain `sum(model.losses)` under mixed_float16, which tells the layer the "
            "loss scale",
            received="a gradient of a loss without it",
            where=self._where,
            remedy="Add it, use `recs.Model`, or give the layer the `LossScaleOptimizer` itself.",
        )
        assert self._seen_loss_scale is not None
        seen = tf.convert_to_tensor(self._seen_loss_scale)
        with tf.control_dependencies([tf.debugging.assert_positive(seen, message)]):
            scale = tf.identity(seen)
        self._seen_loss_scale.assign(0.0)
        return scale
