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
    | `weight` | | `(b, n)` float32, 0 where padded |
    | `mask` | | `(b, n)` bool, true where there is an item |

    Args:
        context: Features of the list: the query, the user. Defaults to none.
        examples: Features of each item.
        label: The name of the items' labels. Defaults to `"label"`.
        mask: The key of the mask in batches. Defaults to `"mask"`.
        label_dtype: How records have them, `"float32"` or `"int64"`; batches and columns have
            float32 in any case, as losses want it. Defaults to `"float32"`.
        weight: The name of a number that says how much an item's label counts, which scorers do
            not see. Defaults to `None`: all count alike.

    Raises:
        ValueError: a name is used twice, there are no example features, `label_dtype` is neither,
            or a `query` is not an `"ids"` feature of one id.

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
    label_dtype: str = "float32"
    weight: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "context", tuple(self.context))
        object.__setattr__(self, "examples", tuple(self.examples))
        both = (*self.context, *self.examples)
        if not all(isinstance(feature, RankingFeature) for feature in both):
            raise _bad("Each feature", "must be a RankingFeature", repr(both))
        if not self.examples:
            raise _bad("`examples`", "must have a feature", "none")
        if self.label_dtype not in ("float32", "int64"):
            raise _bad("`label_dtype`", "must be 'float32' or 'int64'", repr(self.label_dtype))
        weights = [feature.weights for feature in both if feature.weights is not None]
        others = [*weights, self.label, self.mask, *(() if self.weight is None else [self.weight])]
        names = [*self.names, *others]
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
        """Returns the features of the items, with label and weight if they are wanted."""
        if not label:
            return tuple(self.examples)
        weights = () if self.weight is None else (RankingFeature(self.weight, padding=0.0),)
        return (*self.examples, self.label_feature, *weights)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments as plain values."""
        return {
            "context": [dataclasses.asdict(feature) for feature in self.context],
            "examples": [dataclasses.asdict(feature) for feature in self.examples],
            "label": self.label,
            "mask": self.mask,
            "label_dtype": self.label_dtype,
            "weight": self.weight,
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
