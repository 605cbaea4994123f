from __future__ import annotations

import pytest

from recs_cli import main

pytestmark = pytest.mark.slow


@pytest.fixture
def run(config, tmp_path):
    command = ["train", config("int64"), "--runs", str(tmp_path / "runs"), "--epochs", "1"]
    assert main(command) == 0
    return str(tmp_path / "runs" / "small" / "1")


SEQUENTIAL = {
    "class_path: recs.models.TwoTower": "class_path: recs.models.SequentialRetrieval",
    "{user: who, item: what, embedding_dim: 4, id_dtype: int64, item_features: [kind]}": (
        "{encoder: {class_path: recs.layers.sequence.GRU4Rec, init_args: {max_length: 3}}, "
        "item: what, embedding_dim: 4, id_dtype: int64}"
    ),
    "RetrievalEvaluation": "SequentialEvaluation",
}


def test_a_model_of_sequences_is_asked_with_the_users_history(config, tmp_path, capsys):
    path = config("int64", **SEQUENTIAL)
    assert main(["train", path, "--runs", str(tmp_path / "runs"), "--epochs", "1"]) == 0
    run = str(tmp_path / "runs" / "small" / "1")
    capsys.readouterr()
    assert main(["recommend", run, "--user", "1", "-k", "100"]) == 0
    shown = capsys.readouterr().out
    assert "seen items left out" in shown
    assert 0 < shown.count("Film ") < 12
    assert main(["evaluate", run]) == 0
    assert "popularity" in capsys.readouterr().out
    assert main(["export", run]) == 0


def test_users_and_what_they_may_look_like(run, capsys):
    capsys.readouterr()
    assert main(["recommend", run, "--user", "1", "--user", "99"]) == 2
    captured = capsys.readouterr()
    assert "Received: 99. Ids look like 0, 1, 2, 3, 4." in captured.err
    assert "User 1" not in captured.out  # nothing before all are known
    assert main(["recommend", run, "--user", "ann"]) == 2
    assert "--user must be a whole number" in capsys.readouterr().err
    assert main(["recommend", run, "--user", "1", "-k", "0"]) == 2
    assert "argument -k: must be a positive integer" in capsys.readouterr().err

    assert main(["recommend", run, "--user", "1", "-k", "100"]) == 0
    without = capsys.readouterr().out
    assert main(["recommend", run, "--user", "1", "-k", "100", "--include-seen"]) == 0
    everything = capsys.readouterr().out
    assert everything.count("Film ") == 12
    assert 0 < without.count("Film ") < 12


def test_more_items_than_there_are(run, capsys):
    capsys.readouterr()
    assert main(["recommend", run, "--user", "1", "-k", "5000"]) == 0
    shown = capsys.readouterr().out
    left = shown.count("Film ")
    assert f"{left} items are left of 12, fewer than -k 5,000" in shown


def test_a_new_user_gets_what_most_like_where_the_model_has_an_item_bias(config, tmp_path, capsys):
    of_items = {
        "embedding_dim: 4, id_dtype: int64, item_features: [kind]": "embedding_dim: 4, "
        "id_dtype: int64, item_features: [kind], item_bias: true"
    }
    path = config("int64", **of_items)
    assert main(["train", path, "--runs", str(tmp_path / "runs"), "--epochs", "1"]) == 0
    capsys.readouterr()
    run = str(tmp_path / "runs" / "small" / "1")
    assert main(["recommend", run, "--user", "99", "--user", "77", "-k", "3"]) == 0
    shown = capsys.readouterr().out
    assert "User 99 (not in the data: what most like)" in shown
    first, second = (part.splitlines()[1:4] for part in shown.split("\nUser ")[1:])
    assert [line for line in first if "Film " in line] == first == second
