"""The old folder or the new one, never a part of either."""

from __future__ import annotations

import pytest

from recs.export.replace_folder import replace_folder


def write(path, text):
    with replace_folder(path) as beside:
        assert beside.parent.parent == path.parent
        assert not beside.parent.name.isdigit()
        (beside / "saved_model.pb").write_text(text)
        (beside / "sub").mkdir()


def test_new_and_replaced(tmp_path):
    target = tmp_path / "model" / "1"
    write(target, "first")
    (target / "old").touch()
    write(target, "second")
    assert (target / "saved_model.pb").read_text() == "second"
    assert not (target / "old").exists()
    assert list(target.parent.iterdir()) == [target]


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "1").mkdir()
    write(tmp_path / "1", "text")
    assert (tmp_path / "1" / "saved_model.pb").exists()


def test_a_failure_leaves_the_old_one(tmp_path):
    target = tmp_path / "1"
    write(target, "first")
    with pytest.raises(FileNotFoundError), replace_folder(target) as beside:
        (beside / "missing").read_text()
    assert (target / "saved_model.pb").read_text() == "first"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_something_else_is_not_replaced(tmp_path, kind):
    target = tmp_path / "data"
    (target / "1").mkdir(parents=True) if kind == "folder" else target.touch()
    with pytest.raises(FileExistsError) as raised:
        write(target, "text")
    assert str(raised.value) == (
        "`path` must be new, an empty folder, or a SavedModel, which is replaced. Received: "
        f"{target}, which holds something else (in recs.export.saved_model). Give it a version, as "
        f"TensorFlow Serving expects: {target / '1'}."
    )
