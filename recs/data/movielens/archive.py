"""Finds the archive of a variant: in the package, in a folder, or on the network."""

from __future__ import annotations

import contextlib
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from recs.errors import explain

# How long to wait for the server's first answer before the machine counts as offline.
_PROBE_SECONDS = 10.0


@dataclass(frozen=True)
class Archive:
    """The file that a variant is made from, as TensorFlow Datasets registers it.

    Args:
        url: where GroupLens serves it.
        filename: the name it must have on disk.
        size: its length in bytes.
        sha256: its checksum, in hexadecimal.
    """

    url: str
    filename: str
    size: int
    sha256: str

    @classmethod
    def of(cls, builder: Any) -> Archive:
        """Returns the archive that a TFDS builder of a MovieLens variant asks for."""
        url = builder.builder_config.download_url
        info = builder.url_infos[url]
        return cls(url, info.filename, int(info.size), info.checksum)

    def __str__(self) -> str:
        return f"{self.filename} ({self.size:,} bytes, sha256 {self.sha256})"

    def place(self, folder: Path) -> str:
        """Returns the remedy: what to fetch from where, and where to put it."""
        return (
            f"On a machine with network, download {self.url}, which gives {self}; put it into "
            f"{folder}, or into any folder and pass `archive_dir=` that folder."
        )


def folder_of(archive: Archive, archive_dir: str | PathLike[str], data_dir: Path) -> Path:
    """Returns the folder that the user named, or that holds the archive the user named.

    Raises:
        FileNotFoundError: when the archive is not there.
    """
    named = Path(archive_dir).expanduser()
    folder = named.parent if named.name == archive.filename else named
    if (folder / archive.filename).is_file():
        return folder
    raise FileNotFoundError(
        explain(
            "`archive_dir`",
            rule=f"must be a folder that holds {archive}, or that file itself",
            received=f"archive_dir={str(archive_dir)!r}",
            where="movielens.load",
            remedy=archive.place(data_dir / "downloads" / "manual"),
        )
    )


def need_network(archive: Archive, data_dir: Path, variant: str) -> None:
    """Raises a ConnectionError when the archive must be downloaded and cannot be.

    TensorFlow Datasets tries eleven times, for minutes, before it says that there is no network;
    one question to the server tells within seconds.
    """
    downloads = data_dir / "downloads"
    # Fetched before, by us or by the user: nothing to download. The name differs, the size cannot.
    if any(
        file.stat().st_size == archive.size for file in downloads.rglob("*ml-*") if file.is_file()
    ):
        return
    problem = _unreachable(archive.url)
    if problem:
        raise offline(archive, data_dir, variant, problem)


def offline(archive: Archive, data_dir: Path, variant: str, problem: str) -> ConnectionError:
    """Returns the error that says which file to put where."""
    return ConnectionError(
        explain(
            f"MovieLens {variant}",
            rule="must be downloaded once, and the server did not give it",
            received=problem,
            where="movielens.load",
            remedy=archive.place(data_dir / "downloads" / "manual")
            + " Without network there is movielens.load('latest-small').",
        )
    )


def _unreachable(url: str) -> str:
    """Returns what keeps us from the server, or nothing when it answers at all."""
    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=_PROBE_SECONDS):
            return ""
    except urllib.error.HTTPError:
        return ""  # It answers; what it thinks of HEAD is not the question.
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLError):
            return ""  # The downloader has certificates of its own.
        return f"{reason}"


@contextlib.contextmanager
def explained(archive: Archive, data_dir: Path, variant: str) -> Iterator[None]:
    """Turns what TFDS raises for a failed download or a wrong file into errors with a remedy."""
    import tensorflow_datasets as tfds

    try:
        yield
    except (tfds.download.DownloadError, ConnectionError) as error:
        raise offline(archive, data_dir, variant, f"{error}".rstrip(".")) from error
    except Exception as error:
        # These two classes are public in no package that we depend on.
        name = type(error).__name__
        module = type(error).__module__
        if module.startswith("requests"):
            raise offline(archive, data_dir, variant, f"{error}".rstrip(".")) from error
        if name != "NonMatchingChecksumError":
            raise
        got = next((line for line in f"{error}".splitlines() if "Got" in line), name)
        raise ValueError(
            explain(
                "The archive",
                rule=f"must be {archive}",
                received=got.removeprefix("* Got: "),
                where=f"movielens.load({variant!r})",
                remedy=f"Delete the file and download {archive.url} again.",
            )
        ) from error
