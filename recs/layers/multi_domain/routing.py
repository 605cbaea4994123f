"""Rows of a batch to the domains that they are of, and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from keras import ops

from recs.errors import explain


class Routing:
    """Which rows of a batch are of which domain.

    Every row goes through the networks of its own domain alone: rows are picked out, and results
    put back in order. So a domain's weights get gradient from its own rows and no others, and a
    step costs the batch, whatever the number of domains.

    Args:
        domain: `(batch,)` integers, the number of each row's domain; others than 0 to `count - 1`
            are of no domain. Or an int: every row is of this domain.
        count: How many domains there are.
    """

    def __init__(self, domain: Any, count: int) -> None:
        self.count = count
        self.only = domain if isinstance(domain, int) else None
        self.domain = domain
        self._places: list[Any] = []
        if self.only is None:
            self.domain = domain = ops.cast(ops.reshape(domain, (-1,)), "int32")
            # The last are the rows of no domain.
            self.domain = ops.where((domain >= 0) & (domain < count), domain, count)
            numbers = range(count + 1)
            self._places = [ops.nonzero(ops.equal(self.domain, n))[0] for n in numbers]

    @property
    def present(self) -> list[int]:
        """The domains of which there may be rows; `count` stands for no domain."""
        return list(range(self.count + 1)) if self.only is None else [self.only]

    def pick(self, x: Any, domain: int) -> Any:
        """Returns the rows of `x` that are of a domain, in order."""
        return x if self.only is not None else ops.take(x, self._places[domain], axis=0)

    def each(self, run: Callable[[int], Any]) -> Any:
        """Returns what `run` makes of each domain's rows, in the order of the batch.

        Args:
            run: Takes the number of a domain, and returns a row of results for each of its rows.
        """
        made = [run(domain) for domain in self.present]
        if self.only is not None:
            return made[0]
        order = ops.argsort(ops.concatenate(self._places, axis=0))
        return ops.take(ops.concatenate(made, axis=0), order, axis=0)

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


def checked_domains(domains: Sequence[str], where: str) -> list[str]:
    """Returns the names of domains.

    Args:
        domains: The names.
        where: The layer, for messages.

    Raises:
        ValueError: there are none, two are the same, or one is no text.
    """
    names = [domains] if isinstance(domains, str) else list(domains)
    texts = all(isinstance(name, str) and name for name in names)
    if not names or not texts or len(set(names)) < len(names):
        raise ValueError(
            explain(
                "`domains`",
                rule="must be names, at least one and each once",
                received=f"domains={domains!r}",
                where=where,
            )
        )
    return names
