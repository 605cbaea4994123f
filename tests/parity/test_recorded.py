"""Recorded answers are those of the same question only."""

from __future__ import annotations

import numpy as np
import pytest

from tests.parity import recorded
from tests.parity.peer import Case


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Returns a function that asks for the answer to a case, and what was asked live."""
    monkeypatch.setattr(recorded, "ANSWERS", tmp_path)
    side, live = tmp_path / "side.py", []
    side.write_text("1")

    def ask(case, version="1", how=None):
        if how is None:
            monkeypatch.delenv("RECS_TESTS_PEERS", raising=False)
        else:
            monkeypatch.setenv("RECS_TESTS_PEERS", how)

        def peer():
            live.append(case)
            return {"case": {"x": np.array(len(live), "float32")}}

        question = recorded.digest({"case": case}, [side], version)
        return float(recorded.recorded("name", question, peer)["case"]["x"])

    return ask, live, side


def test_the_same_question_is_answered_from_the_file(asked):
    ask, live, _ = asked
    case = Case("kind", {"k": 1}, {"x": np.arange(3.0)})
    assert ask(case, how="record") == 1.0
    assert [ask(case), ask(case, how="live"), ask(case)] == [1.0, 2.0, 1.0]
    assert len(live) == 2


@pytest.mark.parametrize(
    ("case", "version"),
    [
        (Case("other", {"k": 1}, {"x": np.arange(3.0)}), "1"),
        (Case("kind", {"k": 2}, {"x": np.arange(3.0)}), "1"),
        (Case("kind", {"k": 1}, {"x": np.array([0.0, 1.0, 2.5])}), "1"),
        (Case("kind", {"k": 1}, {"x": np.arange(3.0, dtype="float32")}), "1"),
        (Case("kind", {"k": 1}, {"y": np.arange(3.0)}), "1"),
        (Case("kind", {"k": 1}, {"x": np.arange(3.0)}), "2"),
    ],
)
def test_another_question_is_asked(asked, case, version):
    ask, live, side = asked
    first = Case("kind", {"k": 1}, {"x": np.arange(3.0)})
    ask(first, how="record")
    assert ask(case, version) == 2.0
    side.write_text("2")
    assert ask(first) == 3.0
    assert len(live) == 3
