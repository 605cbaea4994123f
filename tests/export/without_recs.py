"""Run as a script: loads SavedModels in a process where `recs` cannot be imported, and calls them.

Its argument is a pickled list of `(path, signature, inputs)`; it writes the pickled list of outputs
to the second argument.
"""

from __future__ import annotations

import pickle
import sys


class _NoRecs:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "recs":
            raise ImportError(f"'{name}' is not to be imported here")


def main(requests: str, answers: str) -> None:
    sys.meta_path.insert(0, _NoRecs())
    import tensorflow as tf

    outputs = []
    with open(requests, "rb") as file:
        wanted = pickle.load(file)
    for path, signature, inputs in wanted:
        loaded = tf.saved_model.load(path)
        tensors = {name: tf.constant(value) for name, value in inputs.items()}
        found = loaded.signatures[signature](**tensors)
        outputs.append({name: value.numpy() for name, value in found.items()})
    assert "recs" not in sys.modules
    with open(answers, "wb") as file:
        pickle.dump(outputs, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
