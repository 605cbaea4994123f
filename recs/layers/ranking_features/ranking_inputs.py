"""From features of lists to the tensor a scorer takes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from recs.data.ranking.ranking_feature import RankingFeature
from recs.data.ranking.ranking_features import RankingFeatures
from recs.errors import explain
from recs.layers.embedding_collection import EmbeddingCollection
from recs.layers.feature_config import FeatureConfig
from recs.layers.ranking_features.attend import attend
from recs.layers.row_shapes import value_per_row
from recs.layers.table_arguments import bad_argument
from recs.layers.table_config import TableConfig


@keras.saving.register_keras_serializable("recs")
class RankingInputs(keras.layers.Layer):
    """Makes one vector an item of everything that is known of list and item.

    Ids and sequences are looked up in one `EmbeddingCollection`; the ids of padded items are not
    looked up, and get no row. Sequences become one vector, by their `combiner`: `sum`, `mean` and
    `sqrtn` as in `DynamicEmbedding`, with weights if there are any; `attention` is

        sum_t softmax_t(q . v_t / sqrt(dim)) v_t

    with the vector `q` of their `query`, so that a history says something else of each item. What
    is known of the list is repeated for each item. The order along the last axis is that of
    `features.names`; a feature of the context that is attended by items stands in its place.

    Args:
        features: The description of the features.
        tables: The tables its ids are of, by the name in `table`.
        **kwargs: `name`, `dtype`, `trainable` as for every Keras layer.

    Call arguments:
        inputs: A batch as `RankingFeatures` describes it: of `RankingLists.to_dataset`, of `parse`,
            or a dict of one's own. Sequences are ragged, or dense where each has as many ids;
            other features of items are dense, or ragged along the list. Without a mask every item
            counts. The label is not used.
        training: Whether to insert ids and to be trained.

    Shapes: a dict of `features`, `(batch, list, width)`, zeros where padded; `mask`,
        `(batch, list)` bool; and for each sequence with `combiner=None`, `name`,
        `(batch, time, dim)` of the context or `(batch, list, time, dim)` of items, zeros behind
        the end, and `name_mask`, bool without the last axis.

    Raises:
        ValueError: a table is missing, two have the same name, or an input is missing.

    Example:
    ```python
    >>> from recs.data.ranking import RankingFeature, RankingFeatures
    >>> features = RankingFeatures(
    ...     context=[RankingFeature("history", "sequence", table="items", combiner="sum")],
    ...     examples=[RankingFeature("item", "ids", table="items"), RankingFeature("price")],
    ... )
    >>> items = recs.layers.TableConfig("items", 2, initializer="ones")
    >>> layer = RankingInputs(features, tables=[items])
    >>> batch = {
    ...     "history": tf.ragged.constant([[7, 8, 9]], dtype=tf.int64),
    ...     "item": np.array([[7, 0]]),
    ...     "price": np.array([[0.5, 0.0]]),
    ...     "mask": np.array([[True, False]]),
    ... }
    >>> layer(batch, training=True)["features"].numpy().tolist()
    [[[3.0, 3.0, 1.0, 1.0, 0.5], [0.0, 0.0, 0.0, 0.0, 0.0]]]
    >>> layer.embeddings.table("items").size()
    3

    ```

    Reference: `tfr.keras.model.PreprocessorWithSpec` and `tfr.keras.layers.ConcatFeatures`;
    attention as in deep interest networks (Zhou et al. 2018), with a scaled dot product.
    """

    def __init__(
        self, features: RankingFeatures, tables: Sequence[TableConfig] = (), **kwargs: Any
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.features = features
        self.table_configs = list(tables)
        where = f"RankingInputs '{self.name}'"
        self._tables = {table.name: table for table in self.table_configs}
        by_name = self._tables
        if len(by_name) < len(self.table_configs):
            raise bad_argument("tables", "must have a name each", list(by_name), where)
        configs = []
        for feature in (*features.context, *features.examples):
            if feature.kind == "dense":
                continue
            if (feature.table or feature.name) not in by_name:
                rule = f"must have the table of feature '{feature.name}'"
                raise bad_argument("tables", rule, list(by_name), where)
            configs.append(_config(feature, by_name[feature.table or feature.name]))
        self.embeddings = (
            EmbeddingCollection(configs, dtype=self.dtype_policy, name="embeddings")
            if configs
            else None
        )

    def build(self, input_shape: Any = None) -> None:
        """Does nothing: tables build themselves."""
        self.built = True

    def call(self, inputs: Mapping[str, Any], training: bool | None = None) -> dict[str, Any]:
        """Returns the vectors of the items, their mask, and sequences that are left as such."""
        self._check(inputs)
        inputs = self._with_axes(inputs)
        mask = self._mask(inputs)
        inputs = self._even(inputs, mask)
        vectors = self._look_up(inputs, mask, training)
        parts, outputs = [], {}
        for feature in self.features.context:
            value = vectors[feature.name] if feature.name in vectors else inputs[feature.name]
            if feature.kind == "sequence" and feature.combiner in (None, "attention"):
                value, there = _dense(value)
                if feature.combiner is None:
                    outputs[feature.name], outputs[f"{feature.name}_mask"] = value, there
                    continue
                query, of_items = self._query(feature, vectors, mask)
                value = attend(value, there, query)
                if of_items:
                    parts.append(value)
                    continue
            value = _flat(tf.cast(value, self.compute_dtype), 1)
            parts.append(tf.repeat(value[:, None], tf.shape(mask)[1], axis=1))
        for feature in self.features.examples:
            value = vectors[feature.name] if feature.name in vectors else inputs[feature.name]
            if feature.kind == "sequence" and feature.combiner in (None, "attention"):
                value, there = _dense_items(value, mask)
                if feature.combiner is None:
                    outputs[feature.name], outputs[f"{feature.name}_mask"] = value, there
                    continue
                query, of_items = self._query(feature, vectors, mask)
                query = query if of_items else tf.repeat(query, tf.shape(mask)[1], axis=1)
                value = attend(value, there, query[:, :, None])[:, :, 0]
            elif feature.kind != "dense":
                value = _placed(value, mask)
            parts.append(_flat(tf.cast(value, self.compute_dtype), 2))
        joined = tf.concat(parts, -1)
        outputs["features"] = tf.where(mask[..., None], joined, tf.zeros_like(joined))
        outputs["mask"] = mask
        return outputs

    def _with_axes(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the inputs, with the axes that the description of the features says."""
        where = f"RankingInputs '{self.name}'"
        checked = dict(inputs)
        for axes, described in ((1, self.features.context), (2, self.features.examples)):
            for feature in described:
                value = inputs[feature.name]
                wanted = axes + (1 if feature.kind == "sequence" else len(feature.shape))
                if wanted == 1:
                    checked[feature.name] = value_per_row(value, feature.name, where)
                elif len(value.shape) != wanted:
                    raise ValueError(
                        explain(
                            f"Feature '{feature.name}'",
                            rule=f"must have {wanted} axes, as its description says",
                            received=f"shape {tuple(value.shape)}",
                            where=where,
                        )
                    )
        return checked

    def _mask(self, inputs: Mapping[str, Any]) -> tf.Tensor:
        if (mask := inputs.get(self.features.mask)) is not None:
            return tf.cast(mask, tf.bool)
        first = inputs[self.features.examples[0].name]
        if isinstance(first, tf.RaggedTensor):
            return tf.sequence_mask(first.row_lengths())
        return tf.ones(tf.shape(first)[:2], tf.bool)

    def _even(self, inputs: Mapping[str, Any], mask: tf.Tensor) -> dict[str, Any]:
        """Returns the inputs with padding behind ragged numbers and ids of items."""
        even = dict(inputs)
        for feature in self.features.examples:
            value = inputs[feature.name]
            if feature.kind != "sequence" and isinstance(value, tf.RaggedTensor):
                shape = [None, tf.shape(mask)[1], *feature.shape]
                even[feature.name] = value.to_tensor(shape=shape)
        return even

    def _look_up(
        self, inputs: Mapping[str, Any], mask: tf.Tensor, training: bool | None
    ) -> dict[str, Any]:
        """Returns vectors by name, one row per list or per valid item."""
        if self.embeddings is None:
            return {}
        ids: dict[str, Any] = {}
        weights: dict[str, Any] = {}
        for of_items, described in ((False, self.features.context), (True, self.features.examples)):
            for feature in described:
                if feature.kind == "dense":
                    continue
                pairs = [(ids, feature.name)]
                if feature.weights is not None:
                    pairs.append((weights, feature.weights))
                for kept, name in pairs:
                    value = _there(inputs[name], mask) if of_items else inputs[name]
                    cut = feature.max_length is not None
                    kept[feature.name] = value[:, : feature.max_length] if cut else value
        return self.embeddings(ids, weights=weights, training=training)

    def _query(
        self, feature: RankingFeature, vectors: Mapping[str, Any], mask: tf.Tensor
    ) -> tuple[tf.Tensor, bool]:
        """Returns `(batch, list or 1, dim)` and whether it is of the items."""
        query = vectors[str(feature.query)]
        if feature.query in {one.name for one in self.features.context}:
            return query[:, None], False
        return _placed(query, mask), True

    def compute_output_spec(
        self, inputs: Mapping[str, Any], training: bool | None = None
    ) -> dict[str, keras.KerasTensor]:
        """Returns shapes and dtypes of the outputs without looking anything up."""
        self._check(inputs)
        first = self.features.examples[0].name
        known = inputs[self.features.mask if self.features.mask in inputs else first].shape
        lists = (known[0], known[1])
        width, outputs = 0, {}
        for feature in (*self.features.context, *self.features.examples):
            dim = 1
            if feature.kind != "dense":
                dim = self._tables[feature.table or feature.name].embedding_dim
            if feature.kind != "sequence" or feature.combiner is not None:
                width += dim * math.prod(feature.shape)
                continue
            shape = inputs[feature.name].shape
            time = shape[-1] if feature.max_length is None else None
            before = (lists[0], time) if feature in self.features.context else (*lists, time)
            dtype = self.compute_dtype
            outputs[feature.name] = keras.KerasTensor((*before, dim), dtype=dtype)
            outputs[f"{feature.name}_mask"] = keras.KerasTensor(before, dtype="bool")
        outputs["features"] = keras.KerasTensor((*lists, width), dtype=self.compute_dtype)
        outputs["mask"] = keras.KerasTensor(lists, dtype="bool")
        return outputs

    def _check(self, inputs: Mapping[str, Any]) -> None:
        weights = [f.weights for f in (*self.features.context, *self.features.examples)]
        wanted = (*self.features.names, *(one for one in weights if one is not None))
        missing = [name for name in wanted if name not in inputs]
        if missing:
            raise ValueError(
                explain(
                    "`inputs`",
                    rule="must have every feature",
                    received=f"no {', '.join(missing)} among {', '.join(inputs) or 'none'}",
                    where=f"RankingInputs '{self.name}'",
                )
            )

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments; the rows are state and are saved as such."""
        tables = [keras.saving.serialize_keras_object(one) for one in self.table_configs]
        return {
            **super().get_config(),
            "features": self.features.get_config(),
            "tables": tables,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> RankingInputs:
        """Returns the layer with these arguments."""
        tables = [keras.saving.deserialize_keras_object(one) for one in config["tables"]]
        features = RankingFeatures.from_config(config["features"])
        return cls(**{**config, "features": features, "tables": tables})


def _config(feature: RankingFeature, table: TableConfig) -> FeatureConfig:
    pooled = feature.kind == "sequence" and feature.combiner not in (None, "attention")
    return FeatureConfig(feature.name, table, combiner=feature.combiner if pooled else None)


def _there(value: Any, mask: tf.Tensor) -> Any:
    """Returns the values of items that are there, one after another."""
    if not isinstance(value, tf.RaggedTensor):
        return tf.boolean_mask(value, mask)
    lists = value.row_lengths()
    width = tf.shape(mask, tf.int64)[1]
    # A ragged list may end before the mask does; what lies beyond is padding in any case.
    kept = tf.boolean_mask(mask, tf.sequence_mask(lists, width))
    return tf.ragged.boolean_mask(value.values, kept)


def _placed(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    shape = tf.concat([tf.shape(mask, tf.int64), tf.shape(values, tf.int64)[1:]], 0)
    placed = tf.scatter_nd(tf.where(mask), values, shape)
    return tf.ensure_shape(placed, [*mask.shape, *values.shape[1:]])


def _dense(vectors: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns `(rows, time, dim)` and where there is an id."""
    if not isinstance(vectors, tf.RaggedTensor):
        return vectors, tf.ones(tf.shape(vectors)[:2], tf.bool)
    dense = vectors.to_tensor()
    return dense, tf.sequence_mask(vectors.row_lengths(), tf.shape(dense)[1])


def _dense_items(vectors: Any, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    dense, there = _dense(vectors)
    return _placed(dense, mask), tf.scatter_nd(
        tf.where(mask),
        there,
        tf.concat([tf.shape(mask, tf.int64), tf.shape(there, tf.int64)[1:]], 0),
    )


def _flat(value: tf.Tensor, axes: int) -> tf.Tensor:
    """Returns the value with one axis behind its first ones."""
    width = 1
    for size in value.shape[axes:]:
        width *= size
    return tf.reshape(value, tf.concat([tf.shape(value)[:axes], [width]], 0))
