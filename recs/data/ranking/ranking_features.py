"""The features of a list and of its items, described once."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from recs.data.ranking.ranking_feature import RankingFeature
from recs.errors import explain


@dataclasses.dataclass(frozen=True)
class RankingFeatures:
    """The one description that readers, parsers, input layers and signatures share.

    A batch of `b` lists, the longest of `n` items, is a dict:

    | feature | of the context | of the examples |
    |---|---|---|
    | dense, ids | `(b, *shape)` | `(b, n, *shape)` |
    | sequence | ragged `(b, None)` | ragged `(b, n, None)` |
    | `label` | | `(b, n)` float32, -1 where padded |
    | `mask` | | `(b, n)` bool, true where there is an item |

    Args:
        context: Features of the list: the query, the user. Defaults to none.
        examples: Features of each item.
        label: The name of the items' labels. Defaults to `"label"`.
        mask: The key of the mask in batches. Defaults to `"mask"`.

    Raises:
        ValueError: a name is used twice, there are no example features, or a `query` is not an
            `"ids"` feature of one id.

    Example:
    ```python
    >>> from recs.data.ranking import RankingFeature, RankingFeatures
    >>> features = RankingFeatures(
    ...     context=[RankingFeature("history", "sequence", table="items")],
    ...     examples=[RankingFeature("item", "ids", table="items"), RankingFeature("price")],
    ... )
    >>> features.names
    ('history', 'item', 'price')
    >>> RankingFeatures.from_config(features.get_config()) == features
    True

    ```
    """

    context: Sequence[RankingFeature] = ()
    examples: Sequence[RankingFeature] = ()
    label: str = "label"
    mask: str = "mask"

    def __post_init__(self) -> None:
        object.__setattr__(self, "context", tuple(self.context))
        object.__setattr__(self, "examples", tuple(self.examples))
        both = (*self.context, *self.examples)
        if not all(isinstance(feature, RankingFeature) for feature in both):
            raise _bad("Each feature", "must be a RankingFeature", repr(both))
        if not self.examples:
            raise _bad("`examples`", "must have a feature", "none")
        weights = [feature.weights for feature in both if feature.weights is not None]
        names = [*self.names, *weights, self.label, self.mask]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise _bad("The names", "must differ, those of weights, label and mask too", str(twice))
        single = [f.name for f in both if f.kind == "ids" and f.shape == ()]
        for feature in both:
            if feature.query is not None and feature.query not in single:
                rule = f"must be an 'ids' feature of one id: {', '.join(single) or 'none here'}"
                raise _bad(f"`query` of '{feature.name}'", rule, repr(feature.query))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all features, those of the context first."""
        return tuple(feature.name for feature in (*self.context, *self.examples))

    @property
    def label_feature(self) -> RankingFeature:
        """The label as a feature of the items."""
        return RankingFeature(self.label, padding=-1.0)

    def of_examples(self, label: bool) -> tuple[RankingFeature, ...]:
        """Returns the features of the items, and their label if it is wanted."""
        return (*self.examples, self.label_feature) if label else tuple(self.examples)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments as plain values."""
        return {
            "context": [dataclasses.asdict(feature) for feature in self.context],
            "examples": [dataclasses.asdict(feature) for feature in self.examples],
            "label": self.label,
            "mask": self.mask,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> RankingFeatures:
        """Returns the description with these arguments."""
        parts = {
            part: [RankingFeature(**feature) for feature in config.get(part, ())]
            for part in ("context", "examples")
        }
        return cls(**{**config, **parts})


def _bad(what: str, rule: str, received: str) -> ValueError:
    return ValueError(explain(what, rule=rule, received=received, where="RankingFeatures"))
