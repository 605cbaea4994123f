"""One model for samples of many domains."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from recs.errors import explain
from recs.layers.checked import checked_names
from recs.layers.multi_domain.domain_experts import DomainExperts
from recs.layers.multi_domain.routing import Routing
from recs.layers.multi_domain.star import Star
from recs.layers.multi_task.grad_norm import GradNorm
from recs.models import cross_domain_parts as parts
from recs.models.base import ReadyModel
from recs.models.domain_auc import DomainAUC
from recs.models.domain_features import DomainFeatures
from recs.tasks.multi_task import MultiTask
from recs.tasks.ranking import Ranking
from recs.tasks.sample_weights import as_columns, flat_weights, lone


@keras.saving.register_keras_serializable("recs")
class CrossDomain(ReadyModel):
    """Predicts targets of samples from many domains, by what domains share and what is their own.

    A sample belongs to the domain that its column `domain` names. `x` is the embeddings and scaled
    numbers of columns that all domains have, in one space for all; `o_d` those of columns of the
    domain's own. `h = experts(x, d, o_d)`, and a target is `sigmoid(tower_t(h, d) + sum_m g_m f_m)`
    where `f_m` are the logits of whole models that moved into the domain and `g_m = 2 sigmoid(G_m
    x) / M` their gate, `M` of them for this target. It begins at 1 for one, and the domain's
    tower begins silent, so that what an old model predicted is what is predicted at the start.

    A target that is NaN, or whose domain does not have it, is no loss. Rows of a domain that is not
    known have what is shared. Metrics are the areas under the curve of each domain.

    Masking: none. State: tables, weights, means and deviations of the numbers.

    Args:
        domains: Names of the domains, as the column has them.
        targets: The columns of labels, of all domains; or a dict of them for each domain.
        domain: The column that names the domain. `None`, for one domain, needs no column. Defaults
            to `"domain"`.
        categories: Columns of text, integers or lists of these, that all domains have. Defaults to
            `()`.
        numbers: Columns of numbers that all domains have. Defaults to `()`.
        own_categories: For domains the categories of their own, also columns that all have, for
            embeddings of the domain alone. Defaults to `None`: none.
        own_numbers: The same of numbers. Defaults to `None`: none.
        lists: Which of the columns are lists, served as `(batch, n)` filled up with "". Defaults
            to `()`.
        experts: What makes `h`: a layer of `x`, and of the domain if it has `domains`. Defaults to
            `None`: `DomainExperts(domains)`.
        tower: What makes a logit of `h`, one for each target of this form. Defaults to `None`:
            `Star(domains, (16, 1), None, normalize=False)`.
        models: For domains the models that move in, `MovedIn` each, or lists of these. Defaults to
            `None`: none.
        regression: The targets that are numbers, learnt by the squared error. Defaults to `()`:
            all are yes or no, 1 or 0.
        domain_weights: How much a sample of a domain weighs, 1 for those it lacks. Defaults to
            `None`.
        weights: Of the targets' losses, as in `recs.tasks.MultiTask`, but no `GradNorm`. Defaults
            to `None`.
        embedding_dim: int. Length of each embedding. Defaults to `8`.
        own_embedding_dim: int. The same of the domains' own. Defaults to `None`: as the others.
        regularization: float. Factor of the squares of the batch's distinct embeddings. Defaults
            to `0.0`.
        dropout: float. The share of `x` that training leaves out. Defaults to `0.0`.
        seed: int. Decides the initial embeddings. Defaults to `None`: drawn from Python's `random`.
        **kwargs: The arguments of `keras.Model`.

    Shapes: a dict of columns `(batch,)`, lists `(batch, n)` or ragged -> a dict with `(batch,)`
    float32 for each target.

    Raises:
        ValueError: `domains` are no different names, a domain in an argument is none of them,
            `weights` is a `GradNorm`, or a tower cannot be silent for a model that moves in.

    Example:
    ```python
    >>> from recs.data import Samples
    >>> from recs.models import CrossDomain
    >>> rows = Samples({"domain": ["books", "films", "books"], "user": ["ann", "ann", "bob"],
    ...                 "author": ["Eco", "", "Eco"], "liked": [1.0, 0.0, 0.0]})
    >>> model = CrossDomain(["books", "films"], ["liked"], categories=["user"],
    ...                     own_categories={"books": ["author"]}, seed=1)
    >>> model.adapt(rows).compile("adam")
    >>> sorted(model.fit(rows.to_dataset(batch_size=3), verbose=0).history)[:2]
    ['books_auc', 'films_auc']
    >>> model.predict_targets(rows)["liked"].shape
    (3,)

    ```

    Reference: The towers: Sheng et al., "One Model to Serve All: Star Topology Adaptive Recommender
    for Multi-Domain CTR Prediction", CIKM 2021; shared and own experts: Tang et al., "Progressive
    Layered Extraction (PLE)", RecSys 2020.
    """

    def __init__(
        self,
        domains: Sequence[str],
        targets: Sequence[str] | Mapping[str, Sequence[str]],
        *,
        domain: str | None = "domain",
        categories: Sequence[str] = (),
        numbers: Sequence[str] = (),
        own_categories: Mapping[str, Sequence[str]] | None = None,
        own_numbers: Mapping[str, Sequence[str]] | None = None,
        lists: Sequence[str] = (),
        experts: keras.layers.Layer | None = None,
        tower: keras.layers.Layer | None = None,
        models: Mapping[str, Any] | None = None,
        regression: Sequence[str] = (),
        domain_weights: Mapping[str, float] | None = None,
        weights: Any = None,
        embedding_dim: int = 8,
        own_embedding_dim: int | None = None,
        regularization: float = 0.0,
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.domains = checked_names(domains, f"CrossDomain '{self.name}'", "domains")
        given: dict[str, Any] = {
            "targets": dict(targets) if isinstance(targets, Mapping) else list(targets),
            "own_categories": dict(own_categories or {}),
            "own_numbers": dict(own_numbers or {}),
            "domain_weights": dict(domain_weights or {}),
        }
        for name, value in {**given, "models": models or {}}.items():
            self._check_domains(name, value)
        self._arguments: dict[str, Any] = {
            "domains": list(self.domains), "domain": domain, **given,
            "categories": list(categories), "numbers": list(numbers), "lists": list(lists),
            "regression": list(regression), "embedding_dim": embedding_dim,
            "own_embedding_dim": own_embedding_dim, "regularization": regularization,
            "dropout": dropout, "seed": seed,
        }  # fmt: skip
        of = given["targets"]
        self._targets = {d: list(of[d] if isinstance(of, dict) else of) for d in self.domains}
        self.targets = list(dict.fromkeys(t for each in self._targets.values() for t in each))
        drawn = random.randrange(2**31) if seed is None else seed
        own = {d: (given["own_categories"].get(d, ()), given["own_numbers"].get(d, ()))
               for d in self.domains}  # fmt: skip
        self.features = DomainFeatures(
            self.domains, (categories, numbers), own, drawn,
            dims=(embedding_dim, own_embedding_dim or embedding_dim), regularization=regularization,
        )  # fmt: skip
        self.dropout = keras.layers.Dropout(dropout, seed=drawn)
        self.experts = DomainExperts(self.domains, name="experts") if experts is None else experts
        form = tower or Star(self.domains, (16, 1), None, normalize=False)
        self.towers = {t: parts.renamed(form, f"tower_{n}") for n, t in enumerate(self.targets)}
        self.moved_in = {d: parts.as_list(one) for d, one in (models or {}).items()}
        self._model_gates = parts.gates(self.moved_in, self.domains, self.dtype_policy)
        if isinstance(weights, GradNorm):
            raise self._wrong(
                "`weights`",
                "must not be a `GradNorm`: no layer of the network balances by it",
                "one",
            )
        self.task = MultiTask({t: self._head(t) for t in self.targets}, weights)
        one = len(self.targets) == 1
        self.areas = {
            t: DomainAUC([d for d in self.domains if t in self._targets[d]],
                         "auc" if one else f"{t}_auc")
            for t in self.targets if t not in regression
        }  # fmt: skip
        self._make_weights()

    def _head(self, target: str) -> Ranking:
        if target in self._arguments["regression"]:
            return Ranking(keras.losses.MeanSquaredError())
        return Ranking(keras.losses.BinaryCrossentropy(from_logits=True))

    def _make_weights(self) -> None:
        # All weights are made now, for a file to be loaded into.
        x = keras.KerasTensor((None, self.features.shared.width))
        own = {self.domains[d]: keras.KerasTensor((None, layer.width))
               for d, layer in self.features.own.items()}  # fmt: skip
        hidden = self._hidden(x, keras.KerasTensor((None,), "int32"), own)
        for target, tower in self.towers.items():
            parts.apply(tower, hidden, keras.KerasTensor((None,), "int32"))
            for domain, models in self.moved_in.items():
                if any(target in model.targets for model in models):
                    parts.silence(tower, self.domains.index(domain))
        for gate in self._model_gates.values():
            gate.build(x.shape)
        self.built = True

    @property
    def domain_column(self) -> str | None:
        """The column that names the domain, or None."""
        column: str | None = self._arguments["domain"]
        return column

    @property
    def columns(self) -> list[str]:
        """The columns that a prediction reads."""
        each = [name for d in range(len(self.domains)) for name in self.columns_of(d)]
        domain = self._arguments["domain"]
        return list(dict.fromkeys([*([domain] if domain else []), *each]))

    def columns_of(self, domain: str | int) -> list[str]:
        """Returns the columns that a domain's predictions read.

        Args:
            domain: Its name or number.
        """
        d = self.domains.index(domain) if isinstance(domain, str) else domain
        moved = [c for m in self.moved_in.get(self.domains[d], ()) for c in m.columns]
        return list(dict.fromkeys([*self.features.columns_of(d), *moved]))

    def targets_of(self, domain: str) -> list[str]:
        """Returns the targets of a domain."""
        return list(self._targets[domain])

    def adapt(self, samples: Mapping[str, Any]) -> CrossDomain:
        """Takes means and deviations of the numbers from training samples; returns the model.

        Args:
            samples: a dict or a table with the columns of numbers, and the domains' if there are
                numbers of domains' own.
        """
        self.features.shared.adapt(samples)
        column = self._arguments["domain"]
        for d, layer in self.features.own.items():
            if not layer.numbers:
                continue
            rows = slice(None)
            if column is not None:
                rows = np.asarray(samples[column]).astype(str) == self.domains[d]
            layer.adapt({name: np.asarray(samples[name])[rows] for name in layer.numbers})
        return self

    def call(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the predictions of a batch, also of targets that a row's domain does not have."""
        return self._predictions(self.logits(inputs))

    def _predictions(self, logits: Mapping[str, Any]) -> dict[str, Any]:
        numbers = self._arguments["regression"]
        flat = {t: ops.squeeze(logit, -1) for t, logit in logits.items()}
        return {t: x if t in numbers else ops.sigmoid(x) for t, x in flat.items()}

    def logits(self, inputs: Mapping[str, Any], domain: int | None = None) -> dict[str, Any]:
        """Returns each target's logits, or numbers for targets of regression, `(batch, 1)`.

        Args:
            inputs: A dict of columns.
            domain: The number of the domain that all rows are of. Defaults to `None`: the column
                says.
        """
        routing = Routing(self._number(inputs) if domain is None else domain, len(self.domains))
        x, own = self.features(inputs, routing=routing)
        # Sorted by domain once for all layers.
        rows = routing.for_sorted()
        hidden = self._hidden(self.dropout(routing.sort(x)), rows, own)
        wanted = self.targets if domain is None else self._targets[self.domains[domain]]
        logits = {}
        for t in wanted:
            logit = parts.apply(self.towers[t], hidden, rows)
            logits[t] = ops.cast(routing.unsort(logit), "float32")
        for name in self.moved_in:
            if self.domains.index(name) in routing.present:
                logits = parts.with_models(self, logits, name, inputs, x, routing)
        return logits

    def _hidden(self, x: Any, domain: Any, own: Mapping[str, Any]) -> Any:
        return parts.apply(self.experts, x, domain, **({"own": own} if own else {}))

    def _number(self, inputs: Mapping[str, Any]) -> Any:
        column = self._arguments["domain"]
        if column is None:
            return 0
        if column not in inputs:
            raise self._wrong("The batch", f"must name domains as {column!r}", ", ".join(inputs))
        return parts.numbers_of(inputs[column], self.domains)

    def compute_loss(self, inputs: Any, training: bool = False) -> Any:
        """Returns the weighed loss of a batch, as `MultiTaskModel` takes it."""
        inputs = as_columns(inputs, f"CrossDomain '{self.name}'", lone(self.targets))
        number = self._number(inputs)
        logits = self.logits(inputs)
        rows = ops.shape(logits[self.targets[0]])[0]
        number = ops.full((rows,), 0, dtype="int32") if isinstance(number, int) else number
        labels = {}
        for t in self.targets:
            has = [t in self._targets[d] for d in self.domains]
            there = parts.entry_of(has, number, False)
            found = inputs[t] if t in inputs else ops.full((rows,), float("nan"))
            found = ops.reshape(ops.cast(found, "float32"), (-1, 1))
            labels[t] = ops.where(ops.expand_dims(there, -1), found, float("nan"))
            if t in self.areas:
                places = np.cumsum(has) - 1
                own = parts.entry_of(np.where(has, places, -1), number, -1)
                self.areas[t].update_state(labels[t][:, 0], ops.sigmoid(logits[t][:, 0]), own)
        weight = flat_weights(inputs)
        if of := self._arguments["domain_weights"]:
            own = parts.entry_of([of.get(d, 1.0) for d in self.domains], number, 1.0)
            weight = own if weight is None else own * ops.cast(weight, own.dtype)
        return self.task(labels, logits, sample_weight=weight, training=training)

    def predict_targets(
        self, columns: Mapping[str, Any], batch_size: int = 8192
    ) -> dict[str, np.ndarray]:
        """Returns the predictions of each target, `(rows,)` float32.

        NaN where the row's domain does not have the target.

        Args:
            columns: a dict or a table of the model's columns; those of domains that are not there
                may be missing.
            batch_size: rows predicted at once. Defaults to `8192`.
        """
        found = parts.in_batches(self, columns, batch_size)
        column = self._arguments["domain"]
        if column is not None:
            names = np.asarray(columns[column]).astype(str)
            for t, values in found.items():
                lacks = [d for d in self.domains if t not in self._targets[d]]
                values[np.isin(names, lacks)] = np.nan
        return found

    def serving_signatures(self) -> dict[str, Any]:
        """Returns what a server offers: a signature for each domain, of its columns and targets.

        `serving_default` is the only domain's, or takes the columns of all and the domain's name.
        """
        return parts.signatures(self)

    def with_domain(self, domain: str, **given: Any) -> CrossDomain:
        """Returns a model with one domain more, which predicts for the others what this one does.

        The new domain begins with what is shared. Weights, and tables with what optimizers keep,
        are copied; models that moved in are in both. Compile the new model to train it.

        Args:
            domain: The new domain's name.
            **given: `targets`, `own_categories`, `own_numbers`, `weight` and `models` of it.
                Targets are those of all domains unless they are given.

        Raises:
            ValueError: the domain is there already, or its targets are missing.
        """
        if domain in self.domains:
            raise self._wrong("`domain`", "must be a new one", f"domain={domain!r}")
        return parts.grown(self, domain, **given)

    def _check_domains(self, name: str, value: Any) -> None:
        wrong = sorted(set(value) - set(self.domains)) if isinstance(value, Mapping) else []
        lacking = name == "targets" and isinstance(value, dict) and set(self.domains) - set(value)
        if wrong or lacking:
            rule = f"must be of the domains {', '.join(self.domains)}"
            rule += ", each of them" if name == "targets" else ""
            raise self._wrong(f"`{name}`", rule, ", ".join(map(str, value)))

    def _wrong(self, what: str, rule: str, received: str) -> ValueError:
        where = f"CrossDomain '{self.name}'"
        return ValueError(explain(what, rule=rule, received=received, where=where))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the model."""
        serialize = keras.saving.serialize_keras_object
        return {
            "name": self.name,
            **self._arguments,
            "experts": serialize(self.experts),
            "tower": serialize(self.towers[self.targets[0]]),
            "models": {d: [serialize(m) for m in each] for d, each in self.moved_in.items()},
            "weights": self.task.get_config()["weights"],
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> CrossDomain:
        """Rebuilds the model from `get_config`."""
        return cls(**parts.revived(config))
