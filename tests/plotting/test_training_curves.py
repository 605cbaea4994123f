from __future__ import annotations

import subprocess
import sys

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


def test_matplotlib_is_imported_only_to_plot():
    code = "import sys, recs.plotting; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
