import pytest
import tensorflow_datasets as tfds

from recs.data import movielens


def test_they_are_those_of_tensorflow_datasets():
    configs = set(tfds.builder_cls("movielens").builder_configs)
    assert configs == {f"{v}-{t}" for v in movielens.VARIANTS for t in ("movies", "ratings")}


def test_an_unknown_one_is_refused():
    with pytest.raises(ValueError, match="`variant` must be one of latest-small, 100k") as caught:
        movielens.load("latest")
    assert "Received: variant='latest' (in movielens.load)." in str(caught.value)
