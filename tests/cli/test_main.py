from __future__ import annotations

import os
import subprocess
import sys

import pytest

from recs.version import __version__
from recs_cli import main


def run(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "recs_cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"},
    )
    return done.returncode, done.stdout, done.stderr


def test_version_and_help_do_not_import_tensorflow():
    code = (
        "import sys; from recs_cli import main; main(['--version']); main(['--help'])\n"
        "print([m for m in ('tensorflow', 'keras', 'recs', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == f"recs {__version__}"
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_names_every_command(capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for command in ("train", "evaluate", "recommend", "export", "build-op"):
        assert f"  {command} " in shown


@pytest.mark.parametrize("command", ["evaluate", "recommend", "export", "build-op"])
def test_each_command_has_help(command, capsys):
    assert main([command, "--help"]) == 0
    assert f"usage: recs {command}" in capsys.readouterr().out


def test_no_or_an_unknown_command_is_a_usage_error(capsys):
    assert main([]) == 2
    assert main(["trian"]) == 2
    assert "invalid choice: 'trian'" in capsys.readouterr().err


def test_a_run_that_is_not_there(tmp_path, capsys):
    assert main(["evaluate", str(tmp_path / "none")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("recs: error: RUN must be the folder of a finished run")
    assert "which does not exist" in error
    assert "Traceback" not in error


def test_debug_shows_the_traceback(tmp_path, capsys):
    assert main(["evaluate", str(tmp_path), "--debug"]) == 1
    error = capsys.readouterr().err
    assert "Traceback" in error
    assert "--debug shows" not in error


def test_ctrl_c_is_130(monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["recs_cli.main"], "_run", interrupted)
    assert main(["train"]) == 130
    assert capsys.readouterr().err == "recs: interrupted\n"


def test_build_op_prints_the_library(capsys):
    assert main(["build-op"]) == 0
    assert capsys.readouterr().out.strip().endswith(".so")


@pytest.mark.slow
def test_tensorflow_tells_nothing_at_start():
    code, out, error = run("build-op")
    assert code == 0
    assert out.count("\n") == 1
    assert error == ""
