"""What a server makes of a SavedModel, seen from a test."""

from __future__ import annotations

import os
import pathlib
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

HERE = pathlib.Path(__file__).parent


def meta_graph(path: Any) -> Any:
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((pathlib.Path(path) / "saved_model.pb").read_bytes())
    (found,) = saved.meta_graphs
    return found


def all_ops(path: Any) -> set[str]:
    graph = meta_graph(path).graph_def
    functions = graph.library.function
    return {n.op for n in graph.node} | {n.op for f in functions for n in f.node_def}


def ask_without_recs(requests: list[tuple[Any, str, dict[str, np.ndarray]]], folder: Any) -> list:
    """Returns the outputs of `(path, signature, inputs)` from a process that cannot import recs."""
    wanted = [(str(path), name, inputs) for path, name, inputs in requests]
    return _run([str(HERE / "without_recs.py")], wanted, folder)


def ask_c_api(requests: list[tuple[Any, str, dict[str, np.ndarray]]], folder: Any) -> list:
    """Returns the same from a process that has TensorFlow's C API and none of its Python."""
    library = pathlib.Path(tf.__file__).parent / "libtensorflow_cc.so.2"
    wanted = []
    for path, name, inputs in requests:
        signature = meta_graph(path).signature_def[name]
        feeds = {signature.inputs[key].name: value for key, value in inputs.items()}
        fetches = {key: info.name for key, info in signature.outputs.items()}
        wanted.append((str(path), feeds, fetches))
    return _run([str(HERE / "with_c_api.py"), str(library)], wanted, folder)


def _run(command: list[str], wanted: list, folder: Any) -> list:
    requests, answers = pathlib.Path(folder) / "requests", pathlib.Path(folder) / "answers"
    requests.write_bytes(pickle.dumps(wanted))
    done = subprocess.run(
        [sys.executable, *command, str(requests), str(answers)],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return pickle.loads(answers.read_bytes())
