from __future__ import annotations

from recs.experiments import Report


def test_a_baseline_of_zero_has_no_ratio():
    text = str(Report("p", {"model": {"recall@1": 0.5}, "popularity": {"recall@1": 0.0}}, ("n",)))
    assert text.splitlines() == [
        "p",
        "                    recall@1",
        "model                 0.5000",
        "popularity            0.0000",
        "model / popularity         -",
        "n",
    ]
