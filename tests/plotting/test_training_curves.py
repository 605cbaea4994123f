from __future__ import annotations

import keras
import pytest

from recs.plotting import save_training_curves, training_curves


def test_training_and_validation_share_a_panel_with_labelled_axes():
    history = {"loss": [3.0, 2.0], "rmse": [1.0, 0.9], "val_loss": [3.1, 2.5], "val_rmse": [1, 1]}
    figure = training_curves(history, title="a run")
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "rmse"]
    assert all(axes.get_xlabel() == "epoch" for axes in figure.axes)
    lines = figure.axes[0].get_lines()
    assert [line.get_label() for line in lines] == ["training", "validation"]
    assert [line.get_ydata().tolist() for line in lines] == [[3.0, 2.0], [3.1, 2.5]]
    assert lines[0].get_xdata().tolist() == [1, 2]


def test_a_regularization_of_zero_is_left_out():
    history = {"loss": [1.0], "regularization_loss": [0.0], "total_loss": [1.0]}
    assert len(training_curves(history).axes) == 1
    history["regularization_loss"] = [0.1]
    assert len(training_curves(history).axes) == 3


def test_many_panels_fill_rows():
    assert len(training_curves({f"m{n}": [1.0] for n in range(5)}).axes) == 5


def test_an_empty_history_is_refused():
    with pytest.raises(ValueError, match="`history` must have a list of figures for each epoch"):
        training_curves({})


def test_a_picture_is_written(tmp_path):
    save_training_curves({"loss": [1.0, 0.5]}, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_history_a_dict_and_runs_are_taken():
    figures = {"loss": [3.0, 2.0], "val_loss": [3.1, 2.5]}
    history = keras.callbacks.History()
    history.history = figures
    assert len(training_curves(history).axes[0].get_lines()) == 2
    runs = training_curves({"small": history, "large": {"loss": [2.0, 1.0, 0.5]}})
    assert [axes.get_ylabel() for axes in runs.axes] == ["loss"]
    labels = [line.get_label() for line in runs.axes[0].get_lines()]
    assert labels == ["small, training", "small, validation", "large, training"]
    assert [len(line.get_ydata()) for line in runs.axes[0].get_lines()] == [2, 2, 3]


@pytest.mark.parametrize("wrong", [3.0, [1.0, 2.0], {"loss": 1.0}, {"a": {"loss": 2.0}}])
def test_anything_else_is_refused(wrong):
    with pytest.raises(TypeError, match=r"`history` must be what `model\.fit` returns"):
        training_curves(wrong)
