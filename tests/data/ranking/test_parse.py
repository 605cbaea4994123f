import numpy as np
import pytest
import tensorflow as tf

from recs.data.ranking import RankingFeature, RankingFeatures, parse
from tests.data.ranking import protos

FEATURES = RankingFeatures(
    context=[
        RankingFeature("history", "sequence", weights="seconds"),
        RankingFeature("country", "ids", dtype="string", default="none"),
    ],
    examples=[
        RankingFeature("price", shape=(2,), padding=-7.0),
        RankingFeature("tags", "sequence", dtype="string"),
    ],
)
PRICES = [[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [[9.0, 8.0]], []]
TAGS = [[[b"a", b"b"], [], [b"c"]], [[b"d"]], []]
LABELS = [[1.0, 0.0, 2.0], [4.0], []]
CONTEXT = [
    {"history": [7, 2**40], "seconds": [0.5, 1.0], "country": [b"nl"]},
    {"history": [3], "seconds": [2.0], "country": [b"de"]},
    {},
]


def items(i: int) -> list[bytes]:
    rows = zip(PRICES[i], TAGS[i], LABELS[i], strict=True)
    return [
        protos.example(price=p, label=[y], **({"tags": t} if t else {}), ignored=[1])
        for p, t, y in rows
    ]


def records(format: str) -> list[bytes]:
    if format == "elwc":
        context = [protos.example(**CONTEXT[i]) for i in range(2)] + [None]
        return [protos.elwc(items(i), context[i]) for i in range(3)]
    if format == "example_in_example":
        contexts = [protos.example(**one) for one in CONTEXT]
        return [protos.example_in_example(items(i), contexts[i]) for i in range(3)]
    steps = [
        {"price": PRICES[i], "tags": TAGS[i], "label": [[y] for y in LABELS[i]]} for i in range(3)
    ]
    return [protos.sequence_example(steps[i], **CONTEXT[i]) for i in range(3)]


def padded(size: int, values: list, fill) -> list:
    return [(one + [fill] * size)[:size] for one in values]


@pytest.mark.parametrize("format", ["elwc", "example_in_example", "sequence_example"])
@pytest.mark.parametrize("list_size", [None, 2, 5])
def test_every_format_gives_the_same_batch(format, list_size):
    batch = parse(records(format), FEATURES, format, list_size=list_size)
    size = list_size or 3
    assert set(batch) == {"history", "seconds", "country", "price", "tags", "label", "mask"}
    assert batch["history"].to_list() == [[7, 2**40], [3], []]
    assert batch["seconds"].to_list() == [[0.5, 1.0], [2.0], []]
    assert batch["country"].numpy().tolist() == [b"nl", b"de", b"none"]
    assert batch["price"].numpy().tolist() == padded(size, PRICES, [-7.0, -7.0])
    assert batch["tags"].to_list() == padded(size, TAGS, [])
    assert batch["label"].numpy().tolist() == padded(size, LABELS, -1.0)
    there = padded(size, [[True] * len(one) for one in LABELS], False)
    assert batch["mask"].numpy().tolist() == there


def test_a_batch_without_any_context_or_item():
    batch = parse([b"", b""], FEATURES)
    assert batch["mask"].shape == (2, 0)
    assert batch["country"].numpy().tolist() == [b"none", b"none"]
    assert parse([], FEATURES)["price"].shape == (0, 0, 2)


def test_a_tf_example_is_a_list_of_one():
    one = protos.example(price=[1.0, 2.0], tags=[b"a"], history=[5], seconds=[1.0])
    batch = parse([one], FEATURES, "tf_example", label=False)
    assert batch["price"].numpy().tolist() == [[[1.0, 2.0]]]
    assert batch["history"].to_list() == [[5]]
    assert "label" not in batch


def test_shuffling_comes_before_cutting_and_keeps_items_whole():
    many = RankingFeatures(examples=[RankingFeature("number", "ids")])
    lists = [
        protos.elwc([protos.example(number=[i], label=[float(i)]) for i in range(first, first + n)])
        for first, n in ((0, 30), (100, 4))
    ]
    cut = parse(lists, many, list_size=6, shuffle_examples=True, seed=(3, 1))
    numbers = cut["number"].numpy()
    assert max(numbers[0]) > 6
    assert len(set(numbers[0])) == 6
    assert sorted(numbers[1][:4]) == [100, 101, 102, 103]
    assert numbers[1][4:].tolist() == [0, 0]
    np.testing.assert_array_equal(np.where(cut["mask"], numbers, -1), cut["label"])


def test_in_a_dataset_shapes_are_known():
    lists = tf.data.Dataset.from_tensor_slices(records("elwc")).batch(2)
    spec = lists.map(lambda one: parse(one, FEATURES, list_size=4)).element_spec
    assert spec["price"].shape == (None, 4, 2)
    assert spec["mask"].shape == (None, 4)


def test_a_step_that_is_missing_is_an_error():
    record = protos.sequence_example({"price": [[1.0, 2.0]], "label": [[1.0], [0.0]]})
    with pytest.raises(tf.errors.InvalidArgumentError, match="'price' must have a step for every"):
        parse([record], FEATURES, "sequence_example")
    record = protos.sequence_example({"price": [[1.0, 2.0], [1.0]], "label": [[1.0], [0.0]]})
    with pytest.raises(tf.errors.InvalidArgumentError, match="'price' must have 2 values"):
        parse([record], FEATURES, "sequence_example")


def test_a_step_without_values_has_the_default():
    spec = RankingFeatures(examples=[RankingFeature("x", default=5.0), RankingFeature("y")])
    steps = {"x": [[], [1.0]], "y": [[2.0], [3.0]], "label": [[0.0], [1.0]]}
    batch = parse([protos.sequence_example(steps)], spec, "sequence_example")
    assert batch["x"].numpy().tolist() == [[5.0, 1.0]]


def test_wrong_arguments():
    with pytest.raises(ValueError, match="`format` must be one of 'elwc'"):
        parse([b""], FEATURES, "csv")
    with pytest.raises(ValueError, match="`list_size` must be a positive integer"):
        parse([b""], FEATURES, list_size=0)
    with pytest.raises(ValueError, match="`seed` must be two integers"):
        parse([b""], FEATURES, shuffle_examples=True, seed=3)


@pytest.mark.parametrize("format", ["elwc", "example_in_example", "sequence_example"])
def test_whole_numbers_as_labels_and_weights_of_items(format):
    spec = RankingFeatures(
        examples=[RankingFeature("x")], label="clicks", label_dtype="int64", weight="seen"
    )
    rows = [protos.example(x=[0.5], clicks=[3], seen=[0.25])] * 2
    record = {
        "elwc": lambda: protos.elwc(rows),
        "example_in_example": lambda: protos.example_in_example(rows, protos.example()),
        "sequence_example": lambda: protos.sequence_example(
            {"x": [[0.5]] * 2, "clicks": [[3]] * 2, "seen": [[0.25]] * 2}
        ),
    }[format]()
    batch = parse([record], spec, format, list_size=3)
    assert batch["clicks"].dtype == tf.float32
    assert batch["clicks"].numpy().tolist() == [[3.0, 3.0, -1.0]]
    assert batch["seen"].numpy().tolist() == [[0.25, 0.25, 0.0]]
    asked = parse([record], spec, format, label=False)
    assert set(asked) == {"x", "mask"}


@pytest.mark.parametrize("graph", [False, True], ids=["eager", "graph"])
@pytest.mark.parametrize("sent", [{}, {"price": [1.0]}], ids=["left_out", "too_few"])
@pytest.mark.parametrize("format", ["elwc", "example_in_example", "tf_example"])
def test_a_feature_without_default_must_be_in_every_record(format, sent, graph):
    features = RankingFeatures(examples=[RankingFeature("price", shape=(2,))])
    whole, lacking = protos.example(price=[1.0, 2.0]), protos.example(**sent)
    lists = {
        "elwc": lambda: [protos.elwc([whole, lacking], None)],
        "example_in_example": lambda: [
            protos.example_in_example([whole, lacking], protos.example())
        ],
        "tf_example": lambda: [whole, lacking],
    }[format]()
    read = lambda serialized: parse(serialized, features, format, label=False)["price"]  # noqa: E731
    read = tf.function(read) if graph else read
    with pytest.raises(
        tf.errors.InvalidArgumentError if graph else ValueError,
        match=r"must have all their values in every record.*give their `RankingFeature`.*price",
    ):
        read(tf.constant(lists))


@pytest.mark.parametrize("format", ["elwc", "example_in_example", "sequence_example", "tf_example"])
def test_a_context_feature_without_default_must_be_in_every_record(format):
    features = RankingFeatures(
        context=[RankingFeature("country", "ids", dtype="string")],
        examples=[RankingFeature("price", default=0.0)],
    )
    item = protos.example(price=[1.0])
    record = {
        "elwc": lambda: protos.elwc([item], None),
        "example_in_example": lambda: protos.example_in_example([item], protos.example()),
        "sequence_example": lambda: protos.sequence_example({"price": [[1.0]]}),
        "tf_example": lambda: item,
    }[format]()
    with pytest.raises(ValueError, match=r"must have all their values in every record.*country"):
        parse([record], features, format, label=False)
