"""The examples of docstrings and of the guide run."""

from __future__ import annotations

import doctest
import importlib
import pathlib

import pytest

import recs
import recs.export
import recs.layers  # examples say `recs.layers`


@pytest.mark.parametrize("name", recs.export.__all__)
def test_the_example_in_the_docstring_runs(name):
    module = importlib.import_module(f"recs.export.{name}")
    result = doctest.testmod(module, extraglobs={"recs": recs})
    assert result.failed == 0
    assert result.attempted > 5


def test_the_guide_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    guide = pathlib.Path(__file__).parents[2] / "docs" / "serving.md"
    result = doctest.testfile(str(guide), module_relative=False)
    assert result.failed == 0
    assert result.attempted > 10
