"""The page of public names is that of the code, and what it lists is documented and shown."""

from __future__ import annotations

import importlib.util
import inspect
import pathlib
import re

import recs

ROOT = pathlib.Path(__file__).parents[2]
ENGINE = ("recs.layers", "recs.layers.admission", "recs.layers.cold", "recs.layers.eviction",
          "recs.optimizers", "recs.callbacks")  # fmt: skip


def load_writer():
    spec = importlib.util.spec_from_file_location("write_api", ROOT / "docs" / "write_api.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


writer = load_writer()
NAMES = {
    f"{module.__name__}.{name}": what
    for module in writer.public_modules()
    for name, what in writer.public_names(module).items()
}
METHODS = {
    f"{table.__name__}.{name}": (name, method, guides)
    for table, guides in writer.TABLES.values()
    for name, method in writer.table_methods(table).items()
}


def shown_in(pattern: str, guides: tuple[str, ...]) -> bool:
    code = [code for guide in guides for _, code, _ in writer.sections(guide)]
    return any(re.search(pattern, part) for part in code)


def test_the_page_is_what_the_code_says():
    assert writer.PAGE.read_text() == writer.page(), "Run `python docs/write_api.py`."


def test_the_page_lists_every_export():
    listed = set(re.findall(r"^- `(\w+)`", writer.PAGE.read_text(), re.MULTILINE))
    layers = {n for n in recs.layers.__all__ if not inspect.ismodule(getattr(recs.layers, n))}
    assert layers <= listed
    assert {*recs.optimizers.__all__, *recs.callbacks.__all__, *recs.tasks.__all__} <= listed
    assert {"stats", "metadata", "records", "to_pandas", "evict", "save", "append"} <= listed


def is_documented(name: str) -> bool:
    what = NAMES[name]
    if not inspect.isclass(what) and not inspect.isfunction(what):
        return name.rpartition(".")[2] in writer.CONSTANTS
    return bool(what.__doc__) and (not inspect.isclass(what) or ">>>" in what.__doc__)


def test_names_are_documented():
    assert not [name for name in NAMES if not is_documented(name)]


def test_methods_of_tables_are_documented_and_shown():
    for short, method, guides in METHODS.values():
        assert method.__doc__, short
        assert shown_in(rf"\.{short}\(", guides), short


def test_the_engine_is_shown_in_guides():
    for name in NAMES:
        module, _, short = name.rpartition(".")
        if module in ENGINE:
            assert shown_in(rf"\b{short}\b", writer.guides_of(module)), name


def test_every_argument_of_the_embedding_is_in_the_tour():
    arguments = set(inspect.signature(recs.layers.DynamicEmbedding.__init__).parameters)
    arguments |= set(inspect.signature(recs.layers.DynamicEmbedding.call).parameters)
    tour = (ROOT / "docs" / "embeddings.md").read_text()
    named = set(re.findall(r"`(\w+)=?", tour))
    assert arguments - {"self", "output_dim", "kwargs", "inputs"} <= named
