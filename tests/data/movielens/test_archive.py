import email.message
import io
import shutil
import ssl
import urllib.error
import urllib.request
from importlib import resources

import pytest

from recs.data import movielens
from recs.data.movielens import archive

SHA_1M = "a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20"
URL_1M = "https://files.grouplens.org/datasets/movielens/ml-1m.zip"
FILE_1M = f"ml-1m.zip (5,917,549 bytes, sha256 {SHA_1M})"


@pytest.fixture
def network(monkeypatch):
    """The network as a test wants it: what the server, or the lack of one, answers."""
    asked = []

    def becomes(answer):
        def urlopen(request, timeout):
            asked.append((request.full_url, request.get_method(), timeout))
            if isinstance(answer, Exception):
                raise answer
            return io.BytesIO()

        monkeypatch.setattr(urllib.request, "urlopen", urlopen)
        return asked

    return becomes


@pytest.fixture
def download(monkeypatch):
    """TFDS's preparation, replaced by an error of the test's choice."""

    def raises(error):
        def download_and_prepare(self, **kwargs):
            raise error

        import tensorflow_datasets as tfds

        cls = tfds.builder_cls("movielens")
        monkeypatch.setattr(cls, "download_and_prepare", download_and_prepare)

    return raises


def test_without_network_it_says_which_file_goes_where(network, tmp_path):
    asked = network(urllib.error.URLError(OSError(-2, "Name or service not known")))
    with pytest.raises(ConnectionError) as caught:
        movielens.load("1m", data_dir=tmp_path)
    assert str(caught.value) == (
        "MovieLens 1m must be downloaded once, and the server did not give it. "
        "Received: [Errno -2] Name or service not known (in movielens.load). "
        f"On a machine with network, download {URL_1M}, which gives {FILE_1M}; put it into "
        f"{tmp_path}/downloads/manual, or into any folder and pass `archive_dir=` that folder. "
        "Without network there is movielens.load('latest-small')."
    )
    assert asked == [(URL_1M, "HEAD", 10.0)]  # Once, not for minutes.


class TriedError(Exception):
    """TFDS was asked to go on."""


ANSWERS = [
    None,
    urllib.error.HTTPError(URL_1M, 405, "no HEAD", email.message.Message(), io.BytesIO()),
    urllib.error.URLError(ssl.SSLError("certificate")),
]


@pytest.mark.parametrize("answer", ANSWERS, ids=["200", "405", "ssl"])
def test_a_server_that_answers_is_left_to_tfds(network, download, answer, tmp_path):
    network(answer)
    download(TriedError())
    with pytest.raises(TriedError):
        movielens.load("1m", data_dir=tmp_path)


@pytest.mark.parametrize("folder", ["manual", "movielens"])
def test_an_archive_that_is_there_needs_no_network(network, download, folder, tmp_path):
    asked = network(urllib.error.URLError("offline"))
    download(TriedError())
    (tmp_path / "downloads" / folder).mkdir(parents=True)
    with (tmp_path / "downloads" / folder / "ml-1m.zip").open("wb") as file:
        file.truncate(5_917_549)
    with pytest.raises(TriedError):
        movielens.load("1m", data_dir=tmp_path)
    assert asked == []


def requests_error():
    import requests

    return requests.exceptions.ConnectionError("broken pipe.")


def download_error():
    import tensorflow_datasets as tfds

    return tfds.download.DownloadError("Failed to get url. HTTP code: 404.")


@pytest.mark.parametrize("error", [requests_error, download_error, ConnectionResetError])
def test_a_download_that_fails_says_the_same(network, download, error, tmp_path):
    network(None)
    download(error())
    with pytest.raises(ConnectionError, match=r"MovieLens 1m must be downloaded once") as caught:
        movielens.load("1m", data_dir=tmp_path)
    assert f"download {URL_1M}, which gives {FILE_1M}" in str(caught.value)
    assert ".. " not in str(caught.value)


def test_archive_dir_without_the_archive(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        movielens.load("1m", data_dir=tmp_path, archive_dir=tmp_path / "mine")
    message = str(caught.value)
    assert message.startswith(f"`archive_dir` must be a folder that holds {FILE_1M}, or that file")
    assert f"Received: archive_dir='{tmp_path}/mine' (in movielens.load). On a machine" in message


def test_another_file_by_that_name(tmp_path):
    (tmp_path / "ml-1m.zip").write_bytes(b"not it")
    with pytest.raises(ValueError, match=r"The archive must be ml-1m\.zip") as caught:
        movielens.load("1m", data_dir=tmp_path / "data", archive_dir=tmp_path)
    message = str(caught.value)
    assert f"must be {FILE_1M}. Received: UrlInfo(size=6" in message
    assert message.endswith(f"Delete the file and download {URL_1M} again.")


@pytest.mark.parametrize("name", ["", "ml-latest-small.zip"])
def test_archive_dir_is_a_folder_or_the_file(tmp_path, name):
    bundled = resources.files("recs.data") / "bundled" / "ml-latest-small.zip"
    with resources.as_file(bundled) as path:
        shutil.copy(path, tmp_path)
    known = archive.Archive("https://x", "ml-latest-small.zip", 1, "f")
    assert archive.folder_of(known, tmp_path / name, tmp_path) == tmp_path


def test_the_bundled_archive_is_the_registered_one():
    import hashlib

    import tensorflow_datasets as tfds

    known = archive.Archive.of(tfds.builder("movielens/latest-small-ratings"))
    bundled = (resources.files("recs.data") / "bundled" / known.filename).read_bytes()
    assert (len(bundled), hashlib.sha256(bundled).hexdigest()) == (known.size, known.sha256)
