"""Every op of the library refuses inputs of wrong shapes, sizes and kinds, and changes nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import recs
from recs.ops.library import ops

REFUSALS = (
    tf.errors.InvalidArgumentError,
    tf.errors.DataLossError,
    tf.errors.UnavailableError,
    tf.errors.FailedPreconditionError,
)
OPS = (
    "recs_count_higher",
    "recs_kernel_path",
    "recs_softmax_loss",
    "recs_table",
    "recs_table_append",
    "recs_table_apply",
    "recs_table_assign",
    "recs_table_begin_save",
    "recs_table_clear",
    "recs_table_contents",
    "recs_table_default_row",
    "recs_table_delta",
    "recs_table_deserialize",
    "recs_table_evict",
    "recs_table_evicted_keys",
    "recs_table_export",
    "recs_table_finish_save",
    "recs_table_follows",
    "recs_table_held_applies",
    "recs_table_metadata",
    "recs_table_recent",
    "recs_table_records",
    "recs_table_remove",
    "recs_table_restore",
    "recs_table_save",
    "recs_table_serialize",
    "recs_table_stats",
    "recs_table_step",
    "recs_table_upsert",
    "recs_tables_add_gradient",
    "recs_tables_apply",
    "recs_tables_commit",
    "recs_tables_find",
    "recs_tables_find_or_insert",
)


@dataclasses.dataclass(frozen=True)
class Call:
    """A call of an op that is right.

    Attributes:
        inputs: Its tensors, and lists of them.
        attributes: Its other arguments.
        any_size: Inputs whose number of elements is free.
        may_be_empty: Inputs that may be left out by an empty one.
        other_tables: Which tables of another kind it takes, too.
    """

    inputs: dict[str, Any]
    attributes: dict[str, Any] = dataclasses.field(default_factory=dict)
    any_size: frozenset[str] = frozenset()
    may_be_empty: frozenset[str] = frozenset()
    other_tables: frozenset[str] = frozenset()


class World:
    """Tables of each kind with something in them, and files of their states."""

    def __init__(self, folder: Any) -> None:
        self.layer = recs.layers.DynamicEmbedding(2, embeddings_initializer="ones")
        self.table = self.layer.table
        self.table.upsert([1, 2, 3], np.arange(6.0).reshape(3, 2))
        self.records = recs.layers.RecentRecords(1, 2)
        self.records.table.append([1], [[1.0]], timestamps=[5])
        self.strings = recs.layers.DynamicEmbedding(2, key_dtype="string")
        self.wide = recs.layers.DynamicEmbedding(3)
        self.folder = folder
        self.state, self.delta = str(folder / "state"), str(folder / "delta")
        self.table.save(self.state)
        cursor = self.table.save_delta(folder / "base")
        self.table.save_delta(self.delta, since=cursor)
        self.foreign = {
            "a variable": tf.Variable(1.0).handle,
            "an uninitialized variable": tf.raw_ops.VarHandleOp(
                dtype=tf.float32, shape=[], shared_name="nobody"
            ),
            "a hash table": tf.lookup.experimental.MutableHashTable(
                tf.int64, tf.float32, 0.0
            ).resource_handle,
        }
        self.others = {
            "strings": self.strings.table.handle,
            "wide": self.wide.table.handle,
            "records": self.records.table.handle,
        }

    def begin_save(self) -> tf.Tensor:
        """The handle of a save under way, of a table of its own: a table has one save at a time."""
        handle = recs.layers.DynamicEmbedding(2).table.handle
        return ops().recs_table_begin_save(handle, str(self.folder / "begun"), "").save

    def contents(self) -> tuple[Any, ...]:
        """What a refused call must leave as it is."""
        keys, rows = self.table.export()
        order = np.argsort(keys)
        recent = self.records.table.recent([1])
        stats = self.table.stats()
        return (
            keys[order].tolist(), rows[order].tolist(), stats["step"], stats["removals"],
            recent.records.numpy().tolist(), self.records.table.size(),
        )  # fmt: skip


ALL = frozenset({"strings", "wide", "records"})


def calls(world: World) -> dict[str, Call]:
    """A right call of each op."""
    handle, records = world.table.handle, world.records.table.handle
    keys, path = tf.constant([1, 2], tf.int64), tf.constant
    of_feature = {"combiners": ["sum"], "feature_tables": [0]}
    lookup = {
        "tables": [handle], "keys": [keys], "masks": [tf.constant([True, True])],
        "splits": [tf.constant([0, 1, 2], tf.int64)], "weights": [tf.constant([1.0, 2.0])],
    }  # fmt: skip
    optional = frozenset({"masks", "weights", "mask"})
    found = ops().recs_tables_find_or_insert(
        **lookup, time=tf.constant(5, tf.int64), dims=[2], emit_unique_rows=True, **of_feature
    )
    of_key, of_table = {"K": tf.int64}, Call({"table": handle}, other_tables=ALL)
    rows = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    numbers = tf.constant([0, 1], tf.int64)
    return {
        "recs_table": Call({"initial_rows": rows}, {"key_dtype": tf.int64, "dim": 2},
                           any_size=frozenset({"initial_rows"})),
        "recs_tables_find": Call(lookup, {"dims": [2], **of_feature}, may_be_empty=optional),
        "recs_tables_find_or_insert": Call(
            {**lookup, "time": tf.constant(5, tf.int64)},
            {"dims": [2], "emit_unique_rows": True, "emit_known": True, **of_feature},
            may_be_empty=optional),
        "recs_tables_add_gradient": Call(
            {"tables": [handle], "rows": found.rows, "inverse": found.inverse,
             "splits": lookup["splits"], "weights": lookup["weights"], "gradients": [rows],
             "unique_rows": found.unique_rows, "unique_gradients": found.unique_rows},
            of_feature, may_be_empty=frozenset({"weights", "unique_gradients"}),
            other_tables=frozenset({"strings"})),  # see the test of handles below
        "recs_tables_commit": Call(
            {"tables": [handle], "learning_rates": [tf.constant(0.0)],
             "steps": [tf.constant(-1, tf.int64)], "scales": [tf.constant(1.0)],
             "now": [tf.constant(False)]},
            {"optimizers": ["sgd"], "parameters": [0.0, 0.0], "parameter_counts": [2],
             "weight_decays": [0.0], "clipnorms": [0.0], "clipvalues": [0.0]},
            other_tables=frozenset({"strings", "wide"})),
        "recs_table_upsert": Call({"table": handle, "keys": keys, "rows": rows}),
        "recs_table_remove": Call({"table": handle, "keys": tf.constant([77], tf.int64)},
                                  any_size=frozenset({"keys"}),
                                  other_tables=frozenset({"wide", "records"})),
        "recs_table_clear": Call({"table": world.wide.table.handle}, other_tables=ALL),
        "recs_table_export": Call({"table": handle}, of_key,
                                  other_tables=frozenset({"wide", "records"})),
        "recs_table_default_row": of_table,
        "recs_table_metadata": Call({"table": handle, "keys": keys},
                                    any_size=frozenset({"keys"}),
                                    other_tables=frozenset({"wide", "records"})),
        "recs_table_records": Call({"table": handle, "limit": tf.constant(-1, tf.int64)},
                                   {"with_rows": True, "with_slots": True, **of_key},
                                   other_tables=frozenset({"wide", "records"})),
        "recs_table_evict": of_table,
        "recs_table_evicted_keys": Call({"table": handle}, of_key,
                                        other_tables=frozenset({"wide", "records"})),
        "recs_table_stats": of_table,
        "recs_table_step": of_table,
        "recs_table_held_applies": of_table,
        "recs_table_save": Call({"table": handle, "path": path(str(world.folder / "saved")),
                                 "since": path("")}, other_tables=ALL),
        "recs_table_begin_save": Call({"table": handle, "path": path(str(world.folder / "later")),
                                       "since": path("")}, other_tables=ALL),
        "recs_table_finish_save": Call({"save": world.begin_save}),
        "recs_table_restore": Call({"table": handle, "path": path(world.state)}),
        "recs_table_apply": Call({"table": handle, "path": path(world.delta)}),
        "recs_tables_apply": Call(
            {"tables": [handle], "paths": tf.constant([world.state]), "base": tf.constant(True)}),
        "recs_table_follows": of_table,
        "recs_table_delta": Call({"table": handle, "since": path("")}, of_key,
                                 other_tables=frozenset({"wide", "records"})),
        "recs_table_serialize": of_table,
        "recs_table_deserialize": Call({"table": handle, "blocks": world.table.serialize()}),
        "recs_table_contents": of_table,
        "recs_table_assign": Call(
            {"table": handle, "blocks": ops().recs_table_contents(handle)}),
        "recs_table_append": Call(
            {"table": records, "keys": keys, "mask": tf.constant([True, True]),
             "records": tf.constant([[1.0], [2.0]]), "times": tf.constant([1, 2], tf.int64)},
            may_be_empty=optional),
        "recs_table_recent": Call(
            {"table": records, "keys": keys, "mask": tf.constant([True, True])},
            {"capacity": 2, "width": 1}, may_be_empty=optional),
        "recs_count_higher": Call({"queries": rows, "candidates": rows,
                                   "limits": tf.cast(rows, tf.float64)},
                                  any_size=frozenset({"candidates"})),
        "recs_kernel_path": Call({}),
        "recs_softmax_loss": Call(
            {"queries": rows, "candidates": rows, "bias": tf.constant([0.0, 0.0]),
             "weights": tf.constant([1.0, 1.0]), "positives": tf.constant([0.0, 0.0]),
             "own_numbers": numbers, "numbers": numbers},
            {"with_gradient": True, "without_diagonal": False, "lowest": -1e30}),
    }  # fmt: skip


def fresh(value: Any) -> Any:
    """An input that can be used once is made anew for every call."""
    return value() if callable(value) else value


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("ops"))


def of_other_shapes(name: str, value: tf.Tensor, call: Call) -> Iterator[tuple[str, Any]]:
    """The input with another rank, with an element more, and empty."""
    rank = value.shape.rank
    optional_scalar = name in ("bias", "weights", "positives", "own_numbers", "numbers")
    yield f"an axis more of {name}", tf.stack([value])
    yield f"two of {name}", tf.stack([value, value])
    if value.dtype != tf.resource:  # TensorFlow itself refuses to reshape an empty one
        yield f"three empty axes of {name}", tf.reshape(tf.stack([value])[:0], [0, 0, 0])
    if rank == 0:
        yield f"no {name}", tf.stack([value])[:0]
        return
    if len(value) and not optional_scalar:
        yield f"an axis less of {name}", value[0]
    if name in call.any_size:
        return
    yield f"an element more of {name}", tf.concat([value, value[:1]], 0)
    if name not in call.may_be_empty:
        yield f"an empty {name}", value[:0]


def wrong_inputs(call: Call, world: World) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, values in call.inputs.items():
        value = fresh(values)
        listed = isinstance(value, list)
        tensor = value[0] if listed else value
        wrong: list[tuple[str, Any]] = list(of_other_shapes(name, tensor, call))
        if tensor.dtype == tf.resource:
            wrong += world.foreign.items()
            wrong += [
                (k, v)
                for k, v in world.others.items()
                if k not in call.other_tables
                and not (k == "records" and tensor is world.records.table.handle)
            ]
            if "table" in name:
                wrong.append(("a save", world.begin_save()))
                if tensor is world.records.table.handle:
                    wrong.append(("embeddings", world.table.handle))
        for what, other in wrong:
            yield what, {**call.inputs, name: [other] if listed else other}


def run(name: str, call: Call, inputs: dict[str, Any]) -> Any:
    made = {key: fresh(value) for key, value in inputs.items()}
    return getattr(ops(), name)(**made, **call.attributes)


def run_in_graph(name: str, call: Call, inputs: dict[str, Any], known: bool) -> None:
    """Runs the op in a graph that knows the shapes of its inputs, or none of them."""
    made = {key: fresh(value) for key, value in inputs.items()}

    def spec(tensor: tf.Tensor) -> tf.TensorSpec:
        return tf.TensorSpec(tensor.shape if known else None, tensor.dtype)

    def function(**tensors: Any) -> Any:
        result = getattr(ops(), name)(**tensors, **call.attributes)
        return None if isinstance(result, tf.Operation) else result

    concrete = tf.function(function).get_concrete_function(**tf.nest.map_structure(spec, made))
    concrete(**made) if not any(isinstance(v, list) for v in made.values()) else concrete(
        *tf.nest.flatten(made)
    )


def refuses(run_op: Callable[..., Any], *arguments: Any) -> bool:
    # Shape functions raise a ValueError where a graph is traced.
    refusals = REFUSALS if run_op is run else (*REFUSALS, ValueError)
    try:
        run_op(*arguments)
    except refusals:
        return True
    return False


def test_every_op_of_the_library_is_listed() -> None:
    found = (name for name in dir(ops()) if name.startswith("recs_"))
    assert [name for name in found if not name.endswith("_eager_fallback")] == list(OPS)


@pytest.mark.parametrize("name", OPS)
def test_an_op_runs_with_right_inputs(name: str, world: World) -> None:
    call = calls(world)[name]  # a new op has to be added there
    if name == "recs_table_apply":
        ops().recs_table_restore(world.table.handle, str(world.folder / "base"))
    run(name, call, call.inputs)


@pytest.mark.parametrize("name", OPS)
def test_wrong_inputs_are_refused_and_change_nothing(name: str, world: World) -> None:
    call = calls(world)[name]
    before = world.contents()
    wrong = list(wrong_inputs(call, world))
    taken = [what for what, inputs in wrong if not refuses(run, name, call, inputs)]
    assert not taken
    assert world.contents() == before


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("name", OPS)
def test_wrong_shapes_are_refused_in_graphs(name: str, known: bool, world: World) -> None:
    """By shape functions where shapes are known, and by kernels where they are not."""
    call = calls(world)[name]
    before = world.contents()
    wrong = list(wrong_inputs(call, world))
    taken = [what for what, i in wrong if not refuses(run_in_graph, name, call, i, known)]
    assert not taken
    assert world.contents() == before


HOSTILE: dict[str, Callable[[Call], dict[str, Any]]] = {
    "lists_of_other_lengths": lambda call: {"combiners": ["sum", "sum"]},
    "a_table_that_is_not_there": lambda call: {"feature_tables": [1]},
    "a_table_below_zero": lambda call: {"feature_tables": [-1]},
    "rows_of_another_length": lambda call: {"dims": [3]},
}


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("name", ["recs_tables_find", "recs_tables_find_or_insert"])
def test_attributes_that_do_not_fit_are_refused(name: str, hostile: str, world: World) -> None:
    call = calls(world)[name]
    changed = dataclasses.replace(call, attributes=call.attributes | HOSTILE[hostile](call))
    with pytest.raises(REFUSALS):
        run(name, changed, call.inputs)
    for known in (True, False):
        with pytest.raises((*REFUSALS, ValueError)):
            run_in_graph(name, changed, call.inputs, known)


def test_handles_of_rows_that_no_lookup_gave_are_refused(world: World) -> None:
    call = calls(world)["recs_tables_add_gradient"]
    rows = call.inputs["rows"][0]
    for wrong in (rows[::-1], tf.constant([-1, -1], tf.int64), tf.constant([1, 2**62], tf.int64)):
        with pytest.raises(tf.errors.InvalidArgumentError, match="look-up's own output"):
            run("recs_tables_add_gradient", call, {**call.inputs, "rows": [wrong]})


def test_handles_of_rows_of_another_table_reach_no_row(world: World) -> None:
    """They are taken for those of rows that are gone."""
    other = recs.layers.DynamicEmbedding(2).table
    other.upsert([1, 2], np.ones((2, 2)))
    call, commit = calls(world)["recs_tables_add_gradient"], calls(world)["recs_tables_commit"]
    run("recs_tables_add_gradient", call, {**call.inputs, "tables": [other.handle]})
    inputs = commit.inputs | {"tables": [other.handle], "learning_rates": [tf.constant(1.0)]}
    updated = run("recs_tables_commit", commit, inputs | {"now": [tf.constant(True)]})
    assert int(updated[0]) == 0
    assert other.lookup([1, 2]).tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert other.stats()["stale_updates"] == 2


def test_numbers_without_own_numbers_are_refused(world: World) -> None:
    call = calls(world)["recs_softmax_loss"]
    for name in ("numbers", "own_numbers"):
        inputs = {**call.inputs, name: tf.constant(0, tf.int64)}
        with pytest.raises(tf.errors.InvalidArgumentError, match="must come together"):
            run("recs_softmax_loss", call, inputs)
