"""Every public name of TFRS is here, with its arguments and defaults, or left out with a reason."""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import os
import pathlib
import subprocess
import sys

import pytest

import recs
from tests.parity.peer import HERE

GUIDE = pathlib.Path(recs.__file__).parents[1] / "docs" / "from_tfrs.md"

# The guide says the same, under the same names.
OMITTED = {
    "layers.embedding.TPUEmbedding": "for TPUs",
    "experimental.layers.embedding.PartialTPUEmbedding": "for TPUs",
    "layers.feature_multiplexing.UnifiedEmbedding": "tables grow with their features",
    "layers.feature_multiplexing.UnifiedEmbeddingConfig": "tables grow with their features",
}
# Members that only Keras 2 knows, or that Keras 3 calls with other arguments.
KERAS_2 = {
    ("CompositeOptimizer", "weights"): "`variables`",
    ("CompositeOptimizer", "variables"): "a property in Keras 3",
    ("CompositeOptimizer", "apply_gradients"): "without `name`, `experimental_aggregate_gradients`",
    ("ClippyAdagrad", "build"): "takes `variables`",
    ("ClippyAdagrad", "update_step"): "takes `gradient`, and the learning rate too",
    ("Cross", "build"): "takes `x0_shape`",
    ("Model", "compute_loss"): "is there to be overridden, with TFRS's arguments",
    ("Model", "train_step"): "takes `data`",
    ("Model", "test_step"): "takes `data`",
    ("Ranking", "train_step"): "takes `data`",
    ("Ranking", "test_step"): "takes `data`",
}


@functools.cache
def names_of_tfrs() -> dict[str, dict]:
    done = subprocess.run(
        [sys.executable, str(HERE / "tfrs_names_side.py")],
        env={**os.environ, "TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def found(path: str):
    """Returns the attribute of `recs.compat.tfrs` at a path; of what is left out, the error."""
    try:
        return functools.reduce(getattr, path.split("."), recs.compat.tfrs)
    except NotImplementedError as error:
        return error


def own_parameters(function, skip: int) -> list[list]:
    parameters = list(inspect.signature(function).parameters.values())[skip:]
    return [
        [one.name, None if one.default is one.empty else repr(one.default)]
        for one in parameters
        if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    ]


def begins_alike(ours: list[list], theirs: list[list]) -> bool:
    """Returns whether arguments have TFRS's names in its order, and its defaults where plain."""
    pairs = zip(ours, theirs, strict=False)
    return len(ours) >= len(theirs) and all(
        name == their_name and (default is None or default == mine)
        for (name, mine), (their_name, default) in pairs
    )


def test_every_name_is_here_or_left_out_with_a_reason():
    theirs = names_of_tfrs()
    assert len(theirs) > 25
    left_out = {path for path in theirs if isinstance(found(path), NotImplementedError)}
    assert left_out == {path for path in OMITTED if "multiplexing" not in path}


@pytest.mark.parametrize("path", OMITTED)
def test_what_is_left_out_says_what_to_use(path):
    error = found(path)
    assert isinstance(error, NotImplementedError)
    assert "EmbeddingCollection" in str(error)


# Modules that users of TFRS import by their paths, each with a name of it.
MODULES = {
    "examples.movielens": "sample_listwise",
    "experimental.models.ranking": "Ranking",
    "experimental.optimizers.clippy_adagrad": "shrink_by_references",
    "experimental.optimizers.composite_optimizer": "CompositeOptimizer",
    "layers.feature_interaction.dcn": "Cross",
    "layers.feature_interaction.dot_interaction": "DotInteraction",
    "layers.feature_interaction.multi_layer_dcn": "MultiLayerDCN",
    "layers.loss": "MIN_FLOAT",
    "metrics.factorized_top_k": "FactorizedTopK",
    "models.base": "Model",
    "tasks.base": "Task",
    "tasks.ranking": "Ranking",
    "tasks.retrieval": "Retrieval",
}


@pytest.mark.parametrize("path", MODULES)
def test_modules_can_be_imported_by_their_paths(path):
    module = importlib.import_module(f"recs.compat.tfrs.{path}")
    assert MODULES[path] in module.__all__
    assert hasattr(module, MODULES[path])


def test_constants_and_classes_are_the_ones_of_recs():
    loss = recs.compat.tfrs.layers.loss
    assert pytest.approx(-3.4028235e36, rel=1e-6) == loss.MIN_FLOAT
    assert loss.MAX_FLOAT == -loss.MIN_FLOAT
    assert recs.compat.tfrs.Model is recs.Model
    assert recs.compat.tfrs.tasks.Retrieval is recs.tasks.Retrieval


def test_arguments_and_defaults_are_the_same():
    different = []
    for path, members in names_of_tfrs().items():
        for name, theirs in members.items():
            short = path.rpartition(".")[2]
            if path in OMITTED or (short, name) in KERAS_2:
                continue
            thing = found(path)
            if name == "__call__":
                # A function: its first argument was left out there.
                same = begins_alike(own_parameters(thing, 1), theirs[1:])
            elif theirs is None:
                same = hasattr(thing, name)
            else:
                member = getattr(thing, name, None)
                same = member is not None and begins_alike(own_parameters(member, 1), theirs)
            if not same:
                different.append((path, name, theirs))
    assert not different


@pytest.mark.parametrize("path", OMITTED)
def test_the_guide_names_what_is_left_out(path):
    assert path.rpartition(".")[2] in GUIDE.read_text()


@pytest.mark.slow
def test_every_part_can_be_reached_from_the_top_alone():
    """In a new process, where nothing was imported on the way."""
    paths = [path for path in names_of_tfrs() if path not in OMITTED]
    code = "import recs\nimport functools\ntfrs = recs.compat.tfrs\n"
    code += f"for p in {paths}: functools.reduce(getattr, p.split('.'), tfrs)"
    for each in ("layers.dcn.Cross", "metrics.FactorizedTopK", "experimental.models.Ranking"):
        assert each in paths
    subprocess.run([sys.executable, "-c", code], check=True)
