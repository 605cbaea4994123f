"""Files and folders that are made beside the old ones and take their place at once.

A workspace is a hidden folder `.{name}.{16 hex digits}.partial` beside what is written. The process
that fills it holds a lock on a file in it. The kernel releases the lock when the process dies, so
the next write into the same folder knows which workspaces nobody owns, and removes them: no clock
and no process number is asked.

On NFS the lock holds between machines as long as the mount supports locks (`nolock` and
`local_lock` do not); without, a write may lose its workspace to another machine's, and raises.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import pathlib
import re
import shutil
import uuid
from collections.abc import Iterator

from recs.files.durable import to_disk, tree_to_disk
from recs.files.locks import try_lock

WORKSPACE = re.compile(r"\..+\.[0-9a-f]{16}\.partial")
OWNER = ".owner"
ATTEMPTS = 5  # another process may take a new workspace for a leftover before it is locked
REPLACED = ".replaced"  # a folder that is exchanged where the file system needs two steps
_AT_FDCWD, _EXCHANGE = -100, 2  # of Linux's renameat2


class Workspace:
    """A folder beside a target, in which what will replace it is made.

    Making one removes the workspaces in the same folder that no live process owns.

    Args:
        target: The file or folder to be; its parent exists.

    Attributes:
        product: Where the new file or folder is to be made, by the target's name.

    Raises:
        OSError: the parent cannot be written.
    """

    def __init__(self, target: pathlib.Path) -> None:
        self._target = target
        remove_leftovers(target.parent)
        for _ in range(ATTEMPTS):
            self.path = target.parent / f".{target.name[:100]}.{uuid.uuid4().hex[:16]}.partial"
            self.path.mkdir()
            self._lock = try_lock(self.path / OWNER)
            if self._lock is not None:
                break
            shutil.rmtree(self.path, ignore_errors=True)
        else:  # a file system without locks, where nobody removes it
            self.path.mkdir()
        self.product = self.path / target.name
        try:
            if self._lock is not None:
                os.write(self._lock, os.fsencode(target.name))
        except OSError:
            self.close()
            raise

    def publish(self) -> None:
        """Brings the product to the disk, and has it take the target's place."""
        tree_to_disk(self.product)
        if self._target.is_dir() and not self._target.is_symlink():
            _exchange(self.product, self._target, self.path / REPLACED)
        else:
            if self._target.is_file():
                shutil.copymode(self._target, self.product)
            os.replace(self.product, self._target)
        to_disk(self._target.parent)

    def close(self) -> None:
        """Removes the workspace; as often as one likes."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


@contextlib.contextmanager
def replacing(target: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Gives a path beside `target`, by its name, and renames what is made there to `target`.

    When the body raises, or the process is killed at whatever moment, what was at `target` is as it
    was.

    Args:
        target: The file or folder. One that is there is replaced, a link's file behind the link.
    """
    workspace = Workspace(pathlib.Path(os.path.realpath(target)))
    try:
        yield workspace.product
        workspace.publish()
    finally:
        workspace.close()


def remove_whole(path: pathlib.Path) -> None:
    """Removes a folder: its name is gone at once, and the rest sooner or later."""
    workspace = Workspace(path)
    try:
        path.rename(workspace.product)
    finally:
        workspace.close()


def remove_leftovers(folder: pathlib.Path) -> None:
    """Removes the workspaces in a folder that no live process owns.

    A folder that a killed process had moved away, to put another one in its place, moves back.
    """
    try:
        found = [
            pathlib.Path(item.path)
            for item in os.scandir(folder)
            if WORKSPACE.fullmatch(item.name) and item.is_dir(follow_symlinks=False)
        ]
    except OSError:
        return
    for path in found:
        lock = try_lock(path / OWNER)
        if lock is None:
            continue
        try:
            if (path / REPLACED).exists():
                name = os.fsdecode(os.read(lock, 4096))
                # Not a path, whatever the file says.
                if name == os.path.basename(name) and not os.path.lexists(folder / name):
                    (path / REPLACED).rename(folder / name)
            shutil.rmtree(path, ignore_errors=True)
        except OSError:
            pass
        finally:
            os.close(lock)


def _exchange(new: pathlib.Path, target: pathlib.Path, aside: pathlib.Path) -> None:
    """Puts a folder in another's place: at once where the file system can."""
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "renameat2"):
        names = os.fsencode(new), os.fsencode(target)
        if libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _EXCHANGE) == 0:
            return
        number = ctypes.get_errno()
        if number not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
            raise OSError(number, os.strerror(number), str(new), None, str(target))
    target.rename(aside)
    try:
        new.rename(target)
    except OSError:
        aside.rename(target)
        raise
