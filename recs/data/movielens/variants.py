"""The variants of MovieLens that TensorFlow Datasets knows."""

from __future__ import annotations

from recs.errors import explain

# Smallest first. TensorFlow Datasets has no "latest": GroupLens replaces that archive in place,
# so that no checksum can be registered for it.
VARIANTS = ("latest-small", "100k", "1m", "20m", "25m")

# The variant whose archive travels with the package.
BUNDLED = "latest-small"


def check_variant(variant: str) -> None:
    """Raises a ValueError unless the variant is one of `VARIANTS`."""
    if variant not in VARIANTS:
        raise ValueError(
            explain(
                "`variant`",
                rule=f"must be one of {', '.join(VARIANTS)}",
                received=f"variant={variant!r}",
                where="movielens.load",
            )
        )
