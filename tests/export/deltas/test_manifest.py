"""A folder of deltas is data: what its manifest says is checked, and leads nowhere else."""

from __future__ import annotations

import json
import os
import random
import shutil

import keras
import numpy as np
import pytest

from recs.export import DeltaFolder
from recs.export.deltas import manifest
from recs.layers import DynamicEmbedding
from tests.export.deltas import fuzz_manifest


def model_of():
    ids = keras.Input((), dtype="int64")
    return keras.Model(ids, keras.layers.Dense(1)(DynamicEmbedding(2, name="users")(ids)))


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """A folder with a base and two deltas, and a folder and a file beside it."""
    outside = tmp_path_factory.mktemp("outside")
    model = model_of()
    for value in (1.0, 2.0, 3.0):
        model.get_layer("users").table.upsert([1], [[value, value]])
        DeltaFolder(outside / "changes").write(model)
    (outside / "victim").mkdir()
    (outside / "victim" / "precious").write_text("kept")
    return outside


@pytest.fixture
def outside(chain, tmp_path):
    shutil.copytree(chain, tmp_path / "copy")
    return tmp_path / "copy"


def contents(folder):
    return {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_corpus_and_its_mutations_are_chains_or_refused(tmp_path):
    rng = random.Random(11)
    for path in sorted(fuzz_manifest.CORPUS.iterdir()):
        content = path.read_bytes()
        assert fuzz_manifest.check(content, tmp_path) == (path.stem in fuzz_manifest.CHAINS), path
        for _ in range(40):
            fuzz_manifest.check(fuzz_manifest.mutated(content, rng), tmp_path)


@pytest.mark.parametrize("kind", ["folder", "pipe", "link", "large"])
def test_a_manifest_that_is_no_plain_file_of_moderate_size_is_refused(tmp_path, kind):
    path = tmp_path / manifest.NAME
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        (tmp_path / "elsewhere").write_text('{"version": 1, "entries": []}')
        path.symlink_to(tmp_path / "elsewhere")
    else:
        path.touch()
        os.truncate(path, 1 << 40)
    with pytest.raises(ValueError, match="The manifest of a folder of deltas must"):
        _ = DeltaFolder(tmp_path).entries


@pytest.mark.parametrize(
    "name",
    ["0-x/../../victim", "../victim", "victim", "/victim", "3-delta/", "\u0663-delta", "3-delta\n"],
)
def test_a_name_that_is_no_entry_s_is_followed_nowhere(outside, name):
    path = outside / "changes" / manifest.NAME
    content = json.loads(path.read_text())
    if name == "/victim":
        name = str(outside / "victim")
    content["entries"][1]["name"] = name
    path.write_text(json.dumps(content))
    before, model = contents(outside), model_of()
    folder = DeltaFolder(outside / "changes")
    for call in (folder.compact, folder.apply, folder.write):
        with pytest.raises(ValueError, match="which is no name of a base or a delta"):
            call(model)
    assert contents(outside) == before


@pytest.mark.parametrize("what", ["000002-delta", "000002-delta/table_000", "000002-delta/note"])
def test_links_are_not_followed(outside, what):
    link = outside / "changes" / what
    if link.exists():
        link.rename(outside / "moved")
    link.symlink_to(outside / ("victim" if what.endswith("note") else "moved"))
    before, model = contents(outside), model_of()
    folder = DeltaFolder(outside / "changes")
    for call in (folder.compact, folder.apply):
        with pytest.raises(ValueError, match="must be a folder with nothing but files in it"):
            call(model)
    assert contents(outside) == before
    np.testing.assert_array_equal(model.get_layer("users").table.lookup([1]), [[1.0, 1.0]])


def test_a_link_in_place_of_the_next_entry_is_replaced_itself(outside):
    (outside / "changes" / "000004-base").symlink_to(outside / "victim")
    assert DeltaFolder(outside / "changes").write(model_of_a_row()) == "000004-base"
    assert (outside / "victim" / "precious").read_text() == "kept"
    assert not (outside / "changes" / "000004-base").is_symlink()


def model_of_a_row():
    model = model_of()
    model.get_layer("users").table.upsert([1], [[1.0, 1.0]])
    return model


def test_an_entry_that_leads_elsewhere_than_its_manifest_says_is_told(outside):
    path = outside / "changes" / manifest.NAME
    content = json.loads(path.read_text())
    content["entries"][2]["cursors"] = ["0" * 32 + "-9"]
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="must lead to where its manifest says"):
        DeltaFolder(outside / "changes").apply(model_of())
