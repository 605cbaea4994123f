"""MovieLens: ratings of movies by the users of movielens.org, in five sizes.

`latest-small` travels with the package and needs no network. All are prepared by TensorFlow
Datasets, once, and kept in its data directory.
"""

from recs.data.movielens.by_genre import by_genre
from recs.data.movielens.licence import licence
from recs.data.movielens.load import load
from recs.data.movielens.variants import VARIANTS

__all__ = ["VARIANTS", "by_genre", "licence", "load"]
