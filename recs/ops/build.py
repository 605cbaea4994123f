"""Builds the compiled op against the TensorFlow that is installed, once, into a cache.

A wheel built elsewhere fits one TensorFlow release; the sources travel with the package instead
and are compiled in seconds on first use. The cache is keyed by TensorFlow's version and flags, the
compiler and the sources, so upgrading any of them builds anew. Several processes may ask at once:
one builds, the others wait.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from recs.errors import explain

SOURCES = pathlib.Path(__file__).parent / "cc"
BRIDGE = "tensorflow_bridge.cc"
# Of what knows no TensorFlow.
ENGINE_FOLDERS = ("optimizers", "scores", "table")
LIBRARY = "librecs_ops.so"

# -ffp-contract=off: the same bits on machines with and without fused multiply-add.
# -fno-math-errno: lets the compiler use vector square roots.
ENGINE_FLAGS = ("-O3", "-fPIC", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math")
BRIDGE_FLAGS = ("-O2", "-fPIC", "-ffp-contract=off")
WARNINGS = ("-Wall", "-Wextra", "-Werror")


class BuildError(RuntimeError):
    """The compiled op could not be built; the message says why and what to do."""


def cache_folder() -> pathlib.Path:
    """Returns the folder of built libraries: `$RECS_CACHE_DIR`, or `recs` in the user's cache."""
    named = os.environ.get("RECS_CACHE_DIR")
    if named:
        return pathlib.Path(named)
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "recs"


def find_compiler() -> str:
    """Returns the C++ compiler: `$CXX`, else the first of g++, clang++ and c++ that is there.

    Raises:
        BuildError: no compiler was found.
    """
    candidates = [os.environ["CXX"]] if os.environ.get("CXX") else ["g++", "clang++", "c++"]
    for name in candidates:
        found = shutil.which(name)
        if found:
            return found
    raise BuildError(
        explain(
            "A C++17 compiler",
            rule="must be there when the op is built",
            received=f"none of {', '.join(candidates)} on the PATH",
            where="recs.ops.build",
            remedy="Install one (Debian, Ubuntu: `apt-get install g++`; Fedora: `dnf install "
            "gcc-c++`; conda: `conda install gxx`) or name it in the variable CXX.",
        )
    )


def library_path(compiler: str | None = None) -> pathlib.Path:
    """Returns where the library for this TensorFlow, compiler and these sources is or will be."""
    compiler = compiler or find_compiler()
    return cache_folder() / _fingerprint(compiler) / LIBRARY


def build(*, warnings_as_errors: bool = False, force: bool = False) -> pathlib.Path:
    """Returns the path of the compiled library, building it when the cache lacks it.

    Args:
        warnings_as_errors: Compile with all warnings on, each an error. For development: a
            newer compiler may warn of more. Defaults to `False`.
        force: Build even when the cache has it. Defaults to `False`.

    Raises:
        BuildError: there is no compiler, or it failed; the message has its output.
    """
    compiler = find_compiler()
    target = library_path(compiler)
    if target.exists() and not force:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(target.parent / "lock"):
        if target.exists() and not force:
            return target
        start = time.monotonic()
        _say(f"building the op for TensorFlow {_tensorflow_version()} (once, some seconds) ...")
        _compile_and_link(compiler, target, warnings_as_errors)
        _say(f"built {target} in {time.monotonic() - start:.0f} s")
    return target


def _say(text: str) -> None:
    print(f"recs: {text}", file=sys.stderr, flush=True)


def _tensorflow_version() -> str:
    import tensorflow as tf

    return str(tf.__version__)


def _tensorflow_flags() -> tuple[list[str], list[str]]:
    """Returns compile and link flags; TensorFlow's headers as system headers, without warnings."""
    import tensorflow as tf

    compile_flags: list[str] = []
    for flag in tf.sysconfig.get_compile_flags():
        compile_flags += ["-isystem", flag[2:]] if flag.startswith("-I") else [flag]
    return compile_flags, list(tf.sysconfig.get_link_flags())


def _sources() -> list[pathlib.Path]:
    return sorted(p for p in SOURCES.rglob("*") if p.suffix in {".h", ".cc"})


def _fingerprint(compiler: str) -> str:
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False)
    digest = hashlib.sha256()
    flags, links = _tensorflow_flags()
    for part in (
        _tensorflow_version(),
        *flags,
        *links,
        version.stdout,
        *ENGINE_FLAGS,
        *BRIDGE_FLAGS,
    ):
        digest.update(part.encode() + b"\0")
    for source in _sources():
        digest.update(source.relative_to(SOURCES).as_posix().encode() + b"\0")
        digest.update(source.read_bytes() + b"\0")
    return f"tf-{_tensorflow_version()}-{digest.hexdigest()[:16]}"


@contextlib.contextmanager
def _locked(path: pathlib.Path) -> Iterator[None]:
    # flock is released by the kernel when its holder dies, so no stale lock can remain.
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _compile_and_link(compiler: str, target: pathlib.Path, warnings_as_errors: bool) -> None:
    flags, links = _tensorflow_flags()
    extra = list(WARNINGS) if warnings_as_errors else []
    # Headers come with the C++ dialect TensorFlow was built with; the engine needs only that.
    dialect = [f for f in flags if f.startswith(("-std", "--std", "-D_GLIBCXX"))]
    engine = [p for folder in ENGINE_FOLDERS for p in sorted((SOURCES / folder).glob("*.cc"))]
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        # The bridge takes longest, so it goes first.
        jobs = [(SOURCES / BRIDGE, [*BRIDGE_FLAGS, *flags])]
        jobs += [(source, [*ENGINE_FLAGS, *dialect]) for source in engine]
        objects = [pathlib.Path(scratch) / f"{i}.o" for i in range(len(jobs))]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            commands = [
                [compiler, *job_flags, *extra, f"-I{SOURCES}", "-c", str(source), "-o", str(out)]
                for (source, job_flags), out in zip(jobs, objects, strict=True)
            ]
            list(pool.map(_run, commands))
        linked = pathlib.Path(scratch) / LIBRARY
        _run([compiler, "-shared", *map(str, objects), "-o", str(linked), *links])
        os.replace(linked, target)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildError(
            explain(
                "The compiler",
                rule="must accept the op's sources",
                received=f"exit code {done.returncode} of `{' '.join(command)}`:\n"
                f"{(done.stderr or done.stdout).strip()}\n",
                where="recs.ops.build",
                remedy="A C++17 compiler is needed (g++ 9 or later, clang 10 or later).",
            )
        )
