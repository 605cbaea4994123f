"""What is replaced is the old file or the new one, and what a killed process left is removed."""

from __future__ import annotations

import os
import pathlib
import random
import signal
import threading
import time

import pytest

from recs.files import workspace
from recs.files.locks import alone_in
from recs.files.workspace import Workspace, remove_whole, replacing

BLOCKS = 64


def write_file(path, number):
    with replacing(path) as beside, open(beside, "wb", buffering=0) as file:
        for _ in range(BLOCKS):
            file.write(bytes([number % 256]) * 4096)


def read_file(path):
    content = path.read_bytes()
    assert len(content) == BLOCKS * 4096
    assert len(set(content)) == 1
    return content[0]


def write_folder(path, number):
    with replacing(path) as beside:
        beside.mkdir()
        for part in range(8):
            (beside / f"{part}").write_bytes(bytes([number % 256]) * 4096)


def read_folder(path):
    parts = [(path / f"{part}").read_bytes() for part in range(8)]
    assert {len(part) for part in parts} == {4096}
    assert sorted(os.listdir(path)) == sorted(map(str, range(8)))
    (number,) = set(b"".join(parts))
    return number


def leftovers(folder):
    return [name for name in os.listdir(folder) if workspace.WORKSPACE.fullmatch(name)]


def killed(work, seconds):
    """Runs work in a process of its own and kills that, hard."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


@pytest.mark.parametrize(("write", "read"), [(write_file, read_file), (write_folder, read_folder)])
@pytest.mark.parametrize("exchange", [True, False])
@pytest.mark.parametrize("kills", [8, pytest.param(60, marks=pytest.mark.slow)])
def test_killed_at_any_moment_the_target_is_whole_and_at_most_one_workspace_is_left(
    tmp_path, write, read, exchange, kills, monkeypatch
):
    if not exchange:  # as file systems without an exchange of folders

        class NoLibrary:
            def __init__(self, *arguments, **named):
                pass

        monkeypatch.setattr(workspace.ctypes, "CDLL", NoLibrary)
    target, moments, left = tmp_path / "target", random.Random(3), 0
    write(target, 0)

    def work():
        for number in range(1, 10**6):
            write(target, number)

    for _ in range(kills):
        killed(work, moments.uniform(0.001, 0.02))
        left += len(leftovers(tmp_path))
        assert len(leftovers(tmp_path)) <= 1
        workspace.remove_leftovers(tmp_path)
        read(target)
        write(target, 7)
        assert os.listdir(tmp_path) == ["target"]
    assert left > 0  # some were killed while they wrote


def test_a_workspace_of_a_live_writer_stays(tmp_path):
    alive = Workspace(tmp_path / "a")
    alive.product.write_text("a")
    for name in "ab":
        write_file(tmp_path / name, 1)
    assert len(leftovers(tmp_path)) == 1
    alive.publish()
    alive.close()
    alive.close()
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]
    assert (tmp_path / "a").read_text() == "a"


def test_writers_at_once_do_not_disturb_one_another(tmp_path):
    errors = []

    def work(number):
        try:
            for _ in range(30):
                write_file(tmp_path / f"{number % 2}", number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert {read_file(tmp_path / name) % 2 for name in "01"} == {0, 1}
    assert sorted(os.listdir(tmp_path)) == ["0", "1"]


def test_what_only_looks_like_a_workspace_stays(tmp_path):
    names = [".x.partial", "x.0123456789abcdef.partial", ".x.0123456789ABCDEF.partial", ".x"]
    for name in names:
        (tmp_path / name).mkdir()
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / ".y.0123456789abcdef.partial").symlink_to(outside)
    (tmp_path / ".z.0123456789abcdef.partial").write_text("a file")
    before = set(os.listdir(tmp_path))
    write_file(tmp_path / "target", 1)
    assert set(os.listdir(tmp_path)) == before | {"target"}


@pytest.mark.parametrize("name", ["../victim", "..", "a/b", ""])
def test_the_name_in_a_leftover_is_no_path(tmp_path, name):
    folder = tmp_path / "folder"
    left = folder / ".x.0123456789abcdef.partial"
    (left / workspace.REPLACED).mkdir(parents=True)
    (left / workspace.OWNER).write_text(name)
    write_file(folder / "target", 1)
    assert os.listdir(folder) == ["target"]
    assert os.listdir(tmp_path) == ["folder"]


def test_a_file_keeps_its_rights_and_its_link(tmp_path):
    real = tmp_path / "real"
    real.mkdir()
    write_file(real / "file", 1)
    (real / "file").chmod(0o640)
    (tmp_path / "link").symlink_to(real / "file")
    write_file(tmp_path / "link", 2)
    assert (tmp_path / "link").is_symlink()
    assert read_file(real / "file") == 2
    assert (real / "file").stat().st_mode & 0o777 == 0o640
    umask = os.umask(0)
    os.umask(umask)
    assert (real / "file").stat().st_uid == os.getuid()
    write_file(tmp_path / "new", 1)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o666 & ~umask


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    write_file(tmp_path / "file", 5)
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "file") as beside:
        beside.write_text(f"half{1 / 0}")
    assert read_file(tmp_path / "file") == 5
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "file"):
        pass  # nothing was made
    assert os.listdir(tmp_path) == ["file"]


def test_a_folder_is_removed_by_name_at_once(tmp_path):
    write_folder(tmp_path / "folder", 1)
    remove_whole(tmp_path / "folder")
    assert os.listdir(tmp_path) == []


def test_one_at_a_time_in_a_folder(tmp_path):
    order = []

    def wait():
        with alone_in(tmp_path):
            order.append("second")

    with alone_in(tmp_path):
        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.05)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert list(pathlib.Path(tmp_path).iterdir()) == []
