import logging
import zipfile
from importlib import resources

from recs.data import movielens
from recs.data.movielens.licence import acknowledge


def test_it_is_the_text_in_the_archive():
    bundled = resources.files("recs.data") / "bundled" / "ml-latest-small.zip"
    with bundled.open("rb") as file, zipfile.ZipFile(file) as archive:
        assert movielens.licence().encode() == archive.read("ml-latest-small/README.txt")
    for word in ("Usage License", "commercial", "F. Maxwell Harper and Joseph A. Konstan"):
        assert word in movielens.licence()


def test_the_acknowledgement_is_shown_once(caplog):
    acknowledge.cache_clear()
    with caplog.at_level(logging.WARNING, logger="recs"):
        acknowledge()
        acknowledge()
    (record,) = caplog.records
    assert "GroupLens" in record.getMessage()
    assert "\n" not in record.getMessage()
