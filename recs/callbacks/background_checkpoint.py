"""A callback that saves a model beside its training."""

from __future__ import annotations

import os
import pathlib
import threading
from typing import Any

import keras
import tensorflow as tf

from recs.errors import explain
from recs.training import checkpoint_folder
from recs.training.epoch_order import EpochOrder, shuffled_otherwise
from recs.training.own_states import OwnStates


class BackgroundCheckpoint(EpochOrder):
    """Saves the whole model again and again, while it goes on training.

    Keras's `ModelCheckpoint` and `BackupAndRestore` hold training up until all is written, and
    hold every table in memory once more. This takes the moment, which stops training for an
    instant, and writes tables, dense variables and the optimizer beside it, with a bounded buffer.
    Each state is a folder of its own that gets its name when it is complete and on the disk, so a
    process that dies at any moment leaves the last complete one. When a save comes up before the
    last one has ended, training waits for that.

    `resume` goes on where the newest state stands, within an epoch too, and ends where an
    uninterrupted training would have: data that `recs.data` shuffles comes in the order of the
    epoch's number (`EpochOrder`). Or `restore` gives a model the state, and
    `fit(initial_epoch=...)` goes on at the beginning of an epoch.

    An error of a save (a full disk, say) is raised by the next batch or at the end of training; the
    states before are untouched.

    Args:
        folder: Where the states are, one folder each, named by the number of batches trained.
        save_freq: `"epoch"`, or after how many training batches, as in Keras's `ModelCheckpoint`.
            Defaults to `"epoch"`.
        keep: How many complete states to keep, the newest. Defaults to `3`.
        overwrite: What to do when training begins and the folder has states that were not restored
            into the model: remove them, or (`False`, the default) raise a ValueError. Else a run
            that is not this one could be restored for it.

    Raises:
        ValueError: an argument is not one of these.

    Example:
    ```python
    >>> import tempfile
    >>> def made():
    ...     model = keras.Sequential(
    ...         [recs.layers.DynamicEmbedding(2, seed=1), keras.layers.Dense(1)])
    ...     model.build((None,))
    ...     model.compile("adagrad", "mse")
    ...     return model
    >>> save = recs.callbacks.BackgroundCheckpoint(tempfile.mkdtemp())
    >>> model, resumed = made(), made()
    >>> _ = model.fit(np.arange(4), np.ones((4, 1)), epochs=2, callbacks=[save], verbose=0)
    >>> save.restore(resumed)
    {'batches': 2, 'epochs': 2, 'epoch_batches': 0}
    >>> bool((model.predict(np.arange(5), verbose=0)
    ...       == resumed.predict(np.arange(5), verbose=0)).all())
    True

    ```

    Reference: asynchronous checkpoints of Orbax and of PyTorch's distributed checkpoints.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        save_freq: str | int = "epoch",
        keep: int = 3,
        overwrite: bool = False,
    ) -> None:
        super().__init__()
        counts = isinstance(save_freq, int) and not isinstance(save_freq, bool) and save_freq > 0
        if save_freq != "epoch" and not counts:
            raise _bad("`save_freq`", "must be 'epoch' or a positive integer", save_freq)
        if isinstance(keep, bool) or not isinstance(keep, int) or keep < 1:
            raise _bad("`keep`", "must be a positive integer", keep)
        self.folder = pathlib.Path(folder)
        self.save_freq = save_freq
        self.keep = keep
        self._states = OwnStates(self.folder, overwrite)
        self._batches = 0
        self._epochs = 0
        # Batches of the epoch under way that are trained, the last one that was counted, and those
        # of a restored state, which data has to leave out.
        self._epoch_batches = 0
        self._counted = -1
        self._to_skip = 0
        self._begins_at = 0
        self._by_passes = False
        self._running: threading.Thread | None = None
        self._error: BaseException | None = None

    def restore(self, model: keras.Model) -> dict[str, int] | None:
        """Gives a model the newest complete state, and goes on counting from there.

        Args:
            model: Built and compiled as it was when it was saved.

        Returns:
            How many `batches` and whole `epochs` were trained, the latter for
            `fit(initial_epoch=...)`, and how many batches of the next epoch, `epoch_batches`:
            where it is not 0, `fit` is refused, and `resume` leaves them out. None when there is
            no state, and nothing was changed.

        Raises:
            ValueError: the model has other tables or variables.
            tf.errors.OpError: a file of the state is missing or damaged; the model is as it was.
        """
        states = checkpoint_folder.complete(self.folder)
        if not states:
            return None
        about = checkpoint_folder.restore(model, states[-1])
        self._states.note_restored(model, states)
        self._batches, self._epochs = about["batches"], about["epochs"]
        self._to_skip = about.get("epoch_batches", 0)
        return self._about(self._to_skip)

    def resume(
        self,
        model: keras.Model,
        data: tf.data.Dataset,
        *,
        epochs: int = 1,
        steps_per_epoch: int | None = None,
        **arguments: Any,
    ) -> keras.callbacks.History:
        """Restores the newest state, if there is one, and trains on to the end.

        What of the data was trained on is read again and left out, so that the training ends where
        it would have ended without an interruption.

        Args:
            model: Built and compiled as it was when it was saved.
            data: The same data. Its order must follow from the number of the epoch: not shuffled,
                or shuffled by `recs.data`.
            epochs: At which epoch to end, as in `fit`. Defaults to `1`.
            steps_per_epoch: As in `fit`; the data must then be without end, by `repeat()`. Defaults
                to `None`.
            **arguments: Further ones of `fit`. This callback is added to `callbacks`.

        Returns:
            What this call trained; the figures of an epoch that was begun before are of the rest.

        Raises:
            ValueError: the model is another, or the data is shuffled by `tf.data.Dataset.shuffle`.

        Example:
        ```python
        >>> import tempfile
        >>> log = recs.data.Interactions({"user": list("abcabc"), "item": list("xyzyzx")})
        >>> def made():
        ...     model = recs.models.TwoTower(user="user", item="item", embedding_dim=2, seed=1)
        ...     model.compile("adagrad")
        ...     return model
        >>> folder = tempfile.mkdtemp()
        >>> for epochs in (1, 2):  # the second time as if the first had been interrupted
        ...     data = log.to_dataset(batch_size=3, shuffle=True, seed=1)
        ...     save = recs.callbacks.BackgroundCheckpoint(folder)
        ...     history = save.resume(made(), data, epochs=epochs, verbose=0)
        >>> history.epoch
        [1]

        ```
        """
        _check_data(data, steps_per_epoch)
        state = self.restore(model) or {"batches": 0, "epochs": 0, "epoch_batches": 0}
        done, rest = state["epochs"], state["epoch_batches"]
        arguments.setdefault("shuffle", False)  # Keras's own, of arrays
        arguments["callbacks"] = [*(arguments.get("callbacks") or ()), self]
        if steps_per_epoch is None and rest and not _goes_beyond(data, rest):
            done, rest = done + 1, 0
        parts = [(done, epochs, rest)]
        if rest:
            parts = [(done, done + 1, rest), (done + 1, epochs, 0)]
        histories: list[keras.callbacks.History] = []
        for first, last, skip in parts:
            if first >= last and histories:
                continue
            self._to_skip, self._begins_at = 0, skip
            rest_of_data = data.skip(skip)
            if steps_per_epoch is not None:
                rest_of_data = data.skip(self._batches)
                arguments["steps_per_epoch"] = steps_per_epoch - skip
            self._by_passes = steps_per_epoch is not None
            try:
                fit = model.fit(rest_of_data, initial_epoch=first, epochs=last, **arguments)
            finally:
                self._by_passes = False
            histories.append(fit)
        return _joined(histories)

    def wait(self) -> None:
        """Waits for the save that is under way, and raises what went wrong with it."""
        if self._running is not None:
            self._running.join()
            self._running = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Refuses a folder of another training, and to train twice on batches of an epoch."""
        super().on_train_begin(logs)
        self.wait()
        if not self._states.begin(self.model):
            self._batches = self._epochs = self._to_skip = self._begins_at = 0
        self._passes |= self._by_passes
        self._epoch_batches, self._begins_at = self._begins_at, 0
        if skip := self._to_skip:
            self._to_skip = 0
            raise ValueError(
                explain(
                    "A training from the middle of an epoch",
                    rule="must leave out the batches that were trained on",
                    received=f"a state after {skip} batches of epoch {self._epochs}",
                    where="BackgroundCheckpoint",
                    remedy="Call `resume(model, data, epochs=...)` instead of `restore` and `fit`.",
                )
            )

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Counts the batches of the epoch."""
        super().on_epoch_begin(epoch, logs)
        self._counted = -1

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Begins a save when enough batches have passed."""
        super().on_train_batch_end(batch, logs)
        passed = batch - self._counted  # several with `steps_per_execution`
        before = self._batches
        self._counted, self._batches = batch, before + passed
        self._epoch_batches += passed
        if self._running is not None and not self._running.is_alive():
            self.wait()
        if self.save_freq != "epoch":
            frequency = int(self.save_freq)
            if self._batches // frequency > before // frequency:
                self._begin()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Begins a save, unless batches are counted."""
        super().on_epoch_end(epoch, logs)
        self._epochs = epoch + 1
        self._epoch_batches = 0
        if self.save_freq == "epoch":
            self._begin()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Waits for the last save."""
        super().on_train_end(logs)
        self.wait()

    def _number_of(self, epoch: int) -> int:
        return 0 if self._by_passes else epoch

    def _about(self, epoch_batches: int) -> dict[str, int]:
        return {
            "batches": self._batches,
            "epochs": self._epochs,
            "epoch_batches": epoch_batches,
        }

    def _begin(self) -> None:
        self.wait()
        self._states.check()
        name = f"{self._batches:012d}"
        if (self.folder / name).exists():
            return  # this very state, from before a restart
        about = self._about(self._epoch_batches)
        begun = checkpoint_folder.Begun(self.model, self.folder, name, about)
        # No daemon: a process that ends in order completes its last state.
        self._running = threading.Thread(target=self._finish, args=(begun,), name="recs checkpoint")
        self._running.start()

    def _finish(self, begun: checkpoint_folder.Begun) -> None:
        try:
            self._states.add(begun, self.keep)
        except BaseException as error:  # for the thread that trains
            self._error = error


def _check_data(data: Any, steps_per_epoch: int | None) -> None:
    rule, received = "", type(data).__name__
    if not isinstance(data, tf.data.Dataset):
        rule = "must be a `tf.data.Dataset`"
    elif way := shuffled_otherwise(data):
        rule, received = "must have an order that follows from the number of the epoch", way
    elif steps_per_epoch is not None and data.cardinality() != tf.data.INFINITE_CARDINALITY:
        rule = "must be without end where `steps_per_epoch` is given"
        received = f"{int(data.cardinality())} batches"
    if rule:
        raise ValueError(
            explain(
                "`data`",
                rule=rule,
                received=received,
                where="BackgroundCheckpoint.resume",
                remedy="Give what `to_dataset`, `stream_parquet` or `stream_tfrecord` returns, "
                "with `repeat()` for `steps_per_epoch`; or `restore` and call `fit`.",
            )
        )


def _goes_beyond(data: tf.data.Dataset, batches: int) -> bool:
    """Returns whether data has more batches than these."""
    count = int(data.cardinality())
    if count == tf.data.UNKNOWN_CARDINALITY:
        return any(True for _ in data.skip(batches).take(1))
    return count == tf.data.INFINITE_CARDINALITY or count > batches


def _joined(histories: list[keras.callbacks.History]) -> keras.callbacks.History:
    *earlier, last = histories
    for one in earlier:
        last.epoch = [*one.epoch, *last.epoch]
        names = list(last.history or one.history)
        last.history = {
            name: [*one.history.get(name, ()), *last.history.get(name, ())] for name in names
        }
    return last


def _bad(what: str, rule: str, received: Any) -> ValueError:
    return ValueError(
        explain(what, rule=rule, received=repr(received), where="BackgroundCheckpoint")
    )
