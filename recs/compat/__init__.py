"""Names of other packages, so that code written for them runs."""

from recs.compat import tfrs

__all__ = ["tfrs"]
