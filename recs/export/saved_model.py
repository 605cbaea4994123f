"""The call that writes a SavedModel."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from recs.export import verify
from recs.export.deltas.target import signatures as delta_signatures
from recs.export.model_signatures import model_signatures
from recs.export.replace_folder import replace_folder
from recs.export.static_index import check_row_dtype
from recs.export.trace import Exported, static_look_ups, trace
from recs.layers.resource_layer import layers_with_resources
from recs.layers.table_anchor import layers_with_tables
from recs.ops.table_resource import TableResource, compiled_export


def saved_model(
    model: keras.layers.Layer,
    path: str | os.PathLike[str],
    stock_ops: bool = True,
    *,
    row_dtype: str = "float32",
    signatures: Mapping[str, Any] | None = None,
    inputs: Any = None,
) -> pathlib.Path:
    """Writes a SavedModel that an unmodified TensorFlow Serving runs.

    Every embedding that grows is written as a fixed copy, in plain variables, with TensorFlow's own
    ops around it: it looks ids up and gives the default for unknown ones. It holds no optimizer
    slots and cannot be trained. `RecentRecords` are written likewise, with what they remember. The
    model itself is left as it is, and what happens to it later does not reach what was written.

    Signatures are, in this order: those given as `signatures`; those of
    `model.serving_signatures()`, when the model has this method, a dict of the same kind; or
    `serving_default`, made of the model's inputs. The last takes batched tensors only, dict inputs
    under their keys (other characters than letters, digits and `_` become `_`) and gives dict
    outputs under theirs, others as `output_0`, `output_1`. Ragged and sparse ids are `name`,
    `(batch, n)` padded with anything, and `name_lengths`, `(batch,)`.

    The folder is written beside `path`, checked for ops that are not TensorFlow's, and takes its
    name last: a failed export leaves what was there.

    Args:
        model: Any Keras model or layer.
        path: The folder. TensorFlow Serving wants a number as its last part: `saved_model/1`.
        stock_ops: Whether to write fixed copies. When false, tables are written whole, with slots,
            and looked up by the compiled op, which the loading process must have
            (`recs.ops.library.ops()` loads it). Defaults to `True`.
        row_dtype: How the copies store rows: `"float32"`, `"float16"` (half the size, off by 2^-11
            of each number) or `"int8"` (a quarter, off by 1/254 of the greatest number of the
            row). Defaults to `"float32"`.
        signatures: A dict of `tf.function`s with an `input_signature`. Defaults to `None`.
        inputs: What the model is called with, when it does not know itself: specs, or a batch of
            examples, in the structure of the call. Defaults to `None`.

    Returns:
        The path.

    Raises:
        ValueError: the inputs are not known, a signature is no `tf.function` with an
            `input_signature`, an op is not TensorFlow's own, a `tf.function` of the model looks
            ids up itself, or a row does not fit `row_dtype`.
        FileExistsError: `path` is a folder of something else.

    Example:
    ```python
    >>> import tempfile, keras, numpy as np, tensorflow as tf, recs.layers, recs.export
    >>> ids = keras.Input((), dtype="int64", name="user_id")
    >>> layer = recs.layers.DynamicEmbedding(2)
    >>> model = keras.Model(ids, layer(ids))
    >>> layer.table.upsert([7], [[1.0, 2.0]])
    >>> path = recs.export.saved_model(model, tempfile.mkdtemp() + "/saved_model/1")
    >>> serve = tf.saved_model.load(str(path)).signatures["serving_default"]
    >>> serve(user_id=tf.constant([7, 8], tf.int64))["output_0"].numpy().tolist()
    [[1.0, 2.0], [0.0, 0.0]]

    ```

    Reference: [TensorFlow Serving](https://www.tensorflow.org/tfx/serving/serving_basic).
    """
    check_row_dtype(row_dtype, "recs.export.saved_model")
    layers = layers_with_tables(model)
    chosen = _signatures(model, signatures, inputs, layers)
    if not stock_ops:
        chosen = {**delta_signatures(model), **chosen}
    with replace_folder(path) as beside:
        look_ups = static_look_ups(layers_with_resources(model), row_dtype) if stock_ops else {}
        traced = trace(chosen, look_ups)
        if stock_ops:
            for name, function in traced.items():
                verify.check_graph(function.graph.as_graph_def(), where=f"signature '{name}'")
        _write(Exported(traced, [model]), beside, traced, stock_ops)
        if stock_ops:
            verify.check_saved_model(beside)
    return pathlib.Path(path)


def _write(
    module: Exported, beside: pathlib.Path, traced: Mapping[str, Any], stock_ops: bool
) -> None:
    if stock_ops:
        tf.saved_model.save(module, str(beside), signatures=traced)
        return
    tables = [r for r in module.resources if isinstance(r, TableResource)]
    with compiled_export(tables, beside.parent) as module.files:
        tf.saved_model.save(module, str(beside), signatures=traced)


def _signatures(
    model: keras.layers.Layer,
    signatures: Mapping[str, Any] | None,
    inputs: Any,
    layers: list[Any],
) -> Mapping[str, Any]:
    if signatures is not None:
        return signatures
    if inputs is None and hasattr(model, "serving_signatures"):
        return model.serving_signatures()
    return model_signatures(model, inputs, layers)
