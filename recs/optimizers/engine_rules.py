"""The engine's names of optimizers, and their constants in order.

The order is that of the headers in `recs/ops/cc/optimizers`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import keras

from recs.optimizers.adagrad_decay import AdagradDecay
from recs.optimizers.group_ftrl import GroupFtrl
from recs.optimizers.lazy_adam import LazyAdam
from recs.optimizers.rowwise_adagrad import RowWiseAdagrad

Config = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class EngineRule:
    """A rule of the engine.

    Attributes:
        name: Its name.
        parameters: Its constants.
        slots: How many slots it keeps for a row, vectors and single numbers together.
    """

    name: str
    parameters: tuple[float, ...]
    slots: int


def _sgd(config: Config) -> EngineRule:
    parameters = _floats(config, "momentum", "nesterov")
    return EngineRule("sgd", parameters, slots=int(config["momentum"] != 0))


def _adagrad(config: Config) -> EngineRule:
    return EngineRule("adagrad", _floats(config, "initial_accumulator_value", "epsilon"), slots=1)


def _adam_constants(config: Config) -> tuple[float, ...]:
    # The differences in double: 1 - 0.999 in single precision is off by 5e-5 of itself.
    beta_1, beta_2 = float(config["beta_1"]), float(config["beta_2"])
    return (beta_1, beta_2, 1.0 - beta_1, 1.0 - beta_2, float(config["epsilon"]))


def _adam(config: Config) -> EngineRule:
    if config["amsgrad"]:
        return EngineRule("amsgrad", _adam_constants(config), slots=3)
    return EngineRule("adam", _adam_constants(config), slots=2)


def _adamax(config: Config) -> EngineRule:
    beta_1 = float(config["beta_1"])
    parameters = (beta_1, 1.0 - beta_1, *_floats(config, "beta_2", "epsilon"))
    return EngineRule("adamax", parameters, slots=2)


def _nadam(config: Config) -> EngineRule:
    return EngineRule("nadam", _floats(config, "beta_1", "beta_2", "epsilon"), slots=2)


def _adadelta(config: Config) -> EngineRule:
    rho = float(config["rho"])
    return EngineRule("adadelta", (rho, 1.0 - rho, float(config["epsilon"])), slots=2)


def _rmsprop(config: Config) -> EngineRule:
    rho = float(config["rho"])
    centered = bool(config["centered"])
    return EngineRule(
        "centered_rmsprop" if centered else "rmsprop",
        (rho, 1.0 - rho, *_floats(config, "momentum", "epsilon")),
        slots=1 + centered + (config["momentum"] > 0),
    )


def _ftrl_constants(config: Config) -> tuple[float, ...]:
    strengths = ("l1", "l2", "l2_shrinkage")
    return _floats(
        config,
        "learning_rate_power",
        "initial_accumulator_value",
        *(f"{name}_regularization_strength" for name in strengths),
        "beta",
    )


def _ftrl(config: Config) -> EngineRule:
    return EngineRule("ftrl", _ftrl_constants(config), slots=2)


def _lion(config: Config) -> EngineRule:
    return EngineRule("lion", _floats(config, "beta_1", "beta_2"), slots=1)


def _rowwise_adagrad(config: Config) -> EngineRule:
    parameters = _floats(config, "initial_accumulator_value", "epsilon")
    return EngineRule("rowwise_adagrad", parameters, slots=1)


def _adagrad_decay(config: Config) -> EngineRule:
    names = ("initial_accumulator_value", "epsilon", "decay_steps", "decay_rate")
    return EngineRule("adagrad_decay", _floats(config, *names), slots=2)


def _lazy_adam(config: Config) -> EngineRule:
    decays, by_row = config["skipped"] == "decay", config["bias_correction"] == "row"
    parameters = (*_adam_constants(config), float(decays), float(by_row))
    return EngineRule("lazy_adam", parameters, slots=2 + (2 if by_row else int(decays)))


def _group_ftrl(config: Config) -> EngineRule:
    l21 = float(config["l21_regularization_strength"])
    return EngineRule("group_ftrl", (*_ftrl_constants(config), l21), slots=2)


def _floats(config: Config, *names: str) -> tuple[float, ...]:
    return tuple(float(config[name]) for name in names)


# By the class itself: a subclass may change the rule.
ENGINE_RULES: dict[type, Callable[[Config], EngineRule]] = {
    keras.optimizers.SGD: _sgd,
    keras.optimizers.Adagrad: _adagrad,
    keras.optimizers.Adam: _adam,
    keras.optimizers.AdamW: _adam,
    keras.optimizers.Adamax: _adamax,
    keras.optimizers.Nadam: _nadam,
    keras.optimizers.Adadelta: _adadelta,
    keras.optimizers.RMSprop: _rmsprop,
    keras.optimizers.Ftrl: _ftrl,
    keras.optimizers.Lion: _lion,
    RowWiseAdagrad: _rowwise_adagrad,
    AdagradDecay: _adagrad_decay,
    LazyAdam: _lazy_adam,
    GroupFtrl: _group_ftrl,
}
