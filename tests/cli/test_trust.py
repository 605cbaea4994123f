"""A run folder and a configuration are data: nothing but allowed classes is made of them."""

from __future__ import annotations

import inspect
import json
import pathlib
import shutil
import sys
import zipfile

import keras
import pytest
import yaml

import recs
from recs.cli import allowed_classes, model_file
from recs.experiments import Experiment
from recs_cli import configuration_file, main


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """A module that leaves a file when it is imported, or when its function is called."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "hostile_module.py").write_text(
        f"import pathlib\npathlib.Path({str(tmp_path / 'witness')!r}).touch()\n"
        "class Thing:\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path / "modules")
    yield tmp_path / "witness"
    assert not (tmp_path / "witness").exists()
    assert "hostile_module" not in sys.modules


@pytest.fixture
def folder(config, tmp_path):
    """A run folder with the configuration and a small model of Keras's layers."""
    run = tmp_path / "run"
    run.mkdir()
    shutil.copy(config("int64"), run / "config.yaml")
    inputs = keras.Input((2,))
    keras.Model(inputs, keras.layers.Dense(1)(inputs)).save(run / "model.keras")
    return run


def popen(witness):
    return {"class_path": "subprocess.Popen", "init_args": {"args": ["touch", str(witness)]}}


PLACES = {
    "typed": ("optimizer",),
    "untyped": ("optimizer", "init_args", "learning_rate"),
    "list": ("model", "init_args", "item_features", 0),
    "typed list": ("evaluation", "init_args", "ks", 0),
    "described by keys": ("data", "init_args", "items"),
    "within keys": ("data", "init_args", "items", "genres"),
    "an argument of a class in an argument": ("model", "init_args", "loss"),
    "an argument that does not exist": ("model", "init_args", "nothing"),
    "top": ("epochs",),
}


def put(tree, place, value):
    *parents, last = place
    for part in parents:
        tree = tree[part]
    tree[last] = value


def payloads(witness):
    """Returns what makes objects or imports modules in other tools."""
    thing = {"class_path": "hostile_module.Thing"}
    return {
        "a class of another module": popen(witness),
        "a module with an effect": thing,
        "nested": {"class_path": "keras.optimizers.Adam", "init_args": {"learning_rate": thing}},
        "deep": {"a": [{"b": [popen(witness)]}]},
        "text": json.dumps(popen(witness)),
        "a dotted name": "hostile_module.Thing",
        "a module": "hostile_module",
        "Keras's form": {
            "module": "hostile_module",
            "class_name": "Thing",
            "config": {},
            "registered_name": None,
        },
        "further arguments": {**thing, "dict_kwargs": {"a": 1}},
        "another file": "other.yaml",
        "a path": {"__path__": "other.yaml", **thing},
        "a function": {"class_path": "os.system", "init_args": {"command": f"touch {witness}"}},
        "an attribute": {"class_path": "recs.experiments.run_folder.Path"},
    }


@pytest.mark.parametrize("place", PLACES.values(), ids=list(PLACES))
def test_nothing_foreign_is_made_from_any_place(hostile, folder, place, capsys):
    text = (folder / "config.yaml").read_text()
    (folder / "other.yaml").write_text(yaml.safe_dump(popen(hostile)))
    for payload in payloads(hostile).values():
        tree = yaml.safe_load(text)
        put(tree, place, payload)
        (folder / "config.yaml").write_text(yaml.safe_dump(tree))
        assert main(["evaluate", str(folder)]) in (1, 2)
        assert "recs: error:" in capsys.readouterr().err


@pytest.mark.parametrize(
    "override",
    [
        "--optimizer=hostile_module.Thing",
        "--optimizer.learning_rate={class_path: hostile_module.Thing}",
        "--optimizer.class_path=hostile_module.Thing",
        "--model.help=hostile_module.Thing",
        "--config=other.yaml",
    ],
)
def test_the_command_line_names_no_other_classes_either(hostile, config, override):
    assert main(["train", config(), override]) == 2


@pytest.mark.parametrize(
    "name",
    [
        "builtins.eval",
        "keras.Model",
        "keras.config.enable_unsafe_deserialization",
        "keras.layers.Lambda",
        "keras.layers.StringLookup",
        "keras.layers.TFSMLayer",
        "keras.layers.TextVectorization",
        "keras.saving.load_model",
        "keras.src.layers.core.lambda_layer.Lambda",
        "keras.utils.get_file",
        "os.system",
        "recs",
        "recs..models",
        "recs.cli.train.csv",
        "recs.data.movielens.load",
        "recs.experiments.Experiment",
        "recs.experiments.RunFolder",
        "recs.experiments.Source",
        "recs.export.DeltaFolder",
        "recs.models.TwoTower.from_config",
        "recs.models.two_tower.TwoTower",
        "../recs.models.TwoTower",
        7,
    ],
)
def test_names_that_are_not_allowed(config, name, capsys):
    path = pathlib.Path(config())
    tree = yaml.safe_load(path.read_text())
    tree["model"]["init_args"]["loss"] = {"class_path": name, "init_args": {}}
    path.write_text(yaml.safe_dump(tree))
    assert main(["train", str(path)]) == 2
    assert "class" in capsys.readouterr().err


def test_the_list_holds_classes_of_both_packages_that_run_no_code_of_a_file():
    known = allowed_classes.names()
    assert len(known) > 400
    for name, thing in known.items():
        assert thing.__module__.startswith(("recs.", "keras.")), name
        assert inspect.isclass(thing) or thing is recs.layers.ranking.create_tower, name
        bases = {base.__name__ for base in thing.__mro__} if inspect.isclass(thing) else set()
        assert not bases & {"Lambda", "TFSMLayer", "IndexLookup", "Callback"}, name


BOMBS = {
    "aliases": "\n".join(
        ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
        + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    ),
    "merges": "\n".join(
        ["a0: &a0 {k: v}"]
        + [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 9)]
    ),
    "a circle": "epochs: &a [*a]",
    "a circle of keys": "epochs: &a {b: *a}",
    "depth": "epochs: " + "[" * 60 + "]" * 60,
    "great depth": "epochs: " + "[" * 5000,
    "size": "epochs: '" + "x" * 1_000_000 + "'",
    "a tag": "epochs: !!python/object/apply:os.system ['true']",
    "a tag of a module": "epochs: !!python/module:hostile_module",
    "two documents": "epochs: 1\n---\nepochs: 2",
    "a key twice": "epochs: 1\nepochs: 2",
    "text": "just text",
    "a list": "[1, 2]",
    "nothing": "",
    "bytes": b"\xff\xfe\x00epochs",
    "a key that is a list": "? [a, b]\n: 1",
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=list(BOMBS))
def test_yaml_that_is_no_configuration(hostile, tmp_path, text, capsys):
    path = tmp_path / "bomb.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert main(["train", str(path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("recs: error:")
    assert len(error) < 2000


@pytest.mark.parametrize("name", ["config.yaml", "model.keras"])
@pytest.mark.parametrize("kind", ["link", "folder"])
def test_files_of_a_run_are_plain_files_in_it(folder, tmp_path, name, kind, capsys):
    if kind == "link":
        (folder / name).rename(tmp_path / "elsewhere")
        (folder / name).symlink_to(tmp_path / "elsewhere")
    else:
        (folder / name).unlink()
        (folder / name).mkdir()
    for command in (["export"], ["evaluate"], ["recommend", "--user", "1"]):
        assert main([command[0], str(folder), *command[1:]]) == 1
        assert f"`{name}` must be a plain file in the folder" in capsys.readouterr().err


def layer(name, module="keras.layers", **config):
    return {"class_name": name, "module": module, "registered_name": None, "config": config}


FOREIGN = {
    "Lambda": layer("Lambda", function={"class_name": "__lambda__", "config": {"value": "x"}}),
    "a layer of a SavedModel": layer("TFSMLayer", filepath="elsewhere"),
    "a class of a module": layer("Thing", "hostile_module"),
    "a registered name of another": {**layer("Thing", None), "registered_name": "pkg>Thing"},
    "a function": {"class_name": "function", "config": "system", "module": "os"},
    "a function of Keras's tools": {
        "class_name": "function",
        "config": "get_file",
        "module": "keras.utils",
        "registered_name": "get_file",
    },
    "Python's code": {"class_name": "__lambda__", "config": {"value": "x"}},
    "a type": {"class_name": "__typespec__", "spec_name": "Thing", "module": "hostile_module"},
    "a name that is a number": {"class_name": 5, "config": {}},
    "depth": json.loads("[" * 300 + "]" * 300),
}


@pytest.mark.parametrize("part", FOREIGN.values(), ids=list(FOREIGN))
def test_a_model_file_names_allowed_classes_only(hostile, folder, part, capsys):
    rewrite(folder / "model.keras", lambda description: description["config"].update(extra=[part]))
    assert main(["export", str(folder)]) == 1
    assert "`model.keras` must be a model that names classes" in capsys.readouterr().err


def rewrite(path, change):
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    description = json.loads(entries["config.json"])
    change(description)
    entries["config.json"] = json.dumps(description).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)


@pytest.mark.parametrize("data", [b"", b"PK", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_a_model_file_of_another_kind(folder, data, capsys):
    (folder / "model.keras").write_bytes(data)
    assert main(["export", str(folder)]) == 1
    assert "damaged or of another kind" in capsys.readouterr().err


def test_a_vocabulary_is_no_file_of_the_machine(folder, tmp_path, capsys):
    (tmp_path / "secret").write_text("a\nb\n")
    part = layer("StringLookup", vocabulary=str(tmp_path / "secret"))
    rewrite(folder / "model.keras", lambda d: d["config"]["layers"].append(part))
    assert main(["export", str(folder)]) == 1


def test_models_of_every_kind_pass(folder):
    loaded = model_file.load_model(folder / "model.keras")
    assert isinstance(loaded, keras.Model)


@pytest.mark.slow
def test_classes_of_ones_own_are_made_where_the_user_names_their_module(
    config, tmp_path, monkeypatch, capsys
):
    (tmp_path / "models_of_ours.py").write_text(
        "import subprocess, keras, recs\n"
        "@keras.saving.register_keras_serializable('ours')\n"
        "class Ours(recs.models.TwoTower):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    path = config("int64", **{"recs.models.TwoTower": "models_of_ours.Ours"})
    command = ["train", path, "--runs", str(tmp_path / "runs"), "--epochs", "1"]
    assert main(command) == 2
    assert "--allow-module models_of_ours" in capsys.readouterr().err
    assert "models_of_ours" not in sys.modules
    allowed = ["--allow-module", "models_of_ours"]
    assert main([*command, *allowed]) == 0
    run = str(tmp_path / "runs" / "small")
    assert main(["export", run]) == 1
    assert main(["evaluate", run]) == 2
    assert main(["export", run, *allowed]) == 0
    assert main(["recommend", run, "--user", "1", *allowed]) == 0
    # What the module has imported is not its own.
    capsys.readouterr()
    for name in ("models_of_ours.subprocess.Popen", "models_of_ours.keras", "models_of_ours"):
        assert main([*command, *allowed, f"--model.loss={{class_path: {name}}}"]) == 2


def test_the_keys_are_those_of_an_experiment():
    keys = list(inspect.signature(Experiment).parameters)
    assert set(configuration_file.KEYS) == {*keys, "name", "runs"}
