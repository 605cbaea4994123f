"""Integers without a sign come exactly from every reader, or not at all."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recs.data import Interactions, ranking, read_items, read_parquet, stream_parquet
from recs.data.ids import as_id_type
from recs.data.ranking import RankingFeature, RankingFeatures, RankingLists

FEATURES = RankingFeatures(examples=[RankingFeature("id", dtype="int64")])


@pytest.fixture(params=[True, False], ids=["statistics", "no statistics"])
def file_of(tmp_path, request):
    def write(ids):
        ids = np.array(ids, "uint64")
        columns = {"id": ids, "item": ids, "label": np.zeros(len(ids)), "query": ids * 0}
        path = tmp_path / "ids.parquet"
        pq.write_table(pa.table(columns), path, write_statistics=request.param, row_group_size=2)
        return path, columns

    return write


def streamed(path, _):
    return np.concatenate([b["id"] for b in stream_parquet(path, ["id"], batch_size=2)])


READERS = {
    "stream": streamed,
    "numbers": lambda path, _: read_parquet(path, user="id", item="item", id_type="int64").user,
    "texts": lambda path, _: read_parquet(path, user="id", item="item").user,
    "further": lambda path, _: read_parquet(path, user="query", item="item")["id"],
    "further, as a dataset": lambda path, _: next(
        iter(read_parquet(path, user="query", item="item").to_dataset(["id"], batch_size=9))
    )["id"].numpy(),
    "items": lambda path, _: read_items(path, item="id", id_type="int64").item,
    "lists": lambda path, _: ranking.read_parquet(path, FEATURES, query="query").examples["id"],
    "rows": lambda _, columns: RankingLists.from_rows(FEATURES, columns, columns["query"]).examples[
        "id"
    ],
    "table": lambda _, columns: Interactions({"user": columns["id"], "item": columns["id"]}).user,
    "ids": lambda _, columns: as_id_type(columns["id"], "int64", name="id", where="here"),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("largest", [2**63 - 1, 2**63, 2**64 - 1])
def test_large_ids_are_exact_or_refused(file_of, reader, largest):
    ids = [0, 7, largest, 5, 6]
    where = file_of(ids)
    exact = "texts" in reader or "further" in reader
    if largest >= 2**63 and not exact:
        with pytest.raises(ValueError, match="int64"):
            READERS[reader](*where)
    else:
        assert [int(number) for number in READERS[reader](*where)] == ids
