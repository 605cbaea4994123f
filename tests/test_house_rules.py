"""Rules that the code keeps by itself nowhere else: imports, sizes, a quiet and cheap import."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).parents[1]
PYTHON = sorted(
    p for d in ("recs", "recs_cli", "tests", "benchmarks") for p in (ROOT / d).rglob("*.py")
)
CPP = sorted(p for p in (ROOT / "recs").rglob("*") if p.suffix in {".h", ".cc"})


def relative(path: pathlib.Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_files_stay_short():
    assert not [relative(p) for p in PYTHON + CPP if len(p.read_text().splitlines()) > 400]


def test_no_private_packages():
    private = re.compile(r"^\s*(from|import) (tensorflow\.python|keras\.src)", re.MULTILINE)
    assert not [relative(path) for path in PYTHON if private.search(path.read_text())]


def test_no_catch_all_modules():
    assert not [p for p in PYTHON if p.stem in {"utils", "helpers", "misc", "common"}]


def test_the_engine_knows_no_tensorflow():
    engine = [p for p in CPP if p.parent.name in {"table", "optimizers"}]
    assert engine
    assert not [p for p in engine if re.search(r'#include ["<](tensorflow|absl)/', p.read_text())]


def test_one_import_brings_every_public_name_and_changes_no_environment():
    # Every module with a class that Keras has to know by name is among those imported.
    registering = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in PYTHON
        if path.is_relative_to(ROOT / "recs") and "register_keras_serializable(" in path.read_text()
    ]
    assert len(registering) > 100
    code = f"""
import os, sys, types
import tensorflow, keras
before = dict(os.environ)
import recs
assert dict(os.environ) == before
assert not [name for name in {registering!r} if name not in sys.modules]
packages = [recs]
while packages:
    package = packages.pop()
    for name in getattr(package, "__all__", ()):
        value = vars(package)[name]
        if isinstance(value, types.ModuleType):
            packages.append(value)
recs.experiments.Experiment, recs.data.ranking.RankingLists
assert "recs.cli" not in sys.modules
"""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr


def test_the_command_line_imports_the_package_only_to_run_a_command():
    allowed = {"recs_cli", "yaml", *sys.stdlib_module_names}
    for path in (ROOT / "recs_cli").glob("*.py"):
        imported = re.findall(r"^(?:from|import) (\w+)", path.read_text(), re.MULTILINE)
        assert set(imported) <= allowed, path


def test_one_version():
    import recs

    assert recs.__version__ in (ROOT / "CHANGELOG.md").read_text()
    assert "version" not in tomllib.loads((ROOT / "pyproject.toml").read_text()).get("project", {})
