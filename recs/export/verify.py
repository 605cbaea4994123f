"""Whether a graph needs anything that TensorFlow does not bring along."""

from __future__ import annotations

import os
import pathlib
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from recs.errors import explain
from recs.export.replace_folder import GRAPH

# TensorFlow's, though `tf.raw_ops` does not list them.
OWN_PREFIXES = ("_", "Xla", "TPU", "Risc")


def check_graph(graph: Any, where: str) -> None:
    """Raises when a graph, or a function of its library, has an op that is not TensorFlow's own.

    Args:
        graph: A `GraphDef`.
        where: What the graph is of, for the message.
    """
    foreign = foreign_ops(graph)
    if foreign:
        raise ValueError(
            explain(
                "A stock-ops export",
                rule="must contain TensorFlow's own ops and no other",
                received=", ".join(sorted(foreign)),
                where=where,
                remedy="An embedding comes to this when a signature runs it with "
                "`training=True`, or in a function that was compiled with `tf.function` before: "
                "change that. So does `RecentRecords` when a signature appends to it. "
                "Else export with `stock_ops=False`.",
            )
        )


def check_saved_model(path: str | os.PathLike[str]) -> None:
    """Raises when a SavedModel has an op that is not TensorFlow's own.

    Args:
        path: The SavedModel's folder.
    """
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((pathlib.Path(path) / GRAPH).read_bytes())
    for meta_graph in saved.meta_graphs:
        check_graph(meta_graph.graph_def, where=f"SavedModel '{path}'")


def foreign_ops(graph: Any) -> set[str]:
    """Returns the names of the ops of a `GraphDef` that are not TensorFlow's own."""
    functions = graph.library.function
    used = {node.op for node in graph.node}
    used.update(node.op for function in functions for node in function.node_def)
    used -= {function.signature.name for function in functions}
    return {op for op in used if not hasattr(tf.raw_ops, op) and not op.startswith(OWN_PREFIXES)}
