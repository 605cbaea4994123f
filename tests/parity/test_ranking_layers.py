"""Layers of rankers against TF-Ranking's, with the same weights."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

from recs.layers import ranking
from tests.parity.tfr_peer import installed

SIDE = pathlib.Path(__file__).parent / "tfr_layers_side.py"
RNG = np.random.default_rng(9)
X = {
    "context": RNG.normal(size=(4, 2)).astype("float32"),
    "items": RNG.normal(size=(4, 5, 3)).astype("float32"),
    # Padding between items too; one list is whole, one has a single item.
    "mask": np.array([[1, 1, 1, 1, 1], [1, 0, 1, 0, 0], [0, 0, 0, 1, 0], [1, 1, 1, 0, 0]], bool),
    "flat_scores": RNG.normal(size=20).astype("float32"),
}
FEATURES = ({"b": X["context"], "a": X["context"][:, :1]}, {"y": X["items"]}, X["mask"])


@pytest.fixture(scope="module")
def peer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfr")
    np.savez(folder / "given.npz", **X)
    done = subprocess.run(
        [sys.executable, SIDE, installed(), folder / "given.npz", folder / "answer.npz"],
        env={**os.environ, "TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    with np.load(folder / "answer.npz") as loaded:
        return {name: loaded[name] for name in loaded.files}


@pytest.mark.parametrize("circular", [True, False])
def test_lists_are_flattened_and_joined_alike(peer, circular):
    context, examples = ranking.FlattenList(circular)(FEATURES)
    np.testing.assert_array_equal(context["b"], peer[f"flat_b_{circular}"])
    np.testing.assert_array_equal(examples["y"], peer[f"flat_y_{circular}"])
    joined = ranking.ConcatFeatures(circular)(FEATURES)
    np.testing.assert_array_equal(joined, peer[f"concat_{circular}"])


@pytest.mark.parametrize("scatter", [True, False])
def test_lists_are_restored_alike(peer, scatter):
    got = ranking.RestoreList(by_scatter=scatter)((X["flat_scores"], X["mask"]))
    np.testing.assert_allclose(got, peer[f"restore_{scatter}"], rtol=1e-6)


def check(name, layer, inputs, peer, variables=lambda layer: layer.weights):
    """Compares outputs; `variables` gives the weights in TF-Ranking's order."""
    layer(inputs)
    weights = [peer[key] for key in sorted(peer) if key.startswith(f"{name}_w_")]
    for variable, value in zip(variables(layer), weights, strict=True):
        variable.assign(value)
    for i, part in enumerate(keras.tree.flatten(layer(inputs))):
        np.testing.assert_allclose(part, peer[f"{name}_{i}"], rtol=1e-5, atol=1e-5)


def test_attention(peer):
    layer = ranking.DocumentInteractionAttention(2, 6, num_layers=2)

    def variables(layer):
        pairs = zip(layer.attentions, layer.norms, strict=True)
        return layer.projection.weights + [w for pair in pairs for one in pair for w in one.weights]

    check("attention", layer, (X["items"], X["mask"]), peer, variables)


def test_additive_model(peer):
    layer = ranking.GAMLayer(2, [4], 1, [3], activation="relu")
    inputs = ([X["items"][:, 0], X["items"][:, 1]], [X["context"]])
    check("gam", layer, inputs, peer, lambda x: x.trainable_weights + x.non_trainable_weights)


def test_bilinear(peer):
    check("bilinear", ranking.Bilinear(3, 2), (X["items"][:, 0], X["items"][:, 1]), peer)


def test_tower(peer):
    tower = ranking.create_tower([5, 4], 2, "relu", input_batch_norm=True)
    check("tower", tower, X["items"], peer)
