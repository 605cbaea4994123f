"""The builder of the op, with a stand-in for the compiler: what it is asked, and how often."""

from __future__ import annotations

import concurrent.futures
import os
import pathlib
import stat
import tempfile

import pytest

from recs.ops import build, op_cache
from tests.harness.new_process import run_code

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
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return path


@pytest.fixture
def quick(compiler: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """The same, of one source: for what is done with the library."""
    monkeypatch.setattr(build, "ENGINE_FOLDERS", ())
    return compiler


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
    (tmp_path / "units").mkdir()
    units = build.engine_units(engine, tmp_path / "units")
    written = "".join(u.read_text() for u in units if u.parent == tmp_path / "units")
    for source in engine:
        included = f'#include "{source.relative_to(build.SOURCES)}"\n'
        assert written.count(included) + units.count(source) == 1, source
        assert ("#pragma GCC target" in source.read_text()) == (source in units)
    compiled = [command for command in commands if " -c " in command]
    assert sum(f"-c {build.SOURCES / build.BRIDGE} " in command for command in compiled) == 1
    assert len(compiled) == len(units) + 1
    assert len(commands) == len(compiled) + 1
    assert commands[-1].startswith("-shared ")
    assert not any("-Werror" in command for command in commands)
    # The engine knows no TensorFlow, so it is compiled without its headers.
    for command in compiled:
        headers = "tensorflow" in command.replace(str(build.SOURCES), "").replace(build.BRIDGE, "")
        assert headers == (build.BRIDGE in command)
    assert sorted(p.name for p in library.parent.iterdir()) == [
        op_cache.MANIFEST,
        build.LIBRARY,
        "lock",
    ]


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
    # A library that is there needs no compiler, so the place does not depend on it.
    monkeypatch.setenv("FAKE_VERSION", "1.1")
    assert build.library_path() == places[0]
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
    monkeypatch.setenv("RECS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
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


@pytest.mark.slow
def test_two_processes_that_ask_at_once_build_once(compiler, tmp_path):
    # A compiler needs no TensorFlow here, so its runtime does not start.
    code = (
        "import sys; sys.stderr = sys.stdout\n"
        "from recs.ops import build\n"
        "build._tensorflow_version = lambda: '0'\n"
        "build._tensorflow_flags = lambda: ([], [])\n"
        "print(build.build())\n"
    )
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        outputs = [done.split() for done in pool.map(run_code, [code] * 3)]
    assert len({output[-1] for output in outputs}) == 1
    assert sum(" ".join(output).count("recs: built") for output in outputs) == 1
    assert sum(command.startswith("-shared") for command in calls(tmp_path)) == 1


def test_what_a_killed_build_left_is_removed_by_the_next(quick, tmp_path):
    library = build.library_path()
    left = library.parent / f"{build.SCRATCH}of_a_killed_process"
    left.mkdir(parents=True)
    (left / "0.o").write_text("half")
    assert build.build() == library
    assert not left.exists()


def test_the_cache_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("RECS_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert build.cache_folder() == tmp_path / "recs"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert build.cache_folder() == pathlib.Path.home() / ".cache" / "recs"
    monkeypatch.setenv("RECS_CACHE_DIR", str(tmp_path / "here"))
    assert build.cache_folder() == tmp_path / "here"


@pytest.mark.parametrize("damage", ["cut", "empty", "junk", "no manifest", "junk manifest", "[]"])
def test_a_damaged_library_is_built_again(quick, tmp_path, damage, capfd):
    library = build.build()
    manifest = library.parent / op_cache.MANIFEST
    before, commands = capfd.readouterr(), len(calls(tmp_path))
    assert "not loaded" not in before.err
    content = {"cut": b"bui", "empty": b"", "junk": b"tliub\n"}
    if damage in content:
        library.write_bytes(content[damage])
    elif damage == "no manifest":
        manifest.unlink()
    else:
        manifest.write_text(damage)
    assert build.build() == library
    assert f"recs: {library} is not loaded: its " in capfd.readouterr().err
    assert library.read_text() == "built\n"
    assert len(calls(tmp_path)) == 2 * commands
    build.build()
    assert len(calls(tmp_path)) == 2 * commands


def test_a_library_that_is_there_needs_no_compiler(quick, tmp_path, monkeypatch):
    library = build.build()
    quick.unlink()
    monkeypatch.delenv("CXX")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert build.build() == library
    library.write_bytes(b"")
    with pytest.raises(build.BuildError, match=r"A C\+\+17 compiler must be there"):
        build.build()


def test_a_cache_that_cannot_be_written_gives_way_to_a_private_folder(
    quick, tmp_path, monkeypatch, capfd
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RECS_CACHE_DIR", str(tmp_path / "file" / "cache"))
    library = build.build()
    private = tmp_path / "tmp" / f"recs-{os.geteuid()}"
    assert library.is_relative_to(private)
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    said = capfd.readouterr().err
    assert (
        f"{private} is used instead. Name a folder of your own in the variable RECS_CACHE" in said
    )
    commands = len(calls(tmp_path))
    assert build.build() == library
    assert len(calls(tmp_path)) == commands


def test_without_a_home_the_folder_is_temporary(quick, tmp_path, monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("RECS_CACHE_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(pathlib.Path, "home", homeless)
    assert build.build().is_relative_to(tmp_path / "tmp" / f"recs-{os.geteuid()}")


@pytest.mark.parametrize("place", ["cache", "folder", "library", "owner"])
def test_what_others_could_have_written_is_not_loaded(quick, tmp_path, monkeypatch, place, capfd):
    library = build.build()
    paths = {"cache": library.parents[1], "folder": library.parent, "library": library}
    if place == "owner":
        monkeypatch.setattr(op_cache, "_trusted_users", lambda: {os.geteuid() + 1})
    else:
        paths[place].chmod(0o777)
    again = build.build()
    said = capfd.readouterr().err
    assert f"{library} is not loaded: " in said
    assert ("belongs to user" if place == "owner" else "can be written by everyone") in said
    # A library that is replaced is one's own again; a folder that is not, is not used.
    assert (again == library) == (place == "library")
    assert not stat.S_IMODE(again.stat().st_mode) & stat.S_IWOTH


def test_a_temporary_folder_that_is_not_private_is_not_used(quick, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RECS_CACHE_DIR", str(tmp_path / "file" / "cache"))
    planted = tmp_path / "tmp" / f"recs-{os.geteuid()}"
    planted.mkdir()
    planted.chmod(0o755)
    library = build.build()
    assert not library.is_relative_to(planted)
    assert stat.S_IMODE(library.parents[1].stat().st_mode) == 0o700
