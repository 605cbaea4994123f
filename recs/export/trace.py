"""From signatures to functions that are traced, and to what these functions hold on to."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

from recs.errors import explain
from recs.export import stock_lookup
from recs.export.sent_inputs import as_stated
from recs.export.static_index import StaticIndex
from recs.export.static_records import StaticRecords
from recs.layers.recent_records import RecentRecords
from recs.ops.lookup import Batch
from recs.ops.record_table import Recent, RecordTable
from recs.ops.table import StandIn, Table, looking_up_in
from recs.ops.table_resource import TableResource

Resource = tf.saved_model.experimental.TrackableResource


def static_look_ups(layers: list[Any], row_dtype: str) -> dict[TableResource, StandIn]:
    """Returns, for the table of each layer, the look-up in a static copy of it.

    Args:
        layers: Of embeddings and of records.
        row_dtype: How rows of embeddings are stored; records are float32.
    """
    found: dict[TableResource, StandIn] = {}
    for layer in layers:
        where = f"{type(layer).__name__} '{layer.name}'"
        for table in layer.tables:
            if isinstance(layer, RecentRecords):
                found[table] = _static_recent(table, where)
            else:
                found[table] = _static_look_up(table, row_dtype, where)
    return found


def _static_look_up(table: Table, row_dtype: str, where: str) -> StandIn:
    keys, rows = table.export()
    index = StaticIndex(keys, rows, table.default_row(), row_dtype, where)

    def find(batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        _refuse_compiled_caller(where)
        return stock_lookup.find(index, batch, where)

    return find


def _static_recent(table: RecordTable, where: str) -> StandIn:
    records = StaticRecords(*table.export())

    def recent(keys: tf.Tensor, mask: Any = None) -> Recent:
        _refuse_compiled_caller(where)
        return records.recent(keys, mask)

    return recent


def _refuse_compiled_caller(where: str) -> None:
    """Raises when a `tf.function` inside of the one that is traced looks ids up.

    It keeps its trace for later calls, and from then on would look ids up in the static copy, in
    the original model too.
    """
    graph = tf.compat.v1.get_default_graph()
    functions = 0
    while graph is not None:
        # Branches and loops have graphs of other classes, and no trace to keep.
        functions += type(graph).__name__ == "FuncGraph"
        graph = getattr(graph, "outer_graph", None)
    if functions > 1:
        raise ValueError(
            explain(
                "A function that looks ids up while a model is exported",
                rule="must not be compiled by `tf.function` itself, because it would keep what is "
                "traced here",
                received="a look-up in a `tf.function` inside of the signature",
                where=where,
                remedy="Leave the decorator out (`fit`, `predict` and exports compile anyway), or "
                "export with `stock_ops=False`.",
            )
        )


def trace(
    signatures: Mapping[str, Any], stand_ins: Mapping[TableResource, StandIn]
) -> dict[str, Any]:
    """Returns a concrete function for each signature, traced afresh.

    Args:
        signatures: `tf.function`s with an `input_signature`, by name.
        stand_ins: What looks ids up instead of the tables.

    Raises:
        ValueError: a signature is no such function.
    """
    traced = {}
    for name, function in signatures.items():
        specs = getattr(function, "input_signature", None)
        if specs is None:
            raise ValueError(
                explain(
                    f"Signature '{name}'",
                    rule="must be a `tf.function` with an `input_signature`",
                    received=function,
                    where="recs.export.saved_model",
                    remedy="Write `@tf.function(input_signature=[tf.TensorSpec(...)])`.",
                )
            )
        # Afresh, because what was traced before looks ids up in the tables.
        fresh = tf.function(_as_stated(function, specs, name), input_signature=specs)
        with looking_up_in(stand_ins):
            traced[name] = fresh.get_concrete_function()
    return traced


def _as_stated(function: Any, specs: Any, name: str) -> Any:
    """Returns a signature's function, which checks the shapes of what it is sent first."""

    def checked(*sent: Any) -> Any:
        values = tf.nest.map_structure(
            lambda tensor, spec: as_stated(tensor, spec, name), list(sent), list(specs)
        )
        return function.python_function(*values)

    # TensorFlow names inputs by it that have no name of their own.
    checked.__signature__ = inspect.signature(  # type: ignore[attr-defined]
        function.python_function
    )
    return checked


class Exported(tf.Module):
    """Module that a SavedModel is written from: only the state that its functions use.

    Args:
        traced: Concrete functions.
        roots: Where to look for the resources they use, such as the tables of `StringLookup`.
    """

    def __init__(self, traced: Mapping[str, Any], roots: list[Any]) -> None:
        super().__init__(name="exported")
        functions = list(traced.values())
        self.state = list({id(v): v for f in functions for v in f.graph.variables}.values())
        used = {id(tensor) for f in functions for tensor in f.captured_inputs}
        self.files: list[tf.saved_model.Asset] = []  # the states of tables with the compiled op
        self.resources = [r for r in reachable_resources(roots) if id(r.resource_handle) in used]


def reachable_resources(roots: list[Any]) -> Iterator[Any]:
    """Yields the resources that are attributes of layers and modules, however deep.

    TensorFlow's own walk leaves out what Keras layers hold in dicts and lists.
    """
    seen: dict[int, Any] = {}
    waiting = list(roots)
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen[id(item)] = item
        if isinstance(item, Resource):
            yield item
        elif isinstance(item, Mapping):
            waiting.extend(item.values())
        elif isinstance(item, list | tuple | set):
            waiting.extend(item)
        elif isinstance(item, keras.layers.Layer | tf.Module):
            waiting.extend(vars(item).values())
