"""Cache of the compiled op, and checks before it is loaded.

A library is code, and one that was cut short kills the process that loads it. So a manifest with
its size and SHA-256 lies beside it and is checked before it is loaded, and folders are used only
where nobody else can write: owned by the user, by root or by the owner of the package, and not
writable by everyone. A group that may write is trusted.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import stat
import sys
import tempfile
from collections.abc import Iterator

LIBRARY = "librecs_ops.so"
MANIFEST = "librecs_ops.json"
VARIABLE = "RECS_CACHE_DIR"


def cache_folder() -> pathlib.Path:
    """Returns the folder of built libraries: `$RECS_CACHE_DIR`, or `recs` in the user's cache.

    Without a home directory it is `recs-{user id}` in the system's folder of temporary files.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return pathlib.Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    if base:
        return pathlib.Path(base) / "recs"
    try:
        return pathlib.Path.home() / ".cache" / "recs"
    except RuntimeError:
        return _temporary()


def find_library(name: str) -> pathlib.Path | None:
    """Returns a library that is kept and whole, or None.

    Args:
        name: The subfolder, which names all that went into the library.
    """
    for cache in dict.fromkeys((cache_folder(), _temporary())):
        library = cache / name / LIBRARY
        try:
            if not library.exists():
                continue
            wrong = _distrusted(cache, library.parent, library) or _damage(library)
        except OSError:
            continue
        if not wrong:
            return library
        say(f"{library} is not loaded: {wrong}.")
    return None


def folder_to_write(name: str) -> pathlib.Path:
    """Returns a folder to build in: in the cache, or where that cannot be used, a temporary one.

    The temporary one is the user's own and closed to others, and kept for the next process. A line
    on stderr says that it is used, why, and that `RECS_CACHE_DIR` names another.

    Args:
        name: The subfolder.
    """
    cache = cache_folder()
    wrong = _unusable(cache, name)
    if wrong is None:
        return cache / name
    fallback = _temporary()
    with contextlib.suppress(OSError):
        fallback.mkdir(mode=0o700, exist_ok=True)
    try:
        own = os.lstat(fallback)
        private = stat.S_ISDIR(own.st_mode) and own.st_uid == os.geteuid()
        private = private and not own.st_mode & 0o077
    except OSError:
        private = False
    if not private or _unusable(fallback, name) is not None:
        fallback = pathlib.Path(tempfile.mkdtemp(prefix="recs-"))
        (fallback / name).mkdir()
    say(
        f"the cache {cache} cannot be used ({wrong}); {fallback} is used instead. Name a folder of "
        f"your own in the variable {VARIABLE}."
    )
    return fallback / name


@contextlib.contextmanager
def locked(folder: pathlib.Path) -> Iterator[None]:
    """Holds a folder's lock, which the kernel releases when its holder dies."""
    with open(folder / "lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def keep(built: pathlib.Path, folder: pathlib.Path, compiler: str) -> pathlib.Path:
    """Moves a library into a folder of the cache, writes its manifest, and returns its path.

    Args:
        built: The library, on the same file system.
        folder: The folder.
        compiler: What built it, for the manifest.
    """
    content = built.read_bytes()
    manifest = {
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "compiler": compiler,
    }
    # The manifest goes last: without one that fits, a library is built again.
    os.replace(built, folder / LIBRARY)
    partial = built.with_name(MANIFEST)
    partial.write_text(json.dumps(manifest))
    os.replace(partial, folder / MANIFEST)
    return folder / LIBRARY


def say(text: str) -> None:
    """Prints a line on stderr."""
    print(f"recs: {text}", file=sys.stderr, flush=True)


def _temporary() -> pathlib.Path:
    return pathlib.Path(tempfile.gettempdir()) / f"recs-{os.geteuid()}"


def _trusted_users() -> set[int]:
    """Returns whose files may be loaded: the user's, root's and the package owner's."""
    return {0, os.geteuid(), os.stat(__file__).st_uid}


def _distrusted(*paths: pathlib.Path) -> str:
    """Returns why others could have written one of the paths, or nothing."""
    for path in paths:
        state = os.stat(path)
        if state.st_uid not in _trusted_users():
            return f"{path} belongs to user {state.st_uid}"
        if state.st_mode & stat.S_IWOTH:
            return f"{path} can be written by everyone"
    return ""


def _unusable(cache: pathlib.Path, name: str) -> str | None:
    """Returns why a library cannot be built in a cache, or None; makes the folders."""
    folder = cache / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        return _distrusted(cache, folder) or None
    except OSError as error:
        return str(error)


def _damage(library: pathlib.Path) -> str:
    """Returns in what a library differs from its manifest, or nothing."""
    try:
        manifest = json.loads((library.parent / MANIFEST).read_bytes())
        content = library.read_bytes()
    except (OSError, ValueError, RecursionError) as error:
        return f"its manifest cannot be read ({type(error).__name__})"
    if not isinstance(manifest, dict) or manifest.get("size") != len(content):
        return "its size is not that of its manifest"
    if manifest.get("sha256") != hashlib.sha256(content).hexdigest():
        return "its SHA-256 is not that of its manifest"
    return ""
