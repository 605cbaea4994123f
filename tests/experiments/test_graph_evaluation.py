from __future__ import annotations

import keras
import numpy as np
import pytest

from recs.data import Interactions
from recs.experiments import AsGiven, Experiment, GraphEvaluation, UserItemLists
from recs.models import LightGCN
from tests.experiments.user_item_files import write


def experiment(folder, split=None, **arguments):
    return Experiment(
        data=UserItemLists(str(folder)),
        split=split or AsGiven(),
        model=LightGCN(embedding_dim=8, num_layers=1, id_dtype="int64", seed=1),
        optimizer=keras.optimizers.Adam(0.02),
        evaluation=GraphEvaluation(ks=[5, 20]),
        batch_size=16,
        **arguments,
    )


def test_the_parts_are_those_of_the_files(tmp_path):
    data = UserItemLists(str(write(tmp_path))).load()
    parts = AsGiven().split(data)
    for part, name in ((parts.train, "train"), (parts.validation, "valid"), (parts.test, "test")):
        lines = [line.split() for line in (tmp_path / f"{name}.txt").read_text().splitlines()]
        expected = [(int(line[0]), int(item)) for line in lines for item in line[1:]]
        assert list(zip(part.user.tolist(), part.item.tolist(), strict=True)) == expected
        assert part.keys() == ["user_id", "item_id"]
    both = AsGiven(train_on_validation=True).split(data)
    assert len(both.train) == len(parts.train) + len(parts.validation)
    assert len(both.validation) == 0
    assert both.test.item.tolist() == parts.test.item.tolist()


def test_without_a_validation_file(tmp_path):
    write(tmp_path)
    (tmp_path / "valid.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"valid\.txt"):
        UserItemLists(str(tmp_path)).load()
    data = UserItemLists(str(tmp_path), validation=None).load()
    assert set(data["part"].tolist()) == {"train", "test"}
    with pytest.raises(FileNotFoundError, match=r"--data\.folder"):
        UserItemLists(str(tmp_path / "other")).load()


def test_places_in_the_lines_are_times(tmp_path):
    (tmp_path / "train.txt").write_text("1 5 6 7 8\n2 9\n1 4\n")
    (tmp_path / "test.txt").write_text("2 8 7\n")
    data = UserItemLists(str(tmp_path), validation=None, in_order=True).load()
    expected = [0.1, 0.3, 0.5, 0.7, 0.5, 0.9, 0.25, 0.75]
    np.testing.assert_allclose(data.timestamp, 1e6 * np.array(expected), atol=1)


def test_the_latest_of_each_user_can_validate():
    log = Interactions(
        {
            "user": [1, 1, 1, 1, 2, 1, 1],
            "item": [10, 11, 12, 13, 20, 14, 15],
            "timestamp": [3, 9, 1, 7, 5, 2, 99],
            "part": ["train"] * 5 + ["validation", "test"],
        }
    )
    parts = AsGiven(last=0.5).split(log)
    assert parts.validation.item.tolist() == [11, 13, 20]
    assert parts.train.item.tolist() == [10, 12, 14]
    assert parts.test.item.tolist() == [15]
    with pytest.raises(ValueError, match="timestamp"):
        AsGiven(last=0.5).split(Interactions({"user": [1], "item": [1], "part": ["train"]}))
    with pytest.raises(ValueError, match="last=1"):
        AsGiven(last=1.0)


def test_a_part_of_another_name_is_refused():
    log = Interactions({"user": [1, 2], "item": [1, 2], "part": ["train", "dev"]})
    with pytest.raises(ValueError, match="'dev'"):
        AsGiven().split(log)


@pytest.mark.slow
def test_it_learns_what_users_take(tmp_path):
    made = experiment(write(tmp_path), epochs=6, judge_on="validation")
    trained = made.train(verbose=0)
    assert len(trained.history["val_loss"]) == 6
    figures = made.judge(trained.model, trained.parts).figures
    # A user takes 6 to 9 of 10 items of one kind, so the held-out one is among few: what is
    # found by kind alone is one in 5 at the worst.
    assert figures["model"]["recall@5"] > 0.8
    assert figures["model"]["recall@5"] > 1.5 * figures["popularity"]["recall@5"]


def test_validation_items_are_no_part_of_the_graph(tmp_path):
    made = experiment(write(tmp_path), epochs=1)
    trained = made.train(verbose=0)
    graph = trained.model._graph
    train = trained.parts.train
    np.testing.assert_array_equal(graph.items, np.unique(train.item))
    np.testing.assert_allclose(
        graph.log_counts, np.log(np.unique(train.item, return_counts=True)[1]), rtol=1e-6
    )
