"""The model that users subclass."""

from __future__ import annotations

import inspect
from typing import Any

import keras
import tensorflow as tf

from recs.errors import explain
from recs.export import saved_model
from recs.layers.found_parts import FoundParts
from recs.layers.resource_layer import layers_with_resources
from recs.layers.table_summary import table_summary
from recs.models.whole_saves import WholeSaves
from recs.training import tf_step
from recs.training.called_with import CalledWith
from recs.training.eager_variables import eager_variables
from recs.training.epoch_order import with_epoch_order
from recs.training.refused_data import refuse_table


def _is_functional(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Returns whether the arguments are the inputs and outputs of a graph of layers."""
    return len(args) == 2 or ("outputs" in kwargs and ("inputs" in kwargs or len(args) == 1))


class _Steps(WholeSaves):
    """Adds tables, tasks and saving to a Keras model of either kind; see `Model`."""

    # Whether `regularization_loss` and `total_loss` are logged where nothing is regularized.
    _logs_every_loss = True

    def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
        """Returns the loss of a batch; override it as `compute_loss(self, inputs, training=False)`.

        Args:
            *args: In an override one argument, the batch as the dataset yields it. As long as it
                is not overridden, what Keras passes: `x, y, y_pred, sample_weight`.
            **kwargs: In an override `training`, a bool.
        """
        self._bind_table_optimizers()
        return super().compute_loss(*args, **kwargs)

    @property
    def _own_loss(self) -> bool:
        return tf_step.has_own_loss(type(self), _Steps)

    def _bind_table_optimizers(self) -> None:
        """Tells every constraint that wants to know which optimizer the model is compiled with.

        Embedding tables update their rows from a constraint, and follow this optimizer unless
        they have one of their own.
        """
        optimizer = getattr(self, "optimizer", None)
        for variable in self.variables:
            bind = getattr(getattr(variable, "constraint", None), "bind_optimizer", None)
            if bind is not None:
                bind(optimizer)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Configures training, with the arguments of `keras.Model.compile`.

        Args:
            *args: As in Keras, the optimizer first.
            **kwargs: As in Keras. A model that has a `compute_loss` of its own takes no `loss`,
                `loss_weights`, `metrics` and `weighted_metrics`.

        Raises:
            ValueError: an argument is unknown, or one that the model's `compute_loss` would never
                be told of; or the optimizer averages weights (`use_ema`) and the model has tables.
        """
        super().compile(**tf_step.compile_arguments(self, args, kwargs))
        self._bind_table_optimizers()

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles a model that is loaded; Keras does not where `compile` is overridden.

        Args:
            config: What `get_compile_config` returned.
        """
        if type(self).compile is not _Steps.compile:
            super().compile_from_config(config)
            return
        self.compile(**keras.saving.deserialize_keras_object(config))
        optimizer = getattr(self, "optimizer", None)
        if optimizer is not None and self.built:
            optimizer.build(self.trainable_variables)

    def summary(
        self,
        line_length: int | None = None,
        positions: list[float] | None = None,
        print_fn: Any = None,
        **kwargs: Any,
    ) -> None:
        """Prints the model's layers as Keras does, and its tables below.

        Args:
            line_length: As in Keras. Defaults to `None`.
            positions: As in Keras. Defaults to `None`.
            print_fn: As in Keras; called once with Keras's text, and once with the tables.
                Defaults to `None`.
            **kwargs: As in Keras.
        """
        super().summary(line_length, positions, print_fn, **kwargs)
        if layers_with_resources(self):
            table_summary(self, print_fn, line_length)

    def export(
        self,
        filepath: Any,
        format: str = "tf_saved_model",
        verbose: bool | str | None = None,
        input_signature: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Writes the model for serving, with the arguments of `keras.Model.export`.

        A SavedModel is written by `recs.export.saved_model`, so that TensorFlow Serving runs it
        without the compiled op; Keras would write one that needs it.

        Args:
            filepath: Where to.
            format: As in Keras. Defaults to `"tf_saved_model"`.
            verbose: As in Keras, of the other formats. Defaults to `None`.
            input_signature: `inputs` of `recs.export.saved_model`; for other formats as in Keras.
                Defaults to `None`: the inputs that the model knows.
            **kwargs: For a SavedModel `stock_ops`, `row_dtype`, `signatures` of
                `recs.export.saved_model`; for other formats as in Keras.

        Returns:
            The path of a SavedModel.
        """
        if format != "tf_saved_model":
            return super().export(filepath, format, verbose, input_signature, **kwargs)
        kwargs.setdefault("inputs", input_signature)
        return saved_model(self, filepath, **kwargs)

    @property
    def metrics(self) -> list[keras.Metric]:
        """Every metric once; Keras lists those of nested layers once for each level."""
        every = getattr(self, "_loss_means", [])
        own = every if self._logs_every_loss else every[:1]
        # Keras's own mean of the loss, which only its own step updates, would shadow ours.
        taken = {metric.name for metric in every}
        seen: dict[int, keras.Metric] = {id(metric): metric for metric in own}
        for metric in super().metrics:
            if metric.name not in taken or id(metric) in seen:
                seen.setdefault(id(metric), metric)
        return list(seen.values())

    def fit(self, x: Any = None, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        """Trains, with the arguments of `keras.Model.fit`.

        A model that has a `compute_loss` is built on what the dataset says of its batches, so that
        callbacks find weights before the first step (`BackupAndRestore` restores into them). Data
        that `recs.data` shuffles comes in the order of the epoch's number (`EpochOrder`), so that
        `initial_epoch` goes on as an uninterrupted training would.

        Args:
            x: As in Keras.
            *args: As in Keras.
            **kwargs: As in Keras.
        """
        refuse_table(x, "fit")
        given = inspect.signature(super().fit).bind(x, *args, **kwargs)
        if isinstance(x, tf.data.Dataset):
            if self._own_loss and not self.built:
                tf_step.build(self, x)
            # Keras's default is to shuffle, which it then warns it cannot do with a dataset.
            given.arguments.setdefault("shuffle", False)
        if isinstance(given.arguments.get("callbacks"), keras.callbacks.CallbackList):
            return super().fit(*given.args, **given.kwargs)
        callbacks = keras.tree.flatten(given.arguments.get("callbacks") or [])
        for callback in callbacks:
            if hasattr(callback, "check_callbacks"):
                callback.check_callbacks(callbacks)
        given.arguments["callbacks"], order = with_epoch_order(
            given.arguments.get("callbacks"),
            x,
            given.arguments.get("steps_per_epoch"),
            bool(given.arguments.get("shuffle", True)),
        )
        try:
            return super().fit(*given.args, **given.kwargs)
        finally:
            order.stop_telling()

    def evaluate(self, x: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Returns losses and metrics, with the arguments of `keras.Model.evaluate`.

        Args:
            x: As in Keras.
            *args: As in Keras.
            **kwargs: As in Keras.
        """
        refuse_table(x, "evaluate")
        return super().evaluate(x, *args, **kwargs)

    def train_step(self, data: Any) -> dict[str, Any]:
        """Returns the logs of one batch after one step of the optimizer.

        Args:
            data: The batch as the dataset yields it.
        """
        with eager_variables():
            if not self._own_loss:
                tf_step.build_optimizer(self)
                return super().train_step(data)
            if not self.built:
                tf_step.build(self, data)
            with self._called_with.training():
                return self._logs(tf_step.train_step(self, data), data)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Returns the logs of one batch.

        Args:
            data: The batch as the dataset yields it.
        """
        with eager_variables():
            if not self._own_loss:
                return super().test_step(data)
            if not self.built:
                tf_step.build(self, data)
            return self._logs(tf_step.losses_of(self, data, training=False), data)

    def predict_step(self, data: Any) -> Any:
        """Returns the predictions of one batch.

        Args:
            data: The batch as the dataset yields it.
        """
        with eager_variables():
            return super().predict_step(data)

    def _logs(self, losses: dict[str, Any], data: Any) -> dict[str, Any]:
        """Returns metrics and the batch's losses, and adds the losses to the epoch's means."""
        if not self._logs_every_loss and self.losses:
            self._logs_every_loss = True
            self.test_function = None  # It may have been traced without.
        batch = tf_step.unpacked(data)
        count = self._examples_summed(batch[0] if isinstance(batch, tuple) else batch)
        if count is not None:
            count = tf.cast(count, "float32")
            losses = {name: tf.math.divide_no_nan(x, count) for name, x in losses.items()}
        shown = self._loss_means if self._logs_every_loss else self._loss_means[:1]
        for mean in shown:
            mean.update_state(losses[mean.name], sample_weight=count)
        return {**self.get_metrics_result(), **{mean.name: losses[mean.name] for mean in shown}}

    def _examples_summed(self, inputs: Any) -> Any:
        """Returns how many examples the loss of a batch sums, to log their mean; None for a mean.

        Of `(columns, labels, weights)` it is given the columns. What is minimized is the loss as it
        is.
        """
        return None


@keras.saving.register_keras_serializable("recs")
class Model(FoundParts, _Steps, keras.Model):
    """A Keras model whose loss is whatever `compute_loss` says.

    Recommenders rarely fit "predict y from x": a two-tower model is trained on pairs and scored
    against its own batch. So subclass this, make layers and tasks in `__init__`, write
    `compute_loss(self, inputs, training=False)`, and use `fit` and `evaluate` as ever. `inputs`
    is the batch as the dataset yields it. The step minimizes `total = loss + sum(self.losses)`;
    losses that are no scalars are summed.

    Layers that `compute_loss` calls know whether they train, as inside `call`: `training=` need
    not be passed on. That holds in `fit`, `evaluate` and their `on_batch` kin; in a loop of your
    own, `compute_loss(batch, training=True)` is a plain function, and you pass it on.

    Logs: every metric of the model, its tasks and its layers, once each, and `loss`,
    `regularization_loss` and `total_loss`. A step logs its batch's; an epoch and `evaluate` log
    the mean over the batches. (TFRS shows the last batch's alone, in `evaluate` too.) The ready
    models of `recs.models` log the latter two only if something is regularized or adds a loss,
    and log the mean per example of a loss that sums them; they minimize the sum.

    A model that leaves `compute_loss` alone, or overrides it the way Keras calls it (with
    `y_pred`), is an ordinary Keras model: `call`, `compile(loss=...)`, or
    `recs.Model(inputs, outputs)`.

    Masking: up to `compute_loss`. State: the layers' weights, as in Keras.

    Args:
        *args: None, or inputs and outputs of a functional model.
        **kwargs: The arguments of `keras.Model`.

    Shapes: `compute_loss` takes a batch of any structure and returns a scalar.

    Raises:
        ValueError: when `compute_loss` returns None, when a model with trainable weights trains
            without an optimizer, or when a subclass is made of inputs and outputs.

    Example:
    ```python
    >>> import keras
    >>> import numpy as np
    >>> from recs.models.base import Model
    >>> class Mean(Model):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.dense = keras.layers.Dense(1, kernel_initializer="zeros")
    ...     def compute_loss(self, inputs, training=False):
    ...         return keras.ops.sum((self.dense(inputs["x"]) - inputs["y"]) ** 2)
    >>> model = Mean()
    >>> model.compile(optimizer=keras.optimizers.SGD(0.1))
    >>> batch = {"x": np.ones((1, 1), "float32"), "y": np.ones((1, 1), "float32")}
    >>> logs = model.train_on_batch(batch, return_dict=True)
    >>> float(logs["total_loss"])
    1.0

    ```

    Reference: `tfrs.Model`.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Makes functional models of a class of their own.

        Keras turns the class of a functional model into a subclass of its private functional
        class, and every class above it too: one functional model would change this class, and so
        all models that are not functional.
        """
        # A subclass may take two arguments of its own: only what reaches `__init__` below tells.
        if cls is Model and _is_functional(args, kwargs):
            return _functional(args, kwargs)
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if _is_functional(args, kwargs):
            raise ValueError(
                explain(
                    "A subclass of `recs.Model`",
                    rule="must not be made of `inputs` and `outputs`",
                    received=f"inputs and outputs, to {type(self).__name__}",
                    where="recs.Model",
                    remedy="Make `recs.Model(inputs, outputs)`, or write `call`.",
                )
            )
        super().__init__(*args, **kwargs)
        self._called_with = CalledWith()
        if self._own_loss:
            self._loss_means = tf_step.loss_trackers()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the model; once it is trained, with inputs of the axes that training had."""
        called = getattr(self, "_called_with", None)
        if args and called is not None:
            where = f"{type(self).__name__} '{self.name}'"
            args = (called.checked(args[0], kwargs.get("training"), where), *args[1:])
        return super().__call__(*args, **kwargs)

    @property
    def called_with(self) -> Any:
        """The inputs of training, or of the first call, as specs in their structure, or None."""
        return self._called_with.structure

    def get_build_config(self) -> dict[str, Any] | None:
        """Returns what Keras builds a loaded model from, and what the model was called with."""
        config = super().get_build_config()
        # Models with signatures know their inputs, and are built before Keras would give them back.
        of_export = not hasattr(self, "serving_signatures")
        inputs = self._called_with.get_config() if of_export else None
        return config if inputs is None else {**(config or {}), "called_with": inputs}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Builds a loaded model, and takes over what it was called with."""
        rest = {name: value for name, value in config.items() if name != "called_with"}
        self._called_with.set_config(config.get("called_with"))
        if rest:
            super().build_from_config(rest)


class ReadyModel(Model):
    """Base class of the ready models in `recs.models`: it logs losses per example.

    `regularization_loss` and `total_loss` are logged only if something is regularized or adds a
    loss, from the first step on, and a loss that sums examples as their mean.

    Args:
        **kwargs: The arguments of `keras.Model`.
    """

    _logs_every_loss = False


@keras.saving.register_keras_serializable("recs")
class FunctionalModel(_Steps, keras.Model):
    """Functional Keras model with tables, as `recs.Model(inputs, outputs)` makes it."""


def _functional(args: tuple[Any, ...], kwargs: dict[str, Any]) -> FunctionalModel:
    # Not in `Model.__new__`: what reads signatures for the command line would follow `**kwargs` to
    # the class above, and take its arguments for those of every model.
    return FunctionalModel(*args, **kwargs)
