"""The examples of the guide on data run; those of docstrings do in `tests/test_examples.py`."""

import doctest
import importlib
import inspect
import pathlib

import recs.data


def test_every_public_name_has_an_example():
    for name in recs.data.__all__:
        thing = getattr(recs.data, name)
        if not inspect.ismodule(thing):
            assert ">>>" in thing.__doc__, name


def test_the_examples_in_the_guide_run(movielens_dir, monkeypatch):
    prepare = importlib.import_module("recs.data.movielens.prepare")
    builder = prepare._builder
    monkeypatch.setattr(prepare, "_builder", lambda v, t, _: builder(v, t, movielens_dir))
    guide = pathlib.Path(__file__).parents[2] / "docs" / "data.md"
    result = doctest.testfile(str(guide), module_relative=False, encoding="utf-8")
    assert result.attempted > 10
    assert result.failed == 0
