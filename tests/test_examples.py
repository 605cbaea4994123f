"""The examples in docstrings, the README and the guides run and print what they say."""

from __future__ import annotations

import doctest
import importlib
import pathlib
import pkgutil

import keras
import numpy as np
import pytest
import tensorflow as tf

import recs
from tests.harness.tiers import slow_but

ROOT = pathlib.Path(__file__).parents[1]
MODULES = sorted(
    m.name for m in pkgutil.walk_packages(recs.__path__, "recs.") if "__main__" not in m.name
)
PAGES = [
    "admission_and_eviction",
    "checkpoints",
    "cold_ids",
    "embeddings",
    "from_tfrs",
    "inspection",
    "multi_domain",
    "meta_learning",
    "multi_task",
    "optimizers",
    "ranking_heads",
    "ranking_losses",
    "ranking_data",
    "records",
    "retrieval",
    "warm_start",
    "sequences",
]
GUIDES = [ROOT / "README.md", *(ROOT / "docs" / f"{page}.md" for page in PAGES)]
GLOBALS = {"recs": recs, "keras": keras, "np": np, "tf": tf}


class FencedParser(doctest.DocTestParser):
    """Reads examples inside Markdown fences: the closing fence is not part of the output."""

    def parse(self, string: str, name: str = "<string>") -> list:
        return super().parse(string.replace("```", "\n"), name)


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    finder = doctest.DocTestFinder(parser=FencedParser())
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in finder.find(importlib.import_module(name), extraglobs=GLOBALS):
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0


def python_blocks(path: pathlib.Path) -> list[str]:
    """Returns the Python of a guide; a block that begins with `# not run` is left out."""
    blocks = path.read_text().split("```python\n")[1:]
    code = [block.split("```")[0] for block in blocks]
    return [c for c in code if not c.startswith("# not run")]


RUN = {path.stem: path for path in GUIDES if python_blocks(path)}
# These train nothing, or little.
QUICK = {"README", "cold_ids", "inspection", "multi_task", "records", "warm_start"}


@pytest.mark.parametrize("name", slow_but(RUN, *QUICK))
def test_guides(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, scope = RUN[name], dict(GLOBALS)
    for block in python_blocks(path):
        if ">>>" in block:
            test = FencedParser().get_doctest(block, scope, path.name, str(path), 0)
            runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
            runner.run(test, clear_globs=False)
            assert runner.failures == 0
            scope.update(test.globs)  # for the blocks below
        else:
            exec(compile(block, path.name, "exec"), scope)
