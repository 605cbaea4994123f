"""Runs code in a process that has imported recs and done nothing else.

A server imports TensorFlow and recs once per test worker and forks a process per request: what a
new interpreter would take seconds for is there at once. TensorFlow's runtime starts in the child.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import pathlib
import runpy
import sys
import tempfile
import traceback
from multiprocessing.context import ForkServerContext

ROOT = pathlib.Path(__file__).parents[2]


def run_code(code: str, *arguments: object) -> str:
    """Runs a program as `python -c` does, in this environment, and returns what it printed.

    Raises:
        AssertionError: the program failed; the message has its output.
    """
    return _run("code", code, arguments)


def run_module(name: str, *arguments: object) -> str:
    """Runs a module as `python -m` does and returns what it printed.

    Raises:
        AssertionError: the module failed; the message has its output.
    """
    return _run("module", name, arguments)


def _run(kind: str, program: str, arguments: tuple[object, ...]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        command = (kind, program, tuple(map(str, arguments)))
        child = _server().Process(target=_child, args=(command, dict(os.environ), folder))
        child.start()
        child.join()
        output, errors = (pathlib.Path(folder, name).read_text() for name in ("1", "2"))
    assert child.exitcode == 0, f"exit code {child.exitcode}:\n{output}\n{errors}"
    return output


@functools.cache
def _server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tensorflow", "recs", __name__])
    return context


def _child(
    command: tuple[str, str, tuple[str, ...]], environment: dict[str, str], folder: str
) -> None:
    kind, program, arguments = command
    os.environ.clear()
    os.environ.update(environment)
    for descriptor in (1, 2):
        with open(os.path.join(folder, str(descriptor)), "w") as file:
            os.dup2(file.fileno(), descriptor)
    os.chdir(ROOT)
    sys.argv = [program if kind == "module" else "-c", *arguments]
    with contextlib.suppress(ValueError):
        sys.path.remove("")
    sys.path.insert(0, str(ROOT))
    code = 1
    try:
        if kind == "module":
            runpy.run_module(program, run_name="__main__", alter_sys=True)
        else:
            exec(compile(program, "-c", "exec"), {"__name__": "__main__"})
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    # As an interpreter's end does: what a test registered with `atexit` is run.
    sys.exit(code)
