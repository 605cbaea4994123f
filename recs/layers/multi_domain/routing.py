"""Rows of a batch to the domains that they are of, and back."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from keras import ops


class Routing:
    """Maps the rows of a batch to their domains.

    Every row goes through the networks of its own domain alone: rows are sorted by domain, the
    sorted batch is split, and results are put back in order. So a domain's weights get gradient
    from its own rows and no others, and a step costs the batch, whatever the number of domains.

    Args:
        domain: `(batch,)` integers, the number of each row's domain; others than 0 to `count - 1`
            are of no domain. Or an int: every row is of this domain.
        count: How many domains there are.
    """

    def __init__(self, domain: Any, count: int) -> None:
        self.count = count
        self.only = domain if isinstance(domain, int) else None
        self.domain = domain
        self._sorted = self.only is not None
        if self.only is None:
            domain = ops.cast(ops.reshape(domain, (-1,)), "int32")
            # The last are the rows of no domain.
            self.domain = ops.where((domain >= 0) & (domain < count), domain, count)
            groups = ops.expand_dims(ops.arange(count + 1, dtype="int32"), 1)
            same = ops.equal(groups, ops.expand_dims(self.domain, 0))
            self._sizes = ops.sum(ops.cast(same, "int32"), axis=1)
            # Row by row of `same`: the places of the first domain, of the second, and so on.
            self._order = ops.nonzero(same)[1]
            self._back = ops.argsort(self._order)

    @property
    def present(self) -> list[int]:
        """The domains of which there may be rows; `count` stands for no domain."""
        return list(range(self.count + 1)) if self.only is None else [self.only]

    def sort(self, x: Any) -> Any:
        """Returns rows sorted by domain."""
        return x if self._sorted else ops.take(x, self._order, axis=0)

    def unsort(self, x: Any) -> Any:
        """Returns rows that were sorted in the order of the batch."""
        return x if self._sorted else ops.take(x, self._back, axis=0)

    def for_sorted(self) -> Routing:
        """Returns the routing of the same batch once it is sorted."""
        if self._sorted:
            return self
        other = copy.copy(self)
        other.domain, other._sorted = self.sort(self.domain), True
        return other

    def split(self, x: Any) -> dict[int, Any]:
        """Returns the rows of each domain that may be present, in the order of the batch."""
        if self.only is not None:
            return {self.only: x}
        # One op, whose gradient is one concatenation; slices would each have a batch of zeros.
        parts = tf.split(self.sort(x), self._sizes, num=self.count + 1)
        return dict(enumerate(parts))

    def places(self) -> dict[int, Any]:
        """Returns the numbers of the rows that are of each domain."""
        return dict(enumerate(tf.split(self._order, self._sizes, num=self.count + 1)))

    def join(self, made: Mapping[int, Any]) -> Any:
        """Returns results for the rows of each domain in the order of the batch."""
        if self.only is not None:
            return made[self.only]
        return self.unsort(ops.concatenate([made[d] for d in self.present], axis=0))

    def of_rows(self, values: Any, neutral: Any) -> Any:
        """Returns each row's entry of `values`, and `neutral` for rows of no domain.

        Args:
            values: `(domains, ...)`.
            neutral: `(...)`.
        """
        padded = ops.concatenate([values, ops.expand_dims(neutral, 0)], axis=0)
        if self.only is not None:
            return ops.expand_dims(padded[self.only], 0)
        return ops.take(padded, self.domain, axis=0)


def as_routing(domain: Any, count: int) -> Routing:
    """Returns the routing of a batch, made here unless it is one already."""
    return domain if isinstance(domain, Routing) else Routing(domain, count)
