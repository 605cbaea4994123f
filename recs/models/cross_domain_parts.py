"""Parts of a cross-domain model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from recs.errors import explain
from recs.layers.categories import as_text
from recs.layers.multi_domain.moved_in import MovedIn
from recs.layers.multi_domain.routing import Routing
from recs.layers.row_shapes import value_per_row
from recs.layers.table_weight import TableWeight
from recs.models.domain_features import picked

if TYPE_CHECKING:
    from recs.models.cross_domain import CrossDomain


def apply(layer: Any, x: Any, domain: Any, **kwargs: Any) -> Any:
    """Returns what a layer makes of rows, told of their domains if it has domains."""
    return layer(x, domain=domain, **kwargs) if hasattr(layer, "domains") else layer(x)


def renamed(layer: keras.layers.Layer, name: str, **changes: Any) -> Any:
    """Returns another layer of the same form."""
    return type(layer).from_config({**layer.get_config(), "name": name, **changes})


def as_list(models: Any) -> list[MovedIn]:
    """Returns the models that move into a domain."""
    return list(models) if isinstance(models, list | tuple) else [models]


def gates(models: Mapping[str, list[MovedIn]], domains: Sequence[str], policy: Any) -> Any:
    """Returns for each model that moved in the layer of its gates, by domain and number."""
    return {
        f"{domains.index(name)}_{n}": keras.layers.Dense(
            len(model.targets), "sigmoid", kernel_initializer="zeros", dtype=policy,
            name=f"model_gate_{domains.index(name)}_{n}",
        )
        for name, each in models.items()
        for n, model in enumerate(each)
    }  # fmt: skip


def silence(tower: Any, domain: int) -> None:
    """Makes a tower say nothing of a domain, whose old model says it all at the start."""
    if not hasattr(tower, "silence"):
        raise ValueError(
            explain(
                "`tower`",
                rule="must be able to be silent for a domain that a model moves into",
                received=f"a {type(tower).__name__}",
                where="CrossDomain",
                remedy="Use `Star(domains, ..., auxiliary_units=None)`.",
            )
        )
    tower.silence(domain)


def with_models(
    model: CrossDomain,
    logits: Mapping[str, Any],
    name: str,
    inputs: Mapping[str, Any],
    x: Any,
    routing: Routing,
) -> dict[str, Any]:
    """Returns the logits with what the models that moved into a domain add to its rows."""
    d, models = model.domains.index(name), model.moved_in[name]
    logits = dict(logits)
    counts = {t: sum(t in m.targets for m in models) for t in logits}
    added: dict[str, list[Any]] = {t: [] for t in logits}
    for n, one in enumerate(models):
        if missing := [c for c in one.columns if c not in inputs]:
            if routing.only is None:
                continue  # A batch without the domain's columns has no rows of it.
            raise ValueError(
                explain("The batch", rule=f"must have the columns of the model of {name!r}",
                        received=f"no {', '.join(missing)}", where="CrossDomain")
            )  # fmt: skip
        told = one({c: picked(routing, inputs[c], d) for c in one.columns})
        gate = ops.cast(model._model_gates[f"{d}_{n}"](routing.split(x)[d]), "float32")
        for k, target in enumerate(one.targets):
            if target in added:
                share = gate[:, k : k + 1] * (2.0 / counts[target])
                added[target].append(share * told[target])
    for t, each in added.items():
        if each:
            split = routing.split(logits[t])
            split[d] = split[d] + sum(each[1:], start=each[0])
            logits[t] = routing.join(split)
    return logits


def numbers_of(column: Any, domains: Sequence[str]) -> Any:
    """Returns the number of each row's domain, -1 for those that are not known."""
    column = as_text(value_per_row(column, "domain", "CrossDomain"), "domain", "CrossDomain")
    same = tf.equal(column[:, None], tf.constant(list(domains))[None, :])
    found = tf.argmax(tf.cast(same, tf.int32), axis=1, output_type=tf.int32)
    return tf.where(tf.reduce_any(same, axis=1), found, -1)


def entry_of(values: Any, number: Any, otherwise: Any) -> Any:
    """Returns the entry of each row's domain, and another for rows of none."""
    table = np.array([*values, otherwise])
    table = table.astype("float32") if table.dtype.kind == "f" else table
    place = ops.where(number < 0, len(table) - 1, number)
    return ops.take(ops.convert_to_tensor(table), place, axis=0)


def in_batches(
    model: CrossDomain, columns: Mapping[str, Any], batch_size: int
) -> dict[str, np.ndarray]:
    """Returns the model's predictions of columns."""
    names = [name for name in model.columns if name in columns]
    tensors = {name: _tensor(columns[name]) for name in names}
    rows = int(tensors[names[0]].shape[0])
    made = []
    for start in range(0, max(rows, 1), batch_size):
        batch = {name: one[start : start + batch_size] for name, one in tensors.items()}
        made.append(model(batch, training=False))
    return {t: np.concatenate([np.array(one[t]) for one in made]) for t in model.targets}


def _tensor(column: Any) -> Any:
    if hasattr(column, "to_tensor") and not isinstance(column, tf.Tensor | tf.RaggedTensor):
        return column.to_tensor()  # A column of lists.
    return column if tf.is_tensor(column) else tf.convert_to_tensor(np.asarray(column))


def signatures(model: CrossDomain) -> dict[str, Any]:
    """Returns a `tf.function` for each domain, and `serving_default`."""
    found = {name: _signature(model, d) for d, name in enumerate(model.domains)}
    default = found[model.domains[0]]
    if len(model.domains) > 1:
        default = _signature(model, None)
    return {**found, "serving_default": default}


def _signature(model: CrossDomain, d: int | None) -> Any:
    names = model.columns if d is None else model.columns_of(d)
    specs: dict[str, tf.TensorSpec] = {}
    for name in names:
        specs.update(_specs(model, name))

    @tf.function(input_signature=[specs])
    @tf.autograph.experimental.do_not_convert
    def predict(columns: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return model._predictions(model.logits(columns, d))

    return predict


def _specs(model: CrossDomain, name: str) -> dict[str, tf.TensorSpec]:
    """Returns what a server is sent for a column: the column, and its lengths if it needs them."""
    arguments, features = model._arguments, model.features
    if name != arguments["domain"]:
        for one in (features.shared, *features.own.values()):
            if name in one.columns:
                found = one.serving_specs(arguments["lists"])
                return {n: found[n] for n in (name, f"{name}_lengths") if n in found}
        for one in (m for models in model.moved_in.values() for m in models):
            if (spec := one.input_specs().get(name)) is not None:
                return {name: tf.TensorSpec([None, *spec.shape[1:]], spec.dtype, name=name)}
    return {name: tf.TensorSpec([None], tf.string, name=name)}


def grown(
    model: CrossDomain,
    domain: str,
    *,
    targets: Sequence[str] | None = None,
    own_categories: Sequence[str] = (),
    own_numbers: Sequence[str] = (),
    weight: float | None = None,
    models: Any = None,
) -> CrossDomain:
    """Returns a model with a domain more, and with the state of this one."""
    arguments = dict(model._arguments)
    domains = [*model.domains, domain]
    if isinstance(arguments["targets"], dict) and targets is None:
        raise model._wrong("`targets`", "must be given where domains have their own", "None")
    if targets is not None:
        arguments["targets"] = {**model._targets, domain: list(targets)}
    for name, value in (("own_categories", own_categories), ("own_numbers", own_numbers),
                        ("domain_weights", weight)):  # fmt: skip
        if value:
            arguments[name] = {**arguments[name], domain: value}
    moved = {**model.moved_in, **({domain: as_list(models)} if models is not None else {})}
    first = model.towers[model.targets[0]]
    other = type(model)(
        **{**arguments, "domains": domains},
        experts=_with_domains(model.experts, domains),
        tower=_with_domains(first, domains),
        models=moved,
        weights=_weights_for(model, domain, arguments["targets"]),
        name=model.name,
    )
    _copy_state(model, other)
    for target in other.targets:
        if any(target in one.targets for one in moved.get(domain, ())):
            silence(other.towers[target], len(domains) - 1)
    return other


def _with_domains(layer: Any, domains: Sequence[str]) -> Any:
    changes = {"domains": list(domains)} if hasattr(layer, "domains") else {}
    return renamed(layer, layer.name, **changes)


def _weights_for(model: CrossDomain, domain: str, targets: Any) -> Any:
    """Returns the `weights` of a model with a domain more: a layer is a new one, of all targets."""
    weights = model.task.loss_weights
    if not isinstance(weights, keras.layers.Layer):
        return weights
    added = targets[domain] if isinstance(targets, Mapping) else targets
    return renamed(weights, weights.name, tasks=list(dict.fromkeys([*weights.tasks, *added])))


def _copy_state(source: CrossDomain, target: CrossDomain) -> None:
    pairs = [(source.features, target.features), (source.experts, target.experts)]
    pairs += [(tower, target.towers[t]) for t, tower in source.towers.items()]
    pairs += [(gate, target._model_gates[n]) for n, gate in source._model_gates.items()]
    for old, new in pairs:
        weights = {w.path: w for w in new.weights}
        for weight in old.weights:
            if not isinstance(weight, TableWeight):  # tables follow below, with their slots
                _copy_weight(weight, weights[weight.path])
    if isinstance(source.task.loss_weights, keras.layers.Layer):
        # Tasks that are new stand behind the others, as domains do.
        for old_weight, new_weight in zip(
            source.task.loss_weights.weights, target.task.loss_weights.weights, strict=True
        ):
            _copy_weight(old_weight, new_weight)
    vectors = [(source.features.shared, target.features.shared)]
    vectors += [(layer, target.features.own[d]) for d, layer in source.features.own.items()]
    for old_vectors, new_vectors in vectors:
        if old_vectors.embeddings is None or new_vectors.embeddings is None:
            continue
        tables = old_vectors.embeddings.tables, new_vectors.embeddings.tables
        for one, other in zip(*tables, strict=True):
            other.deserialize([block.numpy() for block in one.serialize()])


def _copy_weight(old: Any, new: Any) -> None:
    value = old.numpy()
    if tuple(old.shape) == tuple(new.shape):
        new.assign(value)
        return
    # A row for each domain or task, of which there are more now.
    wider = new.numpy()
    wider[: len(value)] = value
    new.assign(wider)


def revived(config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the arguments that a configuration stands for."""
    made = dict(config)
    revive = keras.saving.deserialize_keras_object
    made["experts"], made["tower"] = revive(made["experts"]), revive(made["tower"])
    made["models"] = {d: [revive(one) for one in each] for d, each in made["models"].items()}
    if isinstance(made["weights"], Mapping) and "class_name" in made["weights"]:
        made["weights"] = revive(made["weights"])
    return made
