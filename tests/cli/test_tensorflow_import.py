from __future__ import annotations

import os

from recs_cli import tensorflow_import


def test_notices_are_dropped_and_everything_else_is_kept(capfd):
    with tensorflow_import._without_notices():
        os.write(2, b"I0000 00:00:1 cpu_feature_guard.cc:1] told\nE0000 an error\nplain\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "E0000 an error\nplain\nafter\n"


def test_output_comes_back_after_an_error(capfd):
    try:
        with tensorflow_import._without_notices():
            os.write(2, b"why\n")
            raise ImportError("no module")
    except ImportError:
        os.write(2, b"after\n")
    assert capfd.readouterr().err == "why\nafter\n"


def test_a_choice_of_the_user_stands(monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    tensorflow_import.import_recs()
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0"
