"""Several optimizers in one."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import keras

from recs.errors import explain
from recs.experimental.optimizers.route import RouteByFunction, RouteByPlace, Variables, described


@keras.saving.register_keras_serializable("recs")
class CompositeOptimizer(keras.optimizers.Optimizer):
    """Gives the weights of a model to several optimizers.

    Each optimizer comes with a function that returns its weights. Together they have to name every
    weight that is trained, and none twice. Each optimizer keeps what it has: its learning rate or
    schedule, clipping, weight decay, gradient accumulation, steps. `global_clipnorm` spans the
    weights of its optimizer.

    Tables of `DynamicEmbedding` and `EmbeddingCollection` without an `optimizer=` of their own,
    in a `recs.Model` compiled with a CompositeOptimizer, follow the part that has the layer's
    weight, the anchor: `layer.trainable_variables` gives it.

    State: that of the optimizers. It is saved with the model, and so is which optimizer has which
    weight, by their order; functions cannot be saved and need not be.

    Args:
        optimizers_and_vars: Pairs of a Keras optimizer and a function without arguments that
            returns its weights. The functions are called when the optimizer is built: by `fit`,
            or the first time it applies.
        name: str. The optimizer's name. Defaults to `"CompositeOptimizer"`.

    Raises:
        ValueError: when there are no pairs, when an optimizer is a `LossScaleOptimizer` or a
            CompositeOptimizer, or when `loss_scale_factor` differs among them; once it is built,
            when a weight belongs to no optimizer, or to two.
        AttributeError: when `learning_rate` is set: each optimizer has its own.

    Example:
    ```python
    >>> import keras
    >>> import tensorflow as tf
    >>> from recs.experimental.optimizers import CompositeOptimizer
    >>> first, second = keras.Variable([1.0]), keras.Variable([1.0])
    >>> optimizer = CompositeOptimizer([
    ...     (keras.optimizers.SGD(0.1), lambda: [first]),
    ...     (keras.optimizers.SGD(0.5), lambda: [second]),
    ... ])
    >>> optimizer.apply([tf.constant([1.0]), tf.constant([1.0])], [first, second])
    >>> print(first.numpy().round(2), second.numpy())
    [0.9] [0.5]

    ```

    Reference: `tfrs.experimental.optimizers.CompositeOptimizer`. Unlike there, it can be saved in
    a configuration. Where all gradients of one optimizer are None, that one rests, with Keras's
    warning, and the others apply. `keras.optimizers.MultiOptimizer` chooses by the weight's path
    instead.
    """

    # The base class sets a loss scale before there are any.
    _optimizers: Sequence[keras.optimizers.Optimizer] = ()

    def __init__(
        self,
        optimizers_and_vars: Sequence[tuple[keras.optimizers.Optimizer, Variables]],
        name: str = "CompositeOptimizer",
    ) -> None:
        # The base class's own learning rate and steps are without use.
        super().__init__(learning_rate=0.0, name=name)
        # An optimizer that is listed twice is one.
        parts = {id(optimizer): optimizer for optimizer, _ in optimizers_and_vars}
        places = {key: number for number, key in enumerate(parts)}
        functions = [(places[id(optimizer)], of) for optimizer, of in optimizers_and_vars]
        if not functions:
            raise ValueError(
                explain(
                    "`optimizers_and_vars`",
                    rule="must not be empty",
                    received="no pairs",
                    where=self._where,
                )
            )
        for optimizer in parts.values():
            _check_part(optimizer, self._where)
        _check_scales(list(parts.values()), self._where)
        self._optimizers = list(parts.values())
        self._route: Any = RouteByFunction(functions, self._where)
        self._numbers: dict[Any, int] = {}

    @property
    def _where(self) -> str:
        return f"CompositeOptimizer '{self.name}'"

    @property
    def optimizers(self) -> list[keras.optimizers.Optimizer]:
        """The optimizers, in the order given."""
        return list(self._optimizers)

    @property
    def variables(self) -> list[Any]:
        """The state of all optimizers."""
        return [one for optimizer in self._optimizers for one in optimizer.variables]

    def build(self, variables: Sequence[Any]) -> None:
        """Asks for each optimizer's weights, and builds it on those of them that are trained."""
        if self.built:
            return
        variables = list(variables)
        numbers = self._route(variables, self._var_key)
        self._numbers = {self._var_key(v): n for v, n in zip(variables, numbers, strict=True)}
        for number, optimizer in enumerate(self._optimizers):
            own = [v for v, n in zip(variables, numbers, strict=True) if n == number]
            if own and not optimizer.built:
                optimizer.build(own)
        super().build(variables)

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """Lets each optimizer apply the gradients of its weights.

        Args:
            grads: The gradients.
            trainable_variables: The weights. Defaults to `None`: those it was built on.
        """
        grads = list(grads)
        if trainable_variables is None:
            trainable_variables = self._trainable_variables
        variables = list(trainable_variables)
        if not self.built:
            self.build(variables)
        self._check_variables_are_known(variables)
        if grads and all(gradient is None for gradient in grads):
            raise ValueError("No gradients provided for any variable.")
        parts: list[list[tuple[Any, Any]]] = [[] for _ in self._optimizers]
        for gradient, variable in zip(grads, variables, strict=True):
            parts[self._numbers[self._var_key(variable)]].append((gradient, variable))
        for optimizer, part in zip(self._optimizers, parts, strict=True):
            if any(gradient is not None for gradient, _ in part):
                optimizer.apply([g for g, _ in part], [v for _, v in part])
            elif part:
                names = [getattr(v, "path", v.name) for _, v in part]
                warnings.warn(f"Gradients do not exist for variables {names}.", stacklevel=2)

    def optimizer_of(self, variable: Any) -> keras.optimizers.Optimizer:
        """Returns the optimizer that updates a weight; tables ask for that of their anchor.

        Args:
            variable: A weight that it was built on.

        Raises:
            ValueError: when it was not built on it.
        """
        self._check_variables_are_known([variable])
        return self._optimizers[self._numbers[self._var_key(variable)]]

    @property
    def learning_rate(self) -> Any:
        """The first optimizer's, so that logs have one."""
        return self._optimizers[0].learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        raise AttributeError(
            explain(
                "`learning_rate`",
                rule="must be set on one of the optimizers",
                received=f"learning_rate={value!r}",
                where=self._where,
                remedy="For example `optimizer.optimizers[0].learning_rate = 0.1`.",
            )
        )

    @property
    def iterations(self) -> Any:
        """The first optimizer's; setting it sets those of all."""
        return self._optimizers[0].iterations

    @iterations.setter
    def iterations(self, value: Any) -> None:
        for optimizer in self._optimizers:
            # `iterations` counts updates; the variable behind it counts applies.
            applies = next(v for v in optimizer.variables if v.name == "iteration")
            applies.assign(value * (optimizer.gradient_accumulation_steps or 1))

    @property
    def loss_scale_factor(self) -> float | None:
        """What the loss is multiplied by, and each optimizer divides by."""
        return self._optimizers[0].loss_scale_factor if self._optimizers else None

    @loss_scale_factor.setter
    def loss_scale_factor(self, value: float | None) -> None:
        for optimizer in self._optimizers:
            optimizer.loss_scale_factor = value

    def exclude_from_weight_decay(self, var_list: Any = None, var_names: Any = None) -> None:
        """Excludes weights from the weight decay of every optimizer.

        Args:
            var_list: As in Keras. Defaults to `None`.
            var_names: As in Keras. Defaults to `None`.
        """
        for optimizer in self._optimizers:
            optimizer.exclude_from_weight_decay(var_list, var_names)

    def finalize_variable_values(self, var_list: Any) -> None:
        """Lets each optimizer write its averages, if it has some, into its weights."""
        for number, optimizer in enumerate(self._optimizers):
            own = [v for v in var_list if self._numbers[self._var_key(v)] == number]
            if own:
                optimizer.finalize_variable_values(own)

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Sets the state of all optimizers, as `variables` lists it."""
        weights = list(weights)
        for optimizer in self._optimizers:
            count = len(optimizer.variables)
            if optimizer.built:
                optimizer.set_weights(weights[:count])
            weights = weights[count:]

    def save_own_variables(self, store: Any) -> None:
        """Saves nothing: Keras saves the optimizers, which are parts of this one."""

    def load_own_variables(self, store: Any) -> None:
        """Loads nothing; see `save_own_variables`."""

    def get_config(self) -> dict[str, Any]:
        """Returns the optimizers, and which has which weight if it is built."""
        saved = None
        if self.built:
            weights = self._trainable_variables
            numbers = [self._numbers[self._var_key(v)] for v in weights]
            saved = described(weights, numbers)
        return {
            "name": self.name,
            "optimizers": [keras.saving.serialize_keras_object(o) for o in self._optimizers],
            "weights": saved,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> CompositeOptimizer:
        """Rebuilds an optimizer from `get_config`, for the weights it was built on."""
        optimizers = [
            keras.saving.deserialize_keras_object(one, custom_objects)
            for one in config["optimizers"]
        ]
        composite = cls([(one, list) for one in optimizers], name=config["name"])
        composite._route = RouteByPlace(config["weights"], composite._where)
        return composite


def _check_part(optimizer: Any, where: str) -> None:
    """Raises when something cannot be a part."""
    bad = not isinstance(optimizer, keras.optimizers.Optimizer)
    if bad or isinstance(optimizer, keras.optimizers.LossScaleOptimizer | CompositeOptimizer):
        raise ValueError(
            explain(
                "A part of a CompositeOptimizer",
                rule="must be a Keras optimizer that neither scales the loss nor has parts",
                received=type(optimizer).__name__,
                where=where,
                remedy="Put the LossScaleOptimizer around the CompositeOptimizer, and list the "
                "parts in one.",
            )
        )


def _check_scales(optimizers: Sequence[keras.optimizers.Optimizer], where: str) -> None:
    """Raises unless all optimizers divide the gradients by the same loss scale."""
    scales = [optimizer.loss_scale_factor for optimizer in optimizers]
    if len(set(scales)) > 1:
        raise ValueError(
            explain(
                "`loss_scale_factor`",
                rule="must be the same in every optimizer, as there is one loss",
                received=", ".join(map(str, scales)),
                where=where,
            )
        )
