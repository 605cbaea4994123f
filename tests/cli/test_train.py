from __future__ import annotations

import csv
import json
import pathlib
import re
import resource

import keras
import pytest
import tensorflow as tf

import recs
from recs.cli import configuration
from recs.experiments import RunFolder
from recs_cli import main
from recs_cli.errors import UsageError


@pytest.mark.slow
@pytest.mark.parametrize("id_type", ["string", "int64"])
def test_a_run_from_training_to_serving(config, tmp_path, capsys, id_type):
    runs = tmp_path / "runs"
    command = ["train", config(id_type), "--epochs", "3", "--runs", str(runs)]
    assert main([*command, "--model.embedding_dim", "5"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"^test: 10 users, 10 interactions; all 12 items ranked", shown, re.M)
    assert re.search(r"^model +0\.\d{4}", shown, re.M)
    assert re.search(r"^popularity +0\.\d{4}", shown, re.M)
    assert re.search(r"^    1\. Film \d+", shown, re.M)
    folder = runs / "small" / "1"
    assert str(folder) in shown
    names = ["config.yaml", "history.csv", "metrics.json", "model.keras", "saved_model"]
    assert sorted(p.name for p in folder.iterdir()) == [*names, "training_curves.png"]
    with (folder / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    figures = json.loads((folder / "metrics.json").read_text())["figures"]
    assert set(figures["model"]) == {"recall@2", "ndcg@2", "recall@5", "ndcg@5"}

    assert main(["evaluate", str(folder)]) == 0
    again = capsys.readouterr().out
    table = re.search(r"^test:.*(?:\n.+)*", shown, re.M).group()
    assert table in again

    assert main(["recommend", str(runs / "small"), "--user", "3", "-k", "2"]) == 0
    assert re.search(r"User 3 \(\d+ seen items left out\)\n +1\. +-?\d", capsys.readouterr().out)

    assert main(["export", str(folder), "--row-dtype", "float16"]) == 0
    assert capsys.readouterr().out.strip() == str(folder / "saved_model" / "2")
    served = tf.saved_model.load(str(folder / "saved_model" / "2")).signatures["serving_default"]
    answer = served(tf.constant([3] if id_type == "int64" else ["3"], id_type))
    assert answer["titles"].numpy()[0, 0].startswith(b"Film ")


@pytest.mark.slow
def test_two_runs_of_one_seed_are_alike_and_numbered(config, tmp_path):
    command = ["train", config(), "--runs", str(tmp_path), "--name", "x", "--epochs", "1"]
    for seed in ("1", "1", "2"):
        assert main([*command, "--seed", seed]) == 0
    read = [json.loads((tmp_path / "x" / n / "metrics.json").read_text()) for n in "123"]
    history = [(tmp_path / "x" / n / "history.csv").read_text() for n in "123"]
    assert read[0]["figures"] == read[1]["figures"]
    assert history[0] == history[1] != history[2]


def test_a_wrong_key_names_those_that_exist(config, capsys):
    assert main(["train", config(), "--epocs", "3"]) == 2
    error = capsys.readouterr().err
    assert "epocs" in error
    assert "The keys are: data, split, model, optimizer, evaluation, epochs," in error
    assert error.rstrip().endswith("Did you mean epochs?")


def test_a_wrong_key_in_the_file(config, capsys):
    assert main(["train", config(**{"epochs: 2": "epohcs: 2"})]) == 2
    error = capsys.readouterr().err
    assert "epohcs" in error
    assert "Did you mean epochs?" in error


@pytest.mark.parametrize("where", ["file", "command line"])
def test_a_wrong_argument_of_a_class_names_those_it_has(config, capsys, where):
    if where == "file":
        arguments = [config(**{"embedding_dim: 4": "embeding_dim: 4"})]
    else:
        arguments = [config(), "--model.embeding_dim", "4"]
    assert main(["train", *arguments]) == 2
    error = capsys.readouterr().err
    assert "embeding_dim" in error
    assert "recs.models.TwoTower takes: user, item, embedding_dim" in error
    assert "Did you mean embedding_dim?" in error


def test_a_value_of_the_wrong_kind(config, capsys):
    assert main(["train", config(), "--epochs", "many"]) == 2
    error = capsys.readouterr().err
    assert "epochs" in error
    assert "many" in error
    assert "Traceback" not in error


def test_a_value_that_a_class_refuses(config, capsys):
    assert main(["train", config(), "--epochs", "0"]) == 2
    assert "`epochs` must be a positive integer. Received: epochs=0" in capsys.readouterr().err


def test_a_class_that_does_not_exist(config, capsys):
    assert main(["train", config(**{"models.TwoTower": "models.TwoTowers"})]) == 2
    assert "TwoTowers" in capsys.readouterr().err


def test_a_missing_configuration_names_those_there_are(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "mine.yaml").write_text("")
    assert main(["train", "nope.yaml"]) == 2
    error = capsys.readouterr().err
    assert "CONFIG must be a YAML file. Received: nope.yaml, which does not exist." in error
    assert "configs/mine.yaml" in error
    assert main(["train", "--epochs", "1"]) == 2
    assert "needs CONFIG" in capsys.readouterr().err


def test_broken_yaml(tmp_path, capsys):
    path = tmp_path / "broken.yaml"
    path.write_text("epochs: [1, 2\nseed: {")
    assert main(["train", str(path)]) == 2
    assert "broken.yaml" in capsys.readouterr().err


def test_a_functional_model_adds_no_arguments_to_others(config, capsys):
    # With the first one, Keras changes what its class is made of.
    ids = keras.Input((1,))
    recs.Model(ids, keras.layers.Dense(1)(ids))
    assert main(["train", config(), "--epochs", "0"]) == 2
    assert "`epochs` must be a positive integer" in capsys.readouterr().err


def test_of_an_error_within_a_layer_its_message_is_printed(config, tmp_path, capsys):
    kinds = '[{"class_path": "recs.layers.negatives.Uniform", "init_args": {"number": 5}}]'
    command = ["train", config(), "--runs", str(tmp_path), f"--model.negatives={kinds}"]
    command += ["--model.item_features=[]", "--model.correct_sampling=true"]
    assert main(command) == 1
    shown = capsys.readouterr().err
    assert "recs: error: `candidate_sampling_probability` must be left to" in shown
    assert "\x1b" not in shown
    assert "Arguments received" not in shown


def test_a_missing_data_file_leaves_no_run_behind(config, tmp_path, capsys):
    path = config(**{"log.csv": "lag.csv"})
    assert main(["train", path, "--runs", str(tmp_path / "runs")]) == 1
    assert "lag.csv" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_missing_column_is_named(config, tmp_path, capsys):
    path = config(**{"user: who, item": "user: whom, item"})
    assert main(["train", path, "--runs", str(tmp_path / "runs")]) == 1
    error = capsys.readouterr().err
    assert "must be one of who, what, stars, at" in error
    assert "'whom'" in error


def test_an_empty_part_to_judge_by(config, tmp_path, capsys):
    arguments = ["--judge_on", "validation", "--runs", str(tmp_path)]
    assert main(["train", config(), *arguments]) == 1
    assert "must leave interactions for training and for validation" in capsys.readouterr().err


def test_help_lists_the_keys(capsys):
    assert main(["train", "--help"]) == 0
    shown = capsys.readouterr().out
    for text in ("usage: recs train CONFIG", "--epochs", "--judge_on", "--model", "batch_size"):
        assert text in shown


@pytest.mark.slow
def test_a_run_that_fails_in_training_leaves_no_folder(config, tmp_path, capsys):
    runs = tmp_path / "runs"
    path = config(**{"keras.optimizers.Adagrad": "keras.optimizers.Lamb"})
    assert main(["train", path, "--runs", str(runs)]) == 1
    assert "must be one with a row update" in capsys.readouterr().err
    assert list((runs / "small").iterdir()) == []


SCHEDULE = {
    "{learning_rate: 0.1}": (
        "{learning_rate: {class_path: keras.optimizers.schedules.CosineDecay, "
        "init_args: {initial_learning_rate: 0.1, decay_steps: 9}}}"
    )
}


def made(path, *overrides):
    """Returns the experiment of a configuration."""
    return configuration.experiment(configuration.parse(path, overrides))


def test_overrides_reach_nested_values(config):
    path = config(**SCHEDULE)
    key = "--optimizer.learning_rate.init_args.decay_steps"
    for override in ([key, "240"], [f"{key}=240"], ["--optimizer.learning_rate.decay_steps=240"]):
        schedule = made(path, *override).optimizer.get_config()["learning_rate"]["config"]
        assert schedule["decay_steps"] == 240
        assert schedule["initial_learning_rate"] == pytest.approx(0.1)
    experiment = made(path, "--evaluation.ks.1=7", "--optimizer.learning_rate", "1e-3")
    assert experiment.evaluation.ks == (2, 7)
    assert float(experiment.optimizer.learning_rate) == pytest.approx(1e-3)


def test_aliases_are_copies(tmp_path, config):
    text = pathlib.Path(config(**SCHEDULE)).read_text()
    text = text.replace("{n: 1}", "&n {n: 1}").replace("epochs: 2", "epochs: 2\nseed: 4", 1)
    text = text.replace("seed: 1\n", "", 1)
    (tmp_path / "alias.yaml").write_text(text.replace("{ks: [2, 5]", "{ks: [2, 5], <<: *n"))
    with pytest.raises(UsageError, match="has no key 'n'"):
        made(str(tmp_path / "alias.yaml"))


@pytest.mark.parametrize("name", ["adam", "Adam", "keras.optimizers.Adam"])
def test_an_optimizer_by_its_name(config, name):
    experiment = made(config(), "--optimizer", name, "--optimizer.learning_rate", "0.5")
    assert type(experiment.optimizer) is keras.optimizers.Adam
    assert float(experiment.optimizer.learning_rate) == 0.5


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("--optimizer=adamant", "The classes are: keras.optimizers.Adadelta"),
        ("--model=keras.optimizers.Adam", "must be a Model. Received: keras.optimizers.Adam"),
        ("--optimizer.learning_rate.decay_steps=2", "Received: optimizer.learning_rate=0.1"),
        ("--evaluation.ks.2=1", "a position from 0, at evaluation.ks. It is a list of 2"),
        ("--model.embedding_dim=big", "model.embedding_dim must be int. Received: 'big'"),
        ("--model.user=1", "model.user must be str"),
        ("--evaluation.ks=5", "evaluation.ks must be a list of int | null. Received: 5"),
        ("--judge_on=train", "judge_on must be test | validation. Received: 'train'"),
        ("--data.items=[1]", "data.items must be ItemsFile | null"),
        ("--epochs", "--epochs needs a value"),
        ("epochs", "--KEY VALUE must follow CONFIG"),
        ("--optimizer={class_name: Adam, config: {}}", "Received: the key class_name"),
        ("--optimizer.learning_rate=[1", "must be valid YAML"),
    ],
)
def test_what_is_wrong_with_an_override(config, override, says, capsys):
    assert main(["train", config(), override]) == 2
    assert says in capsys.readouterr().err


def test_the_dump_is_the_whole_configuration_and_is_read_again(config, tmp_path):
    tree = configuration.parse(config(), ["--optimizer", "adam", "--name", "007"])
    (tmp_path / "again.yaml").write_text(configuration.dump(tree))
    assert configuration.parse(str(tmp_path / "again.yaml"), []) == tree
    assert tree["name"] == "007"
    assert tree["model"]["init_args"]["normalize"] is False
    assert tree["data"]["init_args"]["items"]["class_path"] == "recs.experiments.ItemsFile"


def test_help_of_a_class(capsys):
    assert main(["train", "--model.help", "recs.models.TwoTower"]) == 0
    shown = capsys.readouterr().out
    assert "  embedding_dim" in shown
    assert "Args:" in shown


@pytest.mark.slow
def test_a_full_disk_leaves_no_half_run(config, tmp_path, capsys):
    command = ["train", config(), "--runs", str(tmp_path / "runs"), "--epochs", "1"]
    runs = tmp_path / "runs" / "small"
    assert main(command) == 0
    model = (runs / "1" / "model.keras").stat().st_size
    assert model < (runs / "1" / "saved_model" / "1" / "saved_model.pb").stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in (model // 2, model + 4096):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            assert main(command) == 1
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert (runs / "2").exists() == (limit > model)
    # The model was written whole, what comes after it was not.
    capsys.readouterr()
    assert main(["recommend", str(runs / "2"), "--user", "1"]) == 1
    assert "which is unfinished" in capsys.readouterr().err
    assert keras.saving.load_model(runs / "2" / "model.keras").name
    assert RunFolder.find(runs).path == runs / "1"
