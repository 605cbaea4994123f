"""An embedding layer that grows with the ids it sees."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from recs.layers.embedding_inputs import flatten
from recs.layers.id_input import IdInput
from recs.layers.table_arguments import TableArguments, check_bags
from recs.layers.table_layer import TableLayer
from recs.ops.table import Table


@keras.saving.register_keras_serializable("recs")
class DynamicEmbedding(IdInput, TableLayer):
    """Maps ids to trainable vectors without a vocabulary: new ids get a row in training.

    A step costs what the batch has of distinct ids, whatever the table holds. With `combiner`, the
    ids along the last axis form one vector: `f * sum_p(w_p * x_p)`, where `f` is 1 (`"sum"`),
    `1 / sum(w)` (`"mean"`) or `1 / sqrt(sum(w**2))` (`"sqrtn"`).

    In training (`training=True`, as in `fit`), an unknown id gets its initial row, a function of
    `seed` and id alone, which is stored. Otherwise, and when `trainable` is false, nothing is
    inserted and an unknown id gets `default_value`. (As for dropout, a subclassed `keras.Model`
    passes `training` on only when its own `call` has that argument.)

    Rows of the batch are updated when the optimizer applies, as the Keras optimizer of that name
    would with the dense gradient; other rows, and their slots, stay as they are (the "lazy" reading
    of Adam and momentum). What counts is every backward pass through the layer since its last
    forward pass. Passes that no optimizer applies before the next forward pass are discarded and
    counted in `table.stats()`; to accumulate gradients, use the optimizer's
    `gradient_accumulation_steps`.

    Masking: masked positions, and ids equal to `mask_key`, give zeros without a combiner and are
    left out with one; an empty bag gives zeros. With `mask_key`, the layer passes a mask on.

    State: ids, rows, slots, step, seed and drawn initial rows are saved with the layer, in
    `.keras`, in weights files and in `tf.train.Checkpoint`. In memory, `get_weights` has ids and
    rows as a `recs.layers.TableSnapshot`, which `set_weights` brings back.

    Args:
        output_dim: Length of the vectors.
        embeddings_initializer: Where initial rows come from: any Keras initializer, by name too.
            Constants, uniform, normal and truncated normal values are drawn for each id; so is
            variance scaling (Glorot, He, LeCun), with the fans of one row: fan-in 1 and fan-out
            `output_dim`, because a look-up is the product of a one-hot row with the table, and a
            table that grows has no number of rows to stand for the fan-in. Any other initializer
            draws 4096 rows once, which are saved with the layer; each id starts as one of them.
            Defaults to `"uniform"`, from -0.05 to 0.05.
        embeddings_regularizer: Applied to the distinct rows of each batch. Defaults to `None`.
        key_dtype: `"int64"` (any integer, none reserved) or `"string"`. Defaults to `"int64"`.
        combiner: `None`, `"sum"`, `"mean"` or `"sqrtn"`. Defaults to `None`: a vector an id.
        optimizer: A Keras optimizer, its name or its configuration: any that works element by
            element, from SGD to Lion, or one of `recs.optimizers`. Its schedule, weight decay,
            clipping and gradient accumulation are followed; callbacks that change the learning rate
            reach it only when it is the very instance that is compiled. Defaults to `None`: in a
            `recs.Model` the compiled optimizer, elsewhere `Adagrad(0.05)`.
        default_value: What every element of an unknown id's vector is outside training. Defaults
            to `0.0`.
        mask_key: The id that stands for "no id". Defaults to `None`: every id counts.
        storage_dtype: How rows are kept: `"float32"`, or in half the memory as `"bfloat16"` or
            `"float16"`. Arithmetic and optimizer slots are float32 in all three; updated rows are
            rounded stochastically, so that small updates add up. Defaults to `"float32"`.
        seed: With an id, it decides the initial row. Defaults to `None`: drawn anew for every
            layer, from what `keras.utils.set_random_seed` seeds, and restored with the state.
        cold_ids: What ids without a row get, unknown ones and ones that training does not admit:
            one of `recs.layers.cold`, `MeanRow`, `SharedRows` or `FromFeatures`. Defaults to
            `None`: `default_value`.
        admission: Which new ids training gives a row: a policy of `recs.layers.admission`. An id
            that is turned away is cold, and not trained. Defaults to `None`: all.
        eviction: Which rows are given up, one or a list of `recs.layers.eviction`. An id that comes
            back starts afresh. Defaults to `None`: none are.
        **kwargs: `name`, `dtype`, `trainable` as for every Keras layer.

    Call arguments:
        inputs: Ids: dense of any rank, `tf.RaggedTensor`, or `tf.SparseTensor` (with a combiner).
            int64, another integer type, or strings.
        weights: One number per id, in the same structure; trained through when it is a tensor of a
            tape. Needs a combiner.
        mask: Bools of the shape of dense or ragged inputs.
        training: Whether to insert and to be trained.
        cold_features: What `recs.layers.cold.FromFeatures` makes vectors of.
        timestamps: When the ids were seen, in seconds since 1970, of any shape; the newest is noted
            with the rows. Defaults to `None`: now.

    Shapes: `(...)` -> `(..., output_dim)` without a combiner, `(..., n)` -> `(..., output_dim)`
        with one; in the layer's compute dtype.

    Raises:
        ValueError: an argument is not of the kinds above, or ids are not of `key_dtype`.

    Example:
    ```python
    >>> layer = recs.layers.DynamicEmbedding(2, embeddings_initializer="ones")
    >>> layer(np.array([5, -3]), training=True).numpy().tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    >>> layer(np.array([5, 9])).numpy().tolist()
    [[1.0, 1.0], [0.0, 0.0]]
    >>> layer.table.size()
    2

    ```

    Reference: the combiners are those of `tf.nn.embedding_lookup_sparse`.
    """

    def __init__(
        self,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        key_dtype: str = "int64",
        combiner: str | None = None,
        optimizer: Any = None,
        default_value: float = 0.0,
        mask_key: int | str | None = None,
        storage_dtype: str = "float32",
        seed: int | None = None,
        cold_ids: Any = None,
        admission: Any = None,
        eviction: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        check_bags(combiner, mask_key, key_dtype, self._where)
        self._arguments = TableArguments.checked(
            output_dim,
            dim_name="output_dim",
            initializer=embeddings_initializer,
            regularizer=embeddings_regularizer,
            key_dtype=key_dtype,
            optimizer=optimizer,
            default_value=default_value,
            storage_dtype=storage_dtype,
            seed=seed,
            cold_ids=cold_ids,
            admission=admission,
            eviction=eviction,
            where=self._where,
        )
        self.output_dim = output_dim
        self.key_dtype = key_dtype
        self.combiner = combiner
        self.mask_key = mask_key
        self.default_value = self._arguments.default_value
        self.storage_dtype = storage_dtype
        self.seed = seed
        table = self._arguments.make_table(self.name, self._where)
        self._own([table], [self._arguments])

    @property
    def table(self) -> Table:
        """The table of ids and rows."""
        return self.tables[0]

    @property
    def optimizer(self) -> keras.optimizers.Optimizer | None:
        """The layer's own optimizer, or None when the model's or the default one is used."""
        return self._followed[0].own

    def call(
        self,
        inputs: Any,
        weights: Any | None = None,
        mask: Any | None = None,
        training: bool | None = None,
        cold_features: Any | None = None,
        timestamps: Any | None = None,
    ) -> Any:
        """Returns the vectors of a batch of ids."""
        flat = flatten(
            inputs,
            weights,
            mask,
            key_dtype=self.table.key_dtype,
            combiner=self.combiner,
            mask_key=self.mask_key,
            where=self._where,
        )
        (rows,) = self._rows_of([flat.batch], [0], training, cold_features, timestamps)
        return flat.restore(rows)

    def compute_mask(self, inputs: Any, mask: Any | None = None) -> Any | None:
        """Returns where there are ids, unless a combiner takes them together."""
        if self.combiner is not None:
            return None
        if self.mask_key is None or not isinstance(inputs, tf.Tensor):
            return mask
        present = tf.not_equal(inputs, tf.constant(self.mask_key, inputs.dtype))
        return present if mask is None else tf.logical_and(present, tf.cast(mask, tf.bool))

    def compute_output_spec(self, inputs: Any, *args: Any, **kwargs: Any) -> keras.KerasTensor:
        """Returns shape and dtype of the output without looking anything up."""
        if (fallback := self._fallback_of(0)) is not None:
            fallback.build_for(kwargs.get("cold_features"))
        shape = self.compute_output_shape(inputs.shape)
        ragged = bool(getattr(inputs, "ragged", False)) and len(shape) > 2
        if not ragged:
            return keras.KerasTensor(shape, dtype=self._output_dtype)
        return keras.KerasTensor(shape, dtype=self._output_dtype, ragged=True)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape with `output_dim` added, or in place of the last axis (combiner)."""
        outer = tuple(input_shape)
        if self.combiner is not None and len(outer) > 1:
            outer = outer[:-1]
        return (*outer, self.output_dim)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments; the rows are state and are saved as such."""
        arguments = self._arguments
        return {
            **super().get_config(),
            "output_dim": self.output_dim,
            "embeddings_initializer": keras.initializers.serialize(arguments.initializer),
            "embeddings_regularizer": keras.regularizers.serialize(arguments.regularizer),
            "combiner": self.combiner,
            "mask_key": self.mask_key,
            **arguments.get_config(),
        }
