"""What the tutorials of TFRS share."""

from recs.examples import movielens

__all__ = ["movielens"]
