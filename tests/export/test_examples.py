"""The examples of the guide run; those of docstrings do in `tests/test_examples.py`."""

from __future__ import annotations

import doctest
import pathlib


def test_the_guide_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    guide = pathlib.Path(__file__).parents[2] / "docs" / "serving.md"
    result = doctest.testfile(str(guide), module_relative=False)
    assert result.failed == 0
    assert result.attempted > 10
