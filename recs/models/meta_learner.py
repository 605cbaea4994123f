"""A model whose towers adapt to each user, group or item from a few samples of theirs."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import keras
import tensorflow as tf
from keras import ops

from recs.errors import explain
from recs.layers.dense_chain import running
from recs.layers.recent_records import RecentRecords
from recs.layers.row_shapes import with_values_per_row
from recs.meta.adapt import Samples, adapt
from recs.meta.adapting_tower import AdaptingTower, Change
from recs.meta.episodes import episodes
from recs.meta.meta_loss import MetaLoss, check_arguments, meta_loss
from recs.meta.runners import adapted, watched
from recs.meta.sample_loss import SampleLoss, sample_loss
from recs.meta.samples import labels_in, present, rows_of, samples_of
from recs.meta.serving import adapting_signatures
from recs.meta.towers_of import towers_of
from recs.models.base import ReadyModel


@keras.saving.register_keras_serializable("recs")
class MetaLearner(ReadyModel):
    """Gives every user, group or item a tower of its own, made from a few samples when needed.

    A task `t` is an id. `W_t = W - a dL_t(W) / dW`, repeated `inner_steps` times, are its weights
    of the dense layers that adapt, where `L_t` is the mean loss of its support samples. No weights
    are stored for a task: `W` is what is learnt, so that little data takes it far.

    Training: the batch is divided into tasks, and each task's rows into support and query. The loss
    is `L = L_model + meta_weight * mean_t L_query(W_t)`, see `method`. Embeddings never adapt: the
    inner steps take the tower's inputs for constants, the outer gradient reaches all else through
    the query samples, and tables are updated once a step.

    Prediction: the last samples of a task, as the tower was given them, are in `memory`; a call
    looks them up and scores with `W_t`, of each row its own. A task without samples, and a row
    whose `adapt` is false, gets what the model itself predicts.

    What adapts is a chain of `keras.layers.Dense`: `adapting_towers` of the model, or its last
    `recs.layers.blocks.MLP`. A model may say how: `tower_labels(inputs)` returns what its towers
    have to give, a dict of `(batch, n)`, NaN where it is not known, and `tower_loss` the loss. With
    `task=None` each row is a task, and `tower_support(inputs)` of the model returns its samples, a
    dict of `(inputs (batch, n, in), labels (batch, n, label), mask (batch, n))`.

    Masking: none. State: the model's, and the memory.

    Args:
        model: Any `recs.Model` with such towers, which have their weights already.
        task: The column of task ids, or None, see above. Defaults to `"user_id"`.
        layers: What adapts: names of towers, or of dense layers in them. Defaults to `None`: the
            towers above.
        method: `"maml"` differentiates through the inner steps; `"first_order_maml"` takes them for
            constants, which is cheaper; `"reptile"` moves `W` towards the `W_t` of all samples of
            the tasks. Defaults to `"maml"`.
        inner_rate: float. The step size `a`. Defaults to `0.1`.
        inner_steps: int. How many steps. Defaults to `1`.
        support: int. Support samples of a task in a batch: half of its rows, at most this many.
            Defaults to `5`.
        query: int. Query samples of a task, at most. Defaults to `5`.
        tasks: int. Tasks of a batch, at most. Defaults to `64`.
        meta_weight: float. Factor of the meta loss; at 0 the model is trained as ever, and adapts
            in prediction only. Defaults to `1.0`.
        labels: The column of labels, or a dict from tower to column. Defaults to `None`: the
            model's `tower_labels`.
        loss: A Keras loss, its name, or a function from labels `(tasks, n, label)` and outputs
            `(tasks, n, out)` to `(tasks, n)`. Defaults to `None`: the model's `tower_loss`.
        memory_size: int. Samples remembered of a task, 0 for no memory. Defaults to `20`.
        remember_training: bool. Whether training puts its samples into the memory. Defaults to
            `True`.
        eviction: Which tasks are forgotten, as in `recs.layers.RecentRecords`. Defaults to `None`.
        timestamp: The column of times in seconds that `eviction` goes by. Defaults to `None`: now.
        id_dtype: Of task ids, `"string"` or `"int64"`. Defaults to `"string"`.
        label_width: int. The length of the labels. Defaults to `None`: that of the outputs.
        seed: int. Decides which rows are support. Defaults to `None`: drawn anew.
        **kwargs: The arguments of `keras.Model`.

    Shapes: what the model takes and gives; also `adapt` `(batch,)` bool, which may be left out.

    Raises:
        ValueError: a tower is not of dense layers that are built, or there is neither a label nor a
            loss.

    Example:
    ```python
    >>> import keras
    >>> import numpy as np
    >>> from recs.models import MetaLearner, RatingModel
    >>> tower = RatingModel(user=None, item="film", rating="stars", embedding_dim=4, seed=1)
    >>> model = MetaLearner(tower, task="user", inner_rate=0.5, seed=1)
    >>> rows = {"user": np.array(["ann", "ann", "bob", "bob"], object),
    ...         "film": np.array(["Heat", "Ran", "Heat", "Ran"], object),
    ...         "stars": np.array([4.0, 5.0, 1.0, 2.0], "float32")}
    >>> model = model.remember(rows)
    >>> model({**rows, "adapt": np.array([True, True, True, False])}).numpy().round(1).tolist()
    [4.5, 4.5, 1.5, 0.0]

    ```

    Reference: MAML, [Finn et al., 2017](https://arxiv.org/abs/1703.03400); Reptile,
    [Nichol et al., 2018](https://arxiv.org/abs/1803.02999); for recommenders MeLU,
    [Lee et al., 2019](https://arxiv.org/abs/1908.00413).
    """

    def __init__(
        self,
        model: keras.Model,
        task: str | None = "user_id",
        layers: Sequence[str] | None = None,
        *,
        method: Literal["maml", "first_order_maml", "reptile"] = "maml",
        inner_rate: float = 0.1,
        inner_steps: int = 1,
        support: int = 5,
        query: int = 5,
        tasks: int = 64,
        meta_weight: float = 1.0,
        labels: str | Mapping[str, str] | None = None,
        loss: Any = None,
        memory_size: int = 20,
        remember_training: bool = True,
        eviction: Any = None,
        timestamp: str | None = None,
        id_dtype: str = "string",
        label_width: int | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._arguments: dict[str, Any] = {
            "task": task,
            "layers": None if layers is None else list(layers),
            "method": method,
            "support": support,
            "query": query,
            "tasks": tasks,
            "labels": dict(labels) if isinstance(labels, Mapping) else labels,
            "memory_size": memory_size,
            "id_dtype": id_dtype,
            "label_width": label_width,
            "seed": seed,
        }
        sizes = {"inner_steps": inner_steps, "support": support, "query": query, "tasks": tasks}
        check_arguments(method, sizes, self._where)
        self.model = model
        self.task = task
        self.method = method
        self.inner_rate = inner_rate
        self.inner_steps = inner_steps
        self.meta_weight = meta_weight
        self.remember_training = remember_training
        self.timestamp = timestamp
        self._towers = towers_of(model, layers, self._where)
        self._given_loss = loss
        self._eviction = eviction
        self._sample_loss: SampleLoss = sample_loss(loss, model, self._where)
        if labels is None and not hasattr(model, "tower_labels"):
            remedy = "Name their column, or give the model a method `tower_labels`."
            raise self._bad("`labels`", "must be known", "labels=None", remedy)
        self._memory_names: list[str] = []
        if task is not None and memory_size:
            self._make_memories(memory_size, eviction)
        self._draws = keras.random.SeedGenerator(seed)
        self._means = {
            name: keras.metrics.Mean(name=name, dtype="float32")
            for name in ("ordinary_loss", "meta_loss", "tasks")
        }
        self.built = bool(model.built)

    def _make_memories(self, size: int, eviction: Any) -> None:
        # One attribute a memory, as every kind of saving follows those.
        for number, tower in enumerate(self._towers):
            width = tower.width + self._label_width(tower)
            name = f"_memory_{number}"
            memory = RecentRecords(
                width,
                size,
                key_dtype=self._arguments["id_dtype"],
                eviction=eviction,
                name=f"memory_{tower.name}",
            )
            setattr(self, name, memory)
            self._memory_names.append(name)

    def _label_width(self, tower: AdaptingTower) -> int:
        return self._arguments["label_width"] or tower.output_width

    @property
    def memory(self) -> dict[str, RecentRecords]:
        """The remembered samples of each tower: the tower's inputs, and behind them the labels."""
        names = [tower.name for tower in self._towers]
        return {n: getattr(self, m) for n, m in zip(names, self._memory_names, strict=False)}

    @property
    def columns(self) -> list[str]:
        """The columns that a prediction reads."""
        own = [] if self.task is None else [self.task]
        return list(dict.fromkeys([*own, *self.model.columns]))

    @property
    def samples_of_a_task(self) -> int:
        """The number of rows per task that a batch can use; `group_size` of `to_dataset`."""
        return int(self._arguments["support"] + self._arguments["query"])

    def call(self, inputs: Mapping[str, Any], training: bool | None = None) -> Any:
        """Returns the model's predictions, adapted to the task of each row unless it trains."""
        if training:
            return self.model(inputs, training=True)
        with self.adapting(inputs):
            return self.model(inputs, training=training)

    @contextlib.contextmanager
    def adapting(self, inputs: Mapping[str, Any]) -> Iterator[None]:
        """Temporarily adapts the model's towers, in this thread.

        The towers must be called with a row for each of `inputs`, in the same order.

        Args:
            inputs: A dict with the task ids, or what `tower_support` reads, and maybe `adapt`.
        """
        inputs = with_values_per_row(inputs, (self.task, "adapt"), self._where)
        switch = inputs.get("adapt")
        switch = None if switch is None else tf.cast(switch, tf.bool)[:, tf.newaxis]
        runners = {}
        for tower, support in self._supports(inputs).items():
            if switch is not None:
                support = support._replace(mask=tf.logical_and(support.mask, switch))
            changes = functools.partial(self._changes, tower, support)
            runners[id(tower.chain[0])] = adapted(tower, changes)
        with running(runners):
            yield

    def _changes(self, tower: AdaptingTower, support: Samples) -> list[Change | None]:
        rate, steps = self.inner_rate, self.inner_steps
        return adapt(tower, support, self._sample_loss, rate, steps, first_order=True)

    def _supports(self, inputs: Mapping[str, Any]) -> dict[AdaptingTower, Samples]:
        """Returns for each row of a batch the samples that its towers are adapted to."""
        if self.task is None:
            found = self.model.tower_support(inputs)
            return {tower: Samples(*found[tower.name]) for tower in self._towers}
        supports = {}
        for tower in self._towers if self._memory_names else []:
            memory = self.memory[tower.name]
            recent = memory.recent(inputs[self.task])
            samples, labels = tf.split(recent.records, [tower.width, -1], axis=-1)
            mask = tf.sequence_mask(recent.lengths, memory.capacity)
            supports[tower] = Samples(samples, labels, mask)
        return supports

    def compute_loss(self, inputs: Any, training: bool = False) -> Any:
        """Returns the model's loss of a batch and the meta loss of its tasks.

        Args:
            inputs: The batch, a dict.
            training: whether the model is trained.
        """
        with watched(self._towers) as seen:
            loss = self.model.compute_loss(inputs, training=training)
        loss = ops.sum(ops.cast(loss, "float32"))
        self._means["ordinary_loss"].update_state(loss)
        if not self.meta_weight and not (training and self.remember_training):
            return loss
        labels = self._labels(inputs)
        if self.meta_weight:
            order = self._order(inputs, training)
            for tower in self._towers:
                x = self._once(seen, tower)
                found = self._meta_loss(tower, x, labels[tower.name], inputs, order)
                self._means["meta_loss"].update_state(found.loss, sample_weight=found.tasks)
                self._means["tasks"].update_state(found.tasks)
                loss = loss + self.meta_weight * found.loss
        if training:
            self._learn_from(inputs, seen, labels)
        return loss

    def _meta_loss(
        self, tower: AdaptingTower, x: Any, target: Any, inputs: Any, order: Any
    ) -> MetaLoss:
        if self.task is None:
            # Each row is a task: its history is the support, and what follows it the query.
            support = Samples(*self.model.tower_support(inputs)[tower.name])
            query = samples_of(x[:, tf.newaxis], target[:, tf.newaxis])
        else:
            sizes = {name: self._arguments[name] for name in ("tasks", "support", "query")}
            ids = tf.convert_to_tensor(inputs[self.task])
            chosen = episodes(ids, present(target), order, **sizes)
            support, query = (rows_of(x, target, rows) for rows in chosen)
        return meta_loss(
            tower,
            support,
            query,
            self._sample_loss,
            method=self.method,
            rate=self.inner_rate,
            steps=self.inner_steps,
        )

    def _order(self, inputs: Any, training: bool) -> Any:
        """Returns the order of rows: at random in training, else as they come."""
        if self.task is None:
            return None
        count = tf.shape(tf.convert_to_tensor(inputs[self.task]))
        drawn = keras.random.uniform(count, dtype="float32", seed=self._draws) if training else None
        return tf.range(count[0]) if drawn is None else drawn

    def _once(self, seen: dict[str, list[Any]], tower: AdaptingTower) -> Any:
        if len(seen[tower.name]) == 1:
            return seen[tower.name][0]
        raise self._bad(
            f"Tower '{tower.name}'",
            "must be called once in a step, by an `MLP` or a model of `recs.models`",
            f"{len(seen[tower.name])} calls",
        )

    def _labels(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Returns what each tower has to give, `(batch, label)` float32."""
        columns = self._arguments["labels"]
        if columns is None:
            return {k: tf.cast(v, tf.float32) for k, v in self.model.tower_labels(inputs).items()}
        return labels_in(inputs, columns, [tower.name for tower in self._towers])

    def remember(self, data: Any) -> MetaLearner:
        """Puts samples into the memory, as a prediction would meet them; returns the model.

        Args:
            data: A batch with task ids, the model's columns and labels, or a dataset of such.
        """
        for batch in data if isinstance(data, tf.data.Dataset) else [data]:
            with watched(self._towers) as seen:
                self.model(batch, training=False)
            self._append(batch, seen, self._labels(batch))
        return self

    def _learn_from(self, inputs: Any, seen: Any, labels: Any) -> None:
        """Takes note of a batch of training."""
        for tower in self._towers:
            if hasattr(self._sample_loss, "remember"):
                self._sample_loss.remember(labels[tower.name])
        if self.remember_training:
            self._append(inputs, seen, labels)

    def _append(self, inputs: Any, seen: Any, labels: Any) -> None:
        times = None if self.timestamp is None else inputs[self.timestamp]
        for tower in self._towers if self._memory_names else []:
            target = labels[tower.name]
            record = tf.concat([self._once(seen, tower), target], axis=-1)
            ids = inputs[self.task]
            self.memory[tower.name].append(ids, tf.stop_gradient(record), times, present(target))

    def forget(self) -> MetaLearner:
        """Empties the memory; returns the model."""
        for memory in self.memory.values():
            memory.table.clear()
        return self

    def serving_signatures(self) -> dict[str, Any]:
        """Returns the model's signatures, which also take the task ids and `adapt`."""
        return adapting_signatures(self)

    def _bad(self, what: str, rule: str, received: str, remedy: str = "") -> ValueError:
        where = self._where
        return ValueError(explain(what, rule=rule, received=received, where=where, remedy=remedy))

    @property
    def _where(self) -> str:
        return f"MetaLearner '{self.name}'"

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the model."""
        serialize = keras.saving.serialize_keras_object
        loss, eviction = self._given_loss, self._eviction
        return {
            "name": self.name,
            "model": serialize(self.model),
            **self._arguments,
            "inner_rate": self.inner_rate,
            "inner_steps": self.inner_steps,
            "meta_weight": self.meta_weight,
            "remember_training": self.remember_training,
            "timestamp": self.timestamp,
            "loss": loss if loss is None or isinstance(loss, str) else serialize(loss),
            "eviction": None if eviction is None else serialize(eviction),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> MetaLearner:
        """Rebuilds the model from `get_config`."""
        config = dict(config)
        for name in ("model", "loss", "eviction"):
            if config[name] is not None and not isinstance(config[name], str):
                config[name] = keras.saving.deserialize_keras_object(config[name])
        return cls(**config)
