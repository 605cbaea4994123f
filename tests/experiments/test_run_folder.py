from __future__ import annotations

import pytest

from recs.experiments import RunFolder


def finished(parent):
    run = RunFolder.create(parent)
    run.config.write_text("")
    run.model.write_text("")
    run.finish()
    return run


def test_the_newest_finished_run_is_found_by_number(tmp_path):
    runs = [finished(tmp_path) for _ in range(11)]
    RunFolder.create(tmp_path)  # one that has not ended
    assert runs[-1].path.name == "11"
    assert RunFolder.find(tmp_path).path == runs[-1].path
    assert RunFolder.find(str(runs[2].path)).path == runs[2].path


def test_a_folder_taken_by_another_process_is_passed_over(tmp_path, monkeypatch):
    RunFolder.create(tmp_path)
    monkeypatch.setattr("recs.experiments.run_folder._numbers", lambda _: [])
    assert RunFolder.create(tmp_path).path.name == "2"


def test_what_is_no_run_is_told(tmp_path):
    (tmp_path / "other").mkdir()
    with pytest.raises(FileNotFoundError, match="with the folders other"):
        RunFolder.find(tmp_path)
    with pytest.raises(FileNotFoundError, match="other, empty"):
        RunFolder.find(tmp_path / "other")
    with pytest.raises(FileNotFoundError, match="which does not exist"):
        RunFolder.find(tmp_path / "none")


def test_an_unfinished_run_never_passes_for_a_finished_one(tmp_path):
    whole, killed = finished(tmp_path), RunFolder.create(tmp_path)
    killed.config.write_text("")
    killed.model.write_text("")
    assert not killed.is_finished
    assert RunFolder.find(tmp_path).path == whole.path
    with pytest.raises(FileNotFoundError, match="which is unfinished"):
        RunFolder.find(killed.path)
    killed.finish()
    assert RunFolder.find(tmp_path).path == killed.path
    killed.discard()
    assert not killed.path.exists()


def test_exports_are_numbered(tmp_path):
    run = RunFolder.create(tmp_path)
    assert run.next_export() == run.saved_model / "1"
    (run.saved_model / "9").mkdir(parents=True)
    assert run.next_export() == run.saved_model / "10"
