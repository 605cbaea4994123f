"""Rules that the code keeps by itself nowhere else: imports, sizes, a quiet and cheap import."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys
import tomllib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PYTHON = sorted(p for d in ("recs", "tests", "benchmarks") for p in (ROOT / d).rglob("*.py"))
CPP = sorted(p for p in (ROOT / "recs").rglob("*") if p.suffix in {".h", ".cc"})


def relative(path: pathlib.Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", PYTHON + CPP, ids=relative)
def test_files_stay_short(path):
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("path", PYTHON, ids=relative)
def test_no_private_packages(path):
    private = re.compile(r"^\s*(from|import) (tensorflow\.python|keras\.src)", re.MULTILINE)
    assert not private.search(path.read_text())


def test_no_catch_all_modules():
    assert not [p for p in PYTHON if p.stem in {"utils", "helpers", "misc", "common"}]


def test_the_engine_knows_no_tensorflow():
    engine = [p for p in CPP if p.parent.name in {"table", "optimizers"}]
    assert engine
    assert not [p for p in engine if re.search(r'#include ["<](tensorflow|absl)/', p.read_text())]


def test_import_is_quiet_and_cheap():
    code = "import sys, recs; print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"
    assert done.stderr == ""


def test_all_public_names_can_be_imported():
    import recs

    for name in recs.__all__:
        assert getattr(recs, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        recs.nothing  # noqa: B018


def test_one_version():
    import recs

    assert recs.__version__ in (ROOT / "CHANGELOG.md").read_text()
    assert "version" not in tomllib.loads((ROOT / "pyproject.toml").read_text()).get("project", {})
