"""A small data set of one's own, and a configuration for it."""

from __future__ import annotations

import numpy as np
import pytest

CONFIG = """
seed: 1
data:
  class_path: recs.experiments.CsvFile
  init_args:
    path: {folder}/log.csv
    user: who
    item: what
    rating: stars
    timestamp: at
    id_type: {id_type}
    items:
      path: {folder}/films.csv
      item: id
      title: name
      genres: kind
split: {{class_path: recs.experiments.LastOut, init_args: {{n: 1}}}}
model:
  class_path: recs.models.TwoTower
  init_args: {{user: who, item: what, embedding_dim: 4, id_dtype: {id_type}, item_features: [kind]}}
optimizer: {{class_path: keras.optimizers.Adagrad, init_args: {{learning_rate: 0.1}}}}
evaluation:
  class_path: recs.experiments.RetrievalEvaluation
  init_args: {{ks: [2, 5], show_users: 1, show_items: 3}}
epochs: 2
batch_size: 16
"""


@pytest.fixture
def config(tmp_path):
    rng = np.random.default_rng(3)
    rows = {(int(u), int(i)) for u, i in rng.integers(0, [10, 12], size=(80, 2))}
    lines = [f"{u},{i},{(u + i) % 5 + 1},{n}" for n, (u, i) in enumerate(sorted(rows))]
    (tmp_path / "log.csv").write_text("who,what,stars,at\n" + "\n".join(lines) + "\n")
    films = [f"{i},Film {i},{'Drama|War' if i % 2 else ''}" for i in range(12)]
    (tmp_path / "films.csv").write_text("id,name,kind\n" + "\n".join(films) + "\n")

    def write(id_type="string", **replaced):
        text = CONFIG.format(folder=tmp_path, id_type=id_type)
        for old, new in replaced.items():
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "small.yaml"
        path.write_text(text)
        return str(path)

    return write
