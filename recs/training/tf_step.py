"""The training step: the one place where gradients are taken."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from recs.errors import explain
from recs.training.eager_variables import eager_variables
from recs.training.loss_context import LossContext

_METRICS = (
    "Give metrics to the task where it is made, such as `recs.tasks.Ranking(metrics=[...])`, or "
    "make them attributes of the model and update them in `compute_loss`; `fit` logs them."
)
# What `compile` takes and a loss that is computed from the batch has no use for.
_NOT_COMPILED = {
    "loss": "Give the loss to the model or task where it is made, such as `TwoTower(loss=...)` or "
    "`recs.tasks.Ranking(loss=...)`, or compute it in `compute_loss`.",
    "loss_weights": "Weigh losses in the task, such as `recs.tasks.MultiTask(..., weights=...)`, "
    "or in `compute_loss`.",
    "metrics": _METRICS,
    "weighted_metrics": _METRICS,
}


def has_own_loss(model_class: type, base: type) -> bool:
    """Returns whether a class computes its loss the TFRS way, from the batch alone.

    Keras calls `compute_loss(x, y, y_pred, ...)` with predictions made before; an override that
    takes `y_pred` means that one and is left to Keras.
    """
    override = model_class.compute_loss  # type: ignore[attr-defined]
    if override is base.compute_loss:  # type: ignore[attr-defined]
        return False
    return "y_pred" not in inspect.signature(override).parameters


def compile_arguments(model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Returns the arguments of `compile` by name.

    Raises a ValueError for those that are unknown, and those that nothing would come of.

    Keras compares targets with predictions for `loss` and `metrics`. A model that computes its loss
    from the batch has neither.
    """
    where = f"compile of {type(model).__name__} '{model.name}'"
    signature = inspect.signature(keras.Model.compile)
    known = list(signature.parameters)[1:]
    unknown = [name for name in kwargs if name not in known]
    if unknown:
        raise ValueError(
            explain(
                "The arguments of `compile`",
                rule=f"must be among {', '.join(known)}",
                received=", ".join(unknown),
                where=where,
            )
        )
    arguments = dict(signature.bind(None, *args, **kwargs).arguments)
    del arguments[next(iter(signature.parameters))]
    for name, remedy in _NOT_COMPILED.items() if model._own_loss else ():
        value = arguments.pop(name, None)
        if value is None or (isinstance(value, list | tuple | dict) and not value):
            continue
        raise ValueError(
            explain(
                f"`{name}`",
                rule="must not be compiled into a model that computes its own loss, in "
                "`compute_loss`",
                received=f"{name}={value!r}",
                where=where,
                remedy=remedy,
            )
        )
    return arguments


def unpacked(data: Any) -> Any:
    """Returns a batch as the dataset gave it: `train_on_batch` adds None for what was not given."""
    if not isinstance(data, tuple) or not data or data[-1] is not None:
        return data
    while len(data) > 1 and data[-1] is None:
        data = data[:-1]
    return data[0] if len(data) == 1 else data


def losses_of(model: Any, data: Any, training: bool) -> dict[str, Any]:
    """Returns `loss`, `regularization_loss` and their sum of a batch, float32 scalars."""
    # A copy of the structure: TFRS's users `pop` the label from the batch.
    inputs = keras.tree.map_structure(lambda leaf: leaf, unpacked(data))
    # A name that begins with `_`, as a private class's, would be refused at a graph's root.
    with tf.name_scope("loss"):
        loss = LossContext(model)(
            run=lambda: model.compute_loss(inputs, training=training), training=training
        )
    if loss is None:
        raise ValueError(
            explain(
                "The result of `compute_loss`",
                rule="must be a tensor",
                received="None",
                where=f"{type(model).__name__} '{model.name}'",
                remedy="Return the loss at the end of `compute_loss`.",
            )
        )
    loss = _scalar(loss)
    extra = [_scalar(one) for one in model.losses]
    regularization = ops.sum(ops.stack(extra)) if extra else ops.zeros((), dtype="float32")
    return {
        "loss": loss,
        "regularization_loss": regularization,
        "total_loss": loss + regularization,
    }


def build(model: Any, data: Any) -> None:
    """Makes a model's weights, and its optimizer's, before its first step.

    Layers that are made or built on their first call must meet it as inference: a `Sequential`
    remembers the `training` it was built with, and later calls without one would train. (Keras
    does the same for models with a `call`, which it builds itself.)

    Args:
        model: The model, compiled or not.
        data: A batch, or a dataset, of which one batch is taken only if the model runs eagerly;
            otherwise nothing is computed.
    """
    if model.run_eagerly:
        # A `compute_loss` that is run eagerly may look at values, so there must be some.
        batch = next(iter(data.take(1))) if isinstance(data, tf.data.Dataset) else data
        losses_of(model, batch, training=False)
        model.reset_metrics()
    else:
        spec = data.element_spec if isinstance(data, tf.data.Dataset) else _spec_of(data)
        with tf.init_scope():
            first = tf.function(lambda batch: _built_losses(model, batch), autograph=False)
            first.get_concrete_function(spec)
    # Keras builds no model without `call`, and would refuse to save its weights.
    model.built = True
    model._bind_table_optimizers()
    build_optimizer(model)


def build_optimizer(model: Any) -> None:
    """Makes the optimizer's variables before the loss is scaled, once the model is built.

    Before it is built, a `LossScaleOptimizer` scales by its constant first scale, and a graph would
    do so for ever, while gradients are divided by the scale of the step.
    """
    optimizer = model.optimizer
    if optimizer is not None and not optimizer.built and model.built:
        optimizer.build(model.trainable_variables)


def _built_losses(model: Any, batch: Any) -> dict[str, Any]:
    with eager_variables():
        return losses_of(model, batch, training=False)


def _spec_of(data: Any) -> Any:
    """Returns what a dataset's `element_spec` would say of a batch."""
    return keras.tree.map_structure(tf.type_spec_from_value, unpacked(data))


def train_step(model: Any, data: Any) -> dict[str, Any]:
    """Returns the losses of a batch, after one step of the optimizer."""
    optimizer = model.optimizer
    with tf.GradientTape() as tape:
        losses = losses_of(model, data, training=True)
        # Layers may have been made in this very pass; tables need their optimizer before the
        # gradient is asked for.
        model._bind_table_optimizers()
        build_optimizer(model)
        total = losses["total_loss"]
        scaled = total if optimizer is None else optimizer.scale_loss(total)
    weights = model.trainable_weights
    if not weights:
        warnings.warn("The model does not have any trainable weights.", stacklevel=2)
        return losses
    if optimizer is None:
        raise ValueError(
            explain(
                "`optimizer`",
                rule="must be given to train a model that has trainable weights",
                received="optimizer=None",
                where=f"{type(model).__name__} '{model.name}'",
                remedy="Call `compile(optimizer=...)`, or freeze the weights.",
            )
        )
    gradients = tape.gradient(scaled, weights)
    # TensorFlow's graph optimizer drops control edges that the gradients imply and then takes the
    # gradients apart: without this, a weight was sometimes updated before the loss had read it.
    with tf.control_dependencies([total]):
        optimizer.apply(gradients, weights)
    return losses


def _scalar(loss: Any) -> Any:
    """Returns a loss as a float32 scalar: what is differentiated is a sum in any case."""
    return ops.sum(ops.cast(ops.convert_to_tensor(loss), "float32"))


def loss_trackers() -> list[keras.metrics.Mean]:
    """Returns the means that an epoch's logs show."""
    names = ("loss", "regularization_loss", "total_loss")
    return [keras.metrics.Mean(name=name, dtype="float32") for name in names]
