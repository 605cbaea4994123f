"""How one row is updated: the formulas of the Keras optimizers, in single precision."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

# (gradient, embedding, slots), all float32; embedding (dim,) and slots (slots, dim) change.
Update = Callable[[np.ndarray, np.ndarray, np.ndarray], None]


@dataclasses.dataclass(frozen=True)
class RowRule:
    """One optimizer at one step.

    Attributes:
        initial_slots: The value that each slot of a new row is filled with.
        update: Changes a row and its slots, given the row's gradient.
    """

    initial_slots: tuple[float, ...]
    update: Update


def row_rule(name: str, parameters: Sequence[float], learning_rate: float, step: int) -> RowRule:
    """Returns the rule of an optimizer.

    Args:
        name: `"sgd"`, `"adagrad"` or `"adam"`.
        parameters: SGD: momentum, nesterov. Adagrad: initial accumulator value, epsilon. Adam:
            beta_1, beta_2, 1 - beta_1, 1 - beta_2, epsilon.
        learning_rate: Of this step.
        step: Updates done before this one.

    Raises:
        ValueError: there is no such rule, or not as many parameters.
    """
    rules = {"sgd": (_sgd, 2), "adagrad": (_adagrad, 2), "adam": (_adam, 5)}
    make, count = rules.get(name, (None, 0))
    if make is None or len(parameters) != count:
        raise ValueError(f"No row update {name!r} with {len(parameters)} parameters.")
    return make([np.float32(p) for p in parameters], np.float32(learning_rate), step)


def _sgd(parameters: list[np.float32], lr: np.float32, step: int) -> RowRule:
    momentum, nesterov = parameters

    def plain(g: np.ndarray, w: np.ndarray, slots: np.ndarray) -> None:
        w -= lr * g

    def with_momentum(g: np.ndarray, w: np.ndarray, slots: np.ndarray) -> None:
        slots[0] = momentum * slots[0] - lr * g
        w += momentum * slots[0] - lr * g if nesterov else slots[0]

    return RowRule((0.0,), with_momentum) if momentum else RowRule((), plain)


def _adagrad(parameters: list[np.float32], lr: np.float32, step: int) -> RowRule:
    initial_accumulator_value, epsilon = parameters

    def update(g: np.ndarray, w: np.ndarray, slots: np.ndarray) -> None:
        slots[0] += g * g
        w -= lr * g / np.sqrt(slots[0] + epsilon)

    return RowRule((float(initial_accumulator_value),), update)


def _adam(parameters: list[np.float32], lr: np.float32, step: int) -> RowRule:
    beta_1, beta_2, one_minus_beta_1, one_minus_beta_2, epsilon = parameters
    one = np.float32(1.0)
    # Powers as the C library rounds them: exactly, then to single precision.
    correction_1 = one - np.float32(float(beta_1) ** (step + 1))
    correction_2 = one - np.float32(float(beta_2) ** (step + 1))
    alpha = lr * np.sqrt(correction_2) / correction_1

    def update(g: np.ndarray, w: np.ndarray, slots: np.ndarray) -> None:
        m, v = slots
        m += (g - m) * one_minus_beta_1
        v += (g * g - v) * one_minus_beta_2
        w -= m * alpha / (np.sqrt(v) + epsilon)

    return RowRule((0.0, 0.0), update)
