"""The builder of the op, with a stand-in for the compiler: what it is asked, and how often."""

from __future__ import annotations

import os
import pathlib
import stat
import subprocess
import sys

import pytest

from recs.ops import build

# Logs its arguments, takes a moment, and writes what it was asked for.
FAKE = """#!/bin/sh
if [ "$1" = --version ]; then echo "fake compiler $FAKE_VERSION"; exit 0; fi
echo "$@" >> "$FAKE_LOG"
if [ -n "$FAKE_FAILS" ]; then echo "engine.cc:1: error: no such thing as a table" >&2; exit 3; fi
sleep 0.05
while [ "$1" != -o ]; do shift; done
echo built > "$2"
"""


@pytest.fixture
def compiler(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    path = tmp_path / "bin" / "fake-c++"
    path.parent.mkdir()
    path.write_text(FAKE)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("CXX", str(path))
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("FAKE_VERSION", "1.0")
    monkeypatch.setenv("RECS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("FAKE_FAILS", raising=False)
    return path


def calls(tmp_path: pathlib.Path) -> list[str]:
    log = tmp_path / "log"
    return log.read_text().splitlines() if log.exists() else []


def test_all_sources_are_compiled_once_and_linked(compiler, tmp_path):
    library = build.build()
    assert library == build.library_path()
    assert library.is_relative_to(tmp_path / "cache")
    assert library.read_text() == "built\n"
    commands = calls(tmp_path)
    engine = [p for part in build.ENGINE_FOLDERS for p in (build.SOURCES / part).glob("*.cc")]
    for source in [build.SOURCES / build.BRIDGE, *engine]:
        assert sum(f"-c {source} " in command for command in commands) == 1, source
    assert len(commands) == len(engine) + 2
    assert commands[-1].startswith("-shared ")
    assert not any("-Werror" in command for command in commands)
    # The engine knows no TensorFlow, so it is compiled without its headers.
    for source in engine:
        command = next(c for c in commands if f"-c {source} " in c)
        assert "tensorflow" not in command.replace(str(build.SOURCES), "")
    assert sorted(p.name for p in library.parent.iterdir()) == [build.LIBRARY, "lock"]


def test_what_is_in_the_cache_is_not_built_again(compiler, tmp_path, capfd):
    build.build()
    assert "recs: building the op for TensorFlow" in capfd.readouterr().err
    before = len(calls(tmp_path))
    build.build()
    assert len(calls(tmp_path)) == before
    assert capfd.readouterr().err == ""
    build.build(force=True, warnings_as_errors=True)
    assert len(calls(tmp_path)) == 2 * before
    assert all("-Werror" in c for c in calls(tmp_path)[before:-1])


def test_the_place_in_the_cache_depends_on_what_goes_into_the_library(
    compiler, tmp_path, monkeypatch
):
    places = [build.library_path()]
    assert build.library_path() == places[0]
    monkeypatch.setenv("FAKE_VERSION", "1.1")
    places.append(build.library_path())
    monkeypatch.setattr(build, "_tensorflow_version", lambda: "99.0")
    places.append(build.library_path())
    assert "tf-99.0-" in str(places[-1])
    monkeypatch.setattr(build, "_tensorflow_flags", lambda: (["-DX"], []))
    places.append(build.library_path())
    monkeypatch.setattr(build, "ENGINE_FLAGS", ("-O0",))
    places.append(build.library_path())
    sources = tmp_path / "sources"
    (sources / "table").mkdir(parents=True)
    monkeypatch.setattr(build, "SOURCES", sources)
    for name, content in [("a.cc", "1"), ("a.cc", "2"), ("a.h", "2"), ("b.cc", "2")]:
        (sources / "table" / name).write_text(content)
        places.append(build.library_path())
    (sources / "table" / "b.cc").rename(sources / "table" / "c.cc")
    places.append(build.library_path())
    (sources / "table" / "notes.txt").write_text("no source")
    assert build.library_path() == places[-1]
    assert len(set(places)) == len(places)


def test_without_a_compiler_the_message_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(build.BuildError) as caught:
        build.build()
    assert str(caught.value) == (
        "A C++17 compiler must be there when the op is built. Received: none of g++, clang++, c++ "
        "on the PATH (in recs.ops.build). Install one (Debian, Ubuntu: `apt-get install g++`; "
        "Fedora: `dnf install gcc-c++`; conda: `conda install gxx`) or name it in the variable CXX."
    )
    monkeypatch.setenv("CXX", "/no/such/compiler")
    with pytest.raises(build.BuildError, match="none of /no/such/compiler on the PATH"):
        build.find_compiler()


def test_a_failing_compiler_is_quoted_and_leaves_nothing(compiler, tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_FAILS", "1")
    with pytest.raises(build.BuildError) as caught:
        build.build()
    message = str(caught.value)
    assert "The compiler must accept the op's sources. Received: exit code 3 of `" in message
    assert "engine.cc:1: error: no such thing as a table" in message
    assert "A C++17 compiler is needed" in message
    assert not build.library_path().exists()
    monkeypatch.delenv("FAKE_FAILS")
    assert build.build().exists()


def test_two_processes_that_ask_at_once_build_once(compiler, tmp_path):
    # Without TensorFlow, which takes longer to import than everything else.
    code = (
        "from recs.ops import build\n"
        "build._tensorflow_version = lambda: '0'\n"
        "build._tensorflow_flags = lambda: ([], [])\n"
        "print(build.build())\n"
    )
    root = pathlib.Path(__file__).parents[2]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root,
            env={**os.environ, "PYTHONPATH": str(root)},
        )
        for _ in range(3)
    ]  # fmt: skip
    outputs = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], outputs
    assert len({out for out, _ in outputs}) == 1
    assert sum("recs: built" in err for _, err in outputs) == 1
    assert sum(command.startswith("-shared") for command in calls(tmp_path)) == 1


def test_the_cache_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("RECS_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert build.cache_folder() == tmp_path / "recs"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert build.cache_folder() == pathlib.Path.home() / ".cache" / "recs"
    monkeypatch.setenv("RECS_CACHE_DIR", str(tmp_path / "here"))
    assert build.cache_folder() == tmp_path / "here"
