"""Builds the compiled op against the TensorFlow that is installed, once, into a cache.

A wheel built elsewhere fits one TensorFlow release; the sources travel with the package instead
and are compiled in seconds on first use. The cache is keyed by TensorFlow's version, the flags and
the sources, so upgrading any of them builds anew; a library that is there needs no compiler.
Several processes may ask at once: one builds, the others wait. See `op_cache` for what is loaded.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import os
import pathlib
import platform
import shutil
import subprocess
import tempfile
import time

from recs.errors import explain
from recs.ops import op_cache
from recs.ops.op_cache import LIBRARY, cache_folder

SOURCES = pathlib.Path(__file__).parent / "cc"
BRIDGE = "tensorflow_bridge.cc"
# Of what knows no TensorFlow.
ENGINE_FOLDERS = ("optimizers", "scores", "table")

# -ffp-contract=off: the same bits on machines with and without fused multiply-add.
# -fno-math-errno: lets the compiler use vector square roots.
ENGINE_FLAGS = ("-O3", "-fPIC", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math")
BRIDGE_FLAGS = ("-O2", "-fPIC", "-ffp-contract=off")
SCRATCH = ".build_"
# Of sources of the engine, so that several cores compile them.
UNITS = 4
# A unit includes sources, whose names without linkage are meant to be.
UNIT_FLAGS = ("-Wno-subobject-linkage",)
WARNINGS = ("-Wall", "-Wextra", "-Werror")


class BuildError(RuntimeError):
    """The compiled op could not be built; the message says why and what to do."""


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


def library_path() -> pathlib.Path:
    """Returns where the library for this TensorFlow and these sources is or will be."""
    return cache_folder() / _fingerprint() / LIBRARY


def build(*, warnings_as_errors: bool = False, force: bool = False) -> pathlib.Path:
    """Returns the path of the compiled library, building it when the cache lacks it.

    A library that is damaged, or that others could have written, is built again. Where the cache
    cannot be written, the library is built in a temporary folder, and a line on stderr says so.

    Args:
        warnings_as_errors: Compile with all warnings on, each an error. For development: a
            newer compiler may warn of more. Defaults to `False`.
        force: Build even when the cache has it. Defaults to `False`.

    Raises:
        BuildError: the cache lacks it and there is no compiler, or it failed; the message has its
            output.
    """
    name = _fingerprint()
    found = None if force else op_cache.find_library(name)
    if found is not None:
        return found
    compiler = find_compiler()
    folder = op_cache.folder_to_write(name)
    with op_cache.locked(folder):
        found = None if force else op_cache.find_library(name)
        if found is not None:
            return found
        start = time.monotonic()
        op_cache.say(
            f"building the op for TensorFlow {_tensorflow_version()} (once, some seconds) ..."
        )
        target = _compile_and_link(compiler, folder, warnings_as_errors)
        op_cache.say(f"built {target} in {time.monotonic() - start:.0f} s")
    return target


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


def _fingerprint() -> str:
    """Returns a name for all that goes into the library, the compiler aside."""
    digest = hashlib.sha256()
    flags, links = _tensorflow_flags()
    # Folders are left out: the same TensorFlow may be elsewhere in another image.
    options = [flag for flag in (*flags, *links) if not flag.startswith(("/", "-I", "-L"))]
    for part in (
        _tensorflow_version(),
        platform.machine(),
        *options,
        *ENGINE_FLAGS,
        *BRIDGE_FLAGS,
    ):
        digest.update(part.encode() + b"\0")
    for source in _sources():
        digest.update(source.relative_to(SOURCES).as_posix().encode() + b"\0")
        digest.update(source.read_bytes() + b"\0")
    return f"tf-{_tensorflow_version()}-{digest.hexdigest()[:16]}"


def _compile_and_link(
    compiler: str, folder: pathlib.Path, warnings_as_errors: bool
) -> pathlib.Path:
    flags, links = _tensorflow_flags()
    extra = list(WARNINGS) if warnings_as_errors else []
    # Headers come with the C++ dialect TensorFlow was built with; the engine needs only that.
    dialect = [f for f in flags if f.startswith(("-std", "--std", "-D_GLIBCXX"))]
    engine = [p for folder in ENGINE_FOLDERS for p in sorted((SOURCES / folder).glob("*.cc"))]
    # Builds that were killed left theirs; the lock on the folder says that none is under way.
    for left in folder.glob(f"{SCRATCH}*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=SCRATCH) as scratch:
        # The bridge takes longest, so it goes first.
        jobs = [(SOURCES / BRIDGE, [*BRIDGE_FLAGS, *flags])]
        units = engine_units(engine, pathlib.Path(scratch))
        jobs += [(unit, [*ENGINE_FLAGS, *UNIT_FLAGS, *dialect]) for unit in units]
        objects = [pathlib.Path(scratch) / f"{i}.o" for i in range(len(jobs))]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            commands = [
                [compiler, *job_flags, *extra, f"-I{SOURCES}", "-c", str(source), "-o", str(out)]
                for (source, job_flags), out in zip(jobs, objects, strict=True)
            ]
            list(pool.map(_run, commands))
        linked = pathlib.Path(scratch) / LIBRARY
        _run([compiler, "-shared", *map(str, objects), "-o", str(linked), *links])
        return op_cache.keep(linked, folder, compiler)


def engine_units(sources: list[pathlib.Path], folder: pathlib.Path) -> list[pathlib.Path]:
    """Writes files that include several sources each, so that shared headers are read once.

    A source that sets the processor it is compiled for (`#pragma GCC target`) stays alone.
    """
    alone = [source for source in sources if "#pragma GCC target" in source.read_text()]
    together = sorted(set(sources) - set(alone), key=lambda path: (-path.stat().st_size, path))
    units: list[pathlib.Path] = []
    for number in range(min(UNITS, len(together))):
        unit = folder / f"unit_{number}.cc"
        lines = [
            f'#include "{source.relative_to(SOURCES)}"\n' for source in together[number::UNITS]
        ]
        unit.write_text("".join(lines))
        units.append(unit)
    return units + alone


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
