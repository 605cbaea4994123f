"""A callback that saves a model beside its training."""

from __future__ import annotations

import os
import pathlib
import shutil
import threading
from typing import Any

import keras

from recs.errors import explain
from recs.training import checkpoint_folder


class BackgroundCheckpoint(keras.callbacks.Callback):
    """Saves the whole model again and again, while it goes on training.

    Keras's `ModelCheckpoint` and `BackupAndRestore` hold training up until all is written, and
    hold every table in memory once more. This takes the moment, which stops training for an
    instant, and writes tables, dense variables and the optimizer beside it, with a bounded buffer.
    Each state is a folder of its own that gets its name when it is complete and on the disk, so a
    process that dies at any moment leaves the last complete one. When a save comes up before the
    last one has ended, training waits for that.

    An error of a save (a full disk, say) is raised by the next batch or at the end of training; the
    states before are untouched.

    Args:
        folder: Where the states are, one folder each, named by the number of batches trained.
        save_freq: `"epoch"`, or after how many training batches, as in Keras's `ModelCheckpoint`.
            Defaults to `"epoch"`.
        keep: How many complete states to keep, the newest. Defaults to `3`.

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
    {'batches': 2, 'epochs': 2}
    >>> bool((model.predict(np.arange(5), verbose=0)
    ...       == resumed.predict(np.arange(5), verbose=0)).all())
    True

    ```

    Reference: asynchronous checkpoints of Orbax and of PyTorch's distributed checkpoints.
    """

    def __init__(
        self, folder: str | os.PathLike[str], save_freq: str | int = "epoch", keep: int = 3
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
        self._batches = 0
        self._epochs = 0
        self._running: threading.Thread | None = None
        self._error: BaseException | None = None

    def restore(self, model: keras.Model) -> dict[str, int] | None:
        """Gives a model the newest complete state, and goes on counting from there.

        Args:
            model: Built and compiled as it was when it was saved.

        Returns:
            How many `batches` and `epochs` were trained, the latter for `fit(initial_epoch=...)`;
            None when there is no state, and nothing was changed.

        Raises:
            ValueError: the model has other tables or variables.
            tf.errors.DataLossError: the state is damaged. The damaged table is as it was; those
                before it have the saved state.
        """
        states = checkpoint_folder.complete(self.folder)
        if not states:
            return None
        about = checkpoint_folder.restore(model, states[-1])
        self._batches, self._epochs = about["batches"], about["epochs"]
        return {"batches": self._batches, "epochs": self._epochs}

    def wait(self) -> None:
        """Waits for the save that is under way, and raises what went wrong with it."""
        if self._running is not None:
            self._running.join()
            self._running = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Begins a save when enough batches have passed."""
        self._batches += 1
        if self._running is not None and not self._running.is_alive():
            self.wait()
        if self.save_freq != "epoch" and self._batches % int(self.save_freq) == 0:
            self._begin()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Begins a save, unless batches are counted."""
        self._epochs = epoch + 1
        if self.save_freq == "epoch":
            self._begin()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Waits for the last save."""
        self.wait()

    def _begin(self) -> None:
        self.wait()
        name = f"{self._batches:012d}"
        if (self.folder / name).exists():
            return  # this very state, from before a restart
        about = {"batches": self._batches, "epochs": self._epochs}
        begun = checkpoint_folder.begin(self.model, self.folder, name, about)
        # No daemon: a process that ends in order completes its last state.
        self._running = threading.Thread(
            target=self._finish, args=(begun, self.folder / name), name="recs checkpoint"
        )
        self._running.start()

    def _finish(self, begun: checkpoint_folder.Begun, path: pathlib.Path) -> None:
        try:
            begun.finish(path)
            for old in checkpoint_folder.complete(self.folder)[: -self.keep]:
                shutil.rmtree(old, ignore_errors=True)
        except BaseException as error:  # for the thread that trains
            self._error = error


def _bad(what: str, rule: str, received: Any) -> ValueError:
    return ValueError(
        explain(what, rule=rule, received=repr(received), where="BackgroundCheckpoint")
    )
