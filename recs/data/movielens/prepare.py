"""Prepares a variant with TensorFlow Datasets: once, quietly, by one process at a time."""

from __future__ import annotations

import contextlib
import fcntl
import io
import logging
from collections.abc import Iterator
from importlib import resources
from os import PathLike
from pathlib import Path
from typing import Any

from recs.data.movielens.archive import Archive, explained, folder_of, need_network
from recs.data.movielens.variants import BUNDLED
from recs.errors import explain

_log = logging.getLogger("recs.data.movielens")


def prepared(
    variant: str,
    table: str,
    data_dir: str | PathLike[str] | None,
    archive_dir: str | PathLike[str] | None,
) -> Any:
    """Returns the TFDS builder of `movielens/<variant>-<table>`, its data on disk.

    Args:
        variant: one of `VARIANTS`.
        table: `"ratings"` or `"movies"`.
        data_dir: where TFDS keeps data; None for its default.
        archive_dir: the folder of the original archive; None for the package's or the network's.

    Raises:
        ConnectionError: when it must be downloaded and cannot be.
        FileNotFoundError: when `archive_dir` does not hold the archive.
        PermissionError: when `data_dir` cannot be written.
        ValueError: when the archive is not the one that is registered.
    """
    builder = _builder(variant, table, data_dir)
    if _is_prepared(builder):
        return builder  # Without a lock: a prepared directory may be read-only.
    root = Path(builder.data_dir_root)
    with _locked(root):
        # Another process may have prepared it while this one waited; only a new builder knows.
        builder = _builder(variant, table, data_dir)
        if not _is_prepared(builder):
            _prepare(builder, variant, root, archive_dir)
    return builder


def _builder(variant: str, table: str, data_dir: str | PathLike[str] | None) -> Any:
    import tensorflow_datasets as tfds

    if data_dir is not None:
        data_dir = Path(data_dir).expanduser()
    return tfds.builder(f"movielens/{variant}-{table}", data_dir=data_dir, try_gcs=False)


def _is_prepared(builder: Any) -> bool:
    # Written last. TFDS's own is_prepared() warns where there is nothing yet.
    return (builder.data_path / "dataset_info.json").exists()


def _prepare(
    builder: Any, variant: str, root: Path, archive_dir: str | PathLike[str] | None
) -> None:
    import tensorflow_datasets as tfds

    archive = Archive.of(builder)
    with contextlib.ExitStack() as stack:
        if archive_dir is not None:
            folder: Path | None = folder_of(archive, archive_dir, root)
        elif variant == BUNDLED:
            bundled = resources.files("recs.data") / "bundled"
            folder = stack.enter_context(resources.as_file(bundled))
        else:
            folder = None  # TFDS looks into <root>/downloads/manual, then asks the network.
            need_network(archive, root, variant)
        if variant == BUNDLED:
            stack.enter_context(_no_progress_bars(tfds))
        _log.warning("Preparing %s in %s (once).", builder.info.full_name, root)
        config = tfds.download.DownloadConfig(manual_dir=folder, try_download_gcs=False)
        stack.enter_context(explained(archive, root, variant))
        # TFDS also prints two sentences, where a log line has said the same.
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        builder.download_and_prepare(download_config=config)


@contextlib.contextmanager
def _no_progress_bars(tfds: Any) -> Iterator[None]:
    """Hides the bars of a preparation that takes seconds; a choice of the user's outlives it."""
    bars = getattr(getattr(tfds.core.utils, "tqdm_utils", None), "_active", True)
    tfds.disable_progress_bar()
    try:
        yield
    finally:
        if bars:
            tfds.enable_progress_bar()


@contextlib.contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Holds the lock of a data directory; the system frees it even if the process dies."""
    path = root / ".recs-movielens.lock"
    try:
        root.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    except OSError as error:
        raise PermissionError(
            explain(
                "`data_dir`",
                rule="must be a folder that can be written, to prepare MovieLens in it",
                received=f"{error}",
                where="movielens.load",
                remedy="Pass `data_dir=` another folder, or set TFDS_DATA_DIR.",
            )
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _log.warning("Another process prepares MovieLens in %s: waiting for it.", root)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield  # Closing the file frees the lock.
