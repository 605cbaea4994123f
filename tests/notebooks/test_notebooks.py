"""Every notebook runs from top to bottom, and is committed without outputs.

The default run executes the cells of the quick notebooks in this process, with one epoch per
training; `pytest -m slow` executes every notebook as it is, in a kernel of its own.
"""

from __future__ import annotations

import pathlib
import re

import matplotlib.pyplot as plt
import nbclient
import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell

NOTEBOOKS = sorted((pathlib.Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))

# Many models are compiled in these: one epoch takes nearly as long as all.
LONG = {
    "01_two_tower_movielens",
    "02_retrieval_recipes",
    "03_sequences",
    "04_listwise_ranking",
    "06_multi_task_and_domains",
    "07_meta_learning",
}
QUICK = [path for path in NOTEBOOKS if path.stem not in LONG]


def code_cells(path: pathlib.Path) -> list[str]:
    cells = nbformat.read(path, as_version=4).cells
    return [cell.source for cell in cells if cell.cell_type == "code"]


def with_one_epoch(source: str) -> str:
    """Returns the code of a cell with every literal number of epochs set to one."""
    return re.sub(r"\bepochs=\d+", "epochs=1", source)


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_committed_without_outputs(path):
    cells = nbformat.read(path, as_version=4).cells
    assert all(not c.outputs and c.execution_count is None for c in cells if c.cell_type == "code")


@pytest.mark.parametrize("path", QUICK, ids=lambda p: p.stem)
def test_cells_run_with_one_epoch(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plt, "show", lambda: None)
    plt.close("all")
    shell = InteractiveShell()
    for source in code_cells(path):
        shell.run_cell(with_one_epoch(source)).raise_error()
    assert plt.get_fignums()
    plt.close("all")


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_runs_in_a_kernel(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": tmp_path}}
    nbclient.NotebookClient(notebook, timeout=600, resources=resources).execute()
    outputs = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs]
    assert any("image/png" in o.get("data", {}) for o in outputs)
