"""The old archives have other formats and further columns: tiny ones, made here, stand in."""

import types
import zipfile

import numpy as np
import pytest
import tensorflow_datasets as tfds

from recs.data import movielens
from recs.data.movielens.records import read

ML_1M = {
    "movies.dat": "1::Toy Story (1995)::Animation|Children's\n3::Les Misérables::Drama\n",
    "users.dat": "1::F::25::10::48067\n2::M::56::16::02139\n",
    "ratings.dat": "1::3::5::978300760\n2::1::3::978302109\n2::3::1::978301968\n",
}
ML_100K = {
    "u.item": "1|Toy Story (1995)|d||u|0|0|0|1|1|1"
    + "|0" * 13
    + "\n2|No Genre|d||u"
    + "|0" * 19
    + "\n",
    "u.user": "9|24|M|technician|85711\n",
    "u.data": "9\t2\t3\t881250949\n9\t1\t4\t881250950\n",
}


def archive(folder, variant, files):
    with zipfile.ZipFile(folder / f"ml-{variant}.zip", "w") as file:
        for name, text in files.items():
            file.writestr(f"ml-{variant}/{name}", text.encode("ISO-8859-1"))


@pytest.fixture
def unregistered(monkeypatch):
    """Lets TFDS take an archive with another checksum."""
    from tensorflow_datasets.core.download import download_manager as manager

    name = "_register_or_validate_checksums"
    monkeypatch.setattr(manager.DownloadManager, name, lambda self, **kwargs: None)


def test_1m_with_what_is_known_of_users(tmp_path, unregistered):
    archive(tmp_path, "1m", ML_1M)
    data = movielens.load("1m", data_dir=tmp_path / "d", archive_dir=tmp_path, id_type="int64")
    data = data.take(np.argsort(data.timestamp)).with_item_features()
    assert data.user.tolist() == [1, 2, 2]
    assert data.item.tolist() == [3, 3, 1]
    assert data.rating.tolist() == [5, 1, 3]
    assert data["movie_title"].tolist()[1:] == ["Les Misérables", "Toy Story (1995)"]
    assert data["movie_genres"].to_list()[2] == ["Animation", "Children"]
    assert data["user_gender"].tolist() == [False, True, True]
    assert data["bucketized_user_age"].tolist() == [25, 56, 56]
    assert data["user_occupation_label"].tolist() == ["student", "self-employed", "self-employed"]
    assert data["user_zip_code"].tolist() == ["48067", "02139", "02139"]


def test_100k_and_a_movie_without_genres(tmp_path, unregistered):
    archive(tmp_path, "100k", ML_100K)
    where = {"data_dir": tmp_path / "d", "archive_dir": tmp_path / "ml-100k.zip"}
    data = movielens.load("100k", **where).with_item_features()
    data = data.take(np.argsort(data.timestamp))
    assert data.item.tolist() == ["2", "1"]
    assert data["raw_user_age"].tolist() == [24, 24]
    assert data["movie_genres"].to_list() == [[], ["Animation", "Children", "Comedy"]]
    # Prepared: neither the archive nor the network is needed again.
    (tmp_path / "ml-100k.zip").unlink()
    assert len(movielens.load("100k", data_dir=tmp_path / "d")) == 2


def test_tfds_itself_reads_the_same(small, movielens_dir):
    """Other file formats go through TFDS's own reader, which is also the oracle for ours."""
    builder = tfds.builder("movielens/latest-small-movies", data_dir=movielens_dir)
    other = types.SimpleNamespace(
        info=types.SimpleNamespace(file_format="other", features=builder.info.features),
        as_dataset=builder.as_dataset,
    )
    names = ["movie_id", "movie_genres"]
    ours, theirs = read(builder, names), read(other, names)
    assert ours["movie_id"].tolist() == theirs["movie_id"].tolist() == small.items.item.tolist()
    assert ours["movie_genres"].to_list() == theirs["movie_genres"].to_list()
