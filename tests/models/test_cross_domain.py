"""The model of many domains: what it learns, from which rows, saves, serves and takes in."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs import Model
from recs.data import RaggedColumn, Samples
from recs.evaluation import area_under_curve
from recs.export import saved_model
from recs.layers import DynamicEmbedding
from recs.layers.blocks import MLP
from recs.layers.multi_domain import DomainExperts, MovedIn, Star
from recs.layers.multi_task import GradNorm, UncertaintyWeights
from recs.models import CrossDomain
from tests.harness.tiers import slow_but

DOMAINS = ["books", "films"]
OWN = {"own_categories": {"books": ["author"]}, "own_numbers": {"films": ["length"]}}


@pytest.fixture
def samples(rng):
    """In books the author decides, in films the length, and the user is known to both."""
    rows = 600
    books = rng.random(rows) < 0.5
    author, length = rng.integers(0, 5, rows), rng.normal(size=rows).astype("float32") * 50
    user = rng.integers(0, 20, rows)
    liked = np.where(books, author % 2 == 0, length > 0).astype("float32")
    return Samples({
        "domain": np.where(books, "books", "films").astype(object),
        "user": np.array([f"user {u}" for u in user], object),
        "tags": RaggedColumn.from_lists([[f"t{u % 3}", f"t{u % 2}"][: u % 3] for u in user]),
        "author": np.where(books, author.astype(str), "nobody").astype(object),
        "length": np.where(books, np.nan, length).astype("float32"),
        "liked": liked,
    })  # fmt: skip


def made(**kwargs):
    form = {"categories": ["user", "tags"], "lists": ["tags"], "embedding_dim": 4, "seed": 1, **OWN}
    keras.utils.set_random_seed(1)
    return CrossDomain(kwargs.pop("domains", DOMAINS), ["liked"], **{**form, **kwargs})


def trained(model, samples, epochs=1):
    """A few steps are sooner taken eagerly than traced."""
    few = epochs == 1
    model.adapt(samples).compile(keras.optimizers.Adam(0.02), run_eagerly=few)
    data = samples.to_dataset(batch_size=200 if few else 64, shuffle=True).cache()
    return model.fit(data, epochs=epochs, verbose=0)


@pytest.mark.slow
def test_each_domain_is_learnt_from_its_own_features(samples):
    model = made()
    history = trained(model, samples, 12).history
    assert history["books_auc"][-1] > 0.98
    assert history["films_auc"][-1] > 0.98
    logs = model.evaluate(samples.to_dataset(batch_size=64), verbose=0, return_dict=True)
    told = model.predict_targets(samples)["liked"]
    for name in DOMAINS:
        rows = np.asarray(samples["domain"]) == name
        want = area_under_curve(samples["liked"][rows], told[rows])
        np.testing.assert_allclose(logs[f"{name}_auc"], want, atol=5e-3)


def test_what_others_have_in_a_column_is_never_met(samples):
    model = made()
    trained(model, samples)
    table = model.features.own[0].embeddings.table("author")
    assert table.size() == 5
    assert not table.contains(["nobody"])[0]
    numbers = np.asarray(samples["length"])
    tamed = np.sign(numbers) * np.log1p(np.abs(numbers))
    np.testing.assert_allclose(model.features.own[1].means, [np.nanmean(tamed)], rtol=1e-4)


@pytest.mark.parametrize("name", DOMAINS)
def test_own_parameters_learn_from_own_rows_alone(samples, name):
    model = made().adapt(samples)
    rows = samples.take(np.asarray(samples["domain"]) == name)
    other = DOMAINS.index(name) ^ 1
    model.compile(keras.optimizers.SGD(1.0))
    before = {w.path: np.array(w.value) for w in model.trainable_weights}
    model.run_eagerly = True
    model.fit(rows.to_dataset(batch_size=200), verbose=0)
    for weight in model.trainable_weights:
        moved = np.abs(np.array(weight.value) - before[weight.path])
        if f"own_{other}/" in weight.path or f"gate_{other}/" in weight.path:
            assert moved.max() == 0.0, weight.path
        elif "own_kernel" in weight.path or "own_bias" in weight.path:
            assert moved[other].max() == 0.0 < moved[1 - other].max()
    sizes = {d: layer.embeddings for d, layer in model.features.own.items()}
    assert sizes[0].table("author").size() == (5 if name == "books" else 0)


def test_columns_of_domains_that_are_not_there_may_be_missing(samples):
    model = made()
    trained(model, samples)
    films = samples.take(np.asarray(samples["domain"]) == "films")
    want = model.predict_targets(films)["liked"]
    columns = {name: films[name] for name in films if name != "author"}
    np.testing.assert_array_equal(model.predict_targets(columns)["liked"], want)
    columns = ["domain", "user", "tags", "length", "liked"]
    model.fit(films.to_dataset(columns, batch_size=200), verbose=0)
    with pytest.raises(ValueError, match="must have the columns that domains share"):
        model.predict_targets({"domain": ["films"]})


def test_a_domain_that_is_not_known_has_what_is_shared(samples):
    model = made()
    trained(model, samples)
    batch = {"domain": np.array(["music", "films"], object),
             "user": np.array(["user 1"] * 2, object),
             "tags": tf.ragged.constant([["t1"], ["t1"]]), "length": np.array([3.0, 3.0]),
             "author": np.array(["", ""], object)}  # fmt: skip
    got = model(batch)["liked"].numpy()
    x = model.features.shared({"user": batch["user"][:1], "tags": batch["tags"][:1]})
    hidden = tf.reduce_mean(model.experts.shared(x), axis=1)
    first, second = model.towers["liked"]._dense
    hidden = tf.nn.relu(hidden @ first.kernel + first.bias)
    want = tf.sigmoid(hidden @ second.kernel + second.bias)[0, 0]
    np.testing.assert_allclose(got[0], want, rtol=1e-5)
    assert got[0] != got[1]


def test_weights_of_domains_count(samples):
    """Of the sum over rows of a domain that weighs 3, each row counts three times."""
    batch = next(iter(samples.to_dataset(batch_size=100)))
    losses = {}
    for weight in (0.0, 1.0, 3.0):
        model = made(domain_weights={"films": weight}).adapt(samples)
        losses[weight] = float(model.compute_loss(batch))
    films = losses[1.0] - losses[0.0]
    assert films > 0.1
    np.testing.assert_allclose(losses[3.0], losses[0.0] + 3.0 * films, rtol=1e-5)


FORMS = {
    "default": dict,
    "star": lambda: {"experts": keras.layers.Identity(), "tower": Star(DOMAINS, (8, 1)),
                     "own_categories": None, "own_numbers": None, "weights": "uncertainty"},
    "any layers": lambda: {
        "experts": DomainExperts(DOMAINS, [keras.layers.Dense(6)], {"books": 2}, units=(6,)),
        "tower": MLP((8, 1)), "dropout": 0.2, "regularization": 1e-4},
}  # fmt: skip


@pytest.mark.parametrize("form", slow_but(FORMS, "star"))
def test_it_is_saved_trained_further_and_served_by_domain(samples, tmp_path, form):
    model = made(**FORMS[form]())
    trained(model, samples)
    want = model.predict_targets(samples)["liked"]
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.predict_targets(samples)["liked"], want, rtol=1e-5)
    again.run_eagerly = True
    again.fit(samples.to_dataset(batch_size=300), verbose=0)
    path = saved_model(model, tmp_path / "1")
    serve = tf.saved_model.load(str(path)).signatures
    assert set(serve) == {*DOMAINS, "serving_default"}
    tensors = {name: tf.constant(samples[name]) for name in ("domain", "user", "author", "length")}
    tensors["tags"] = samples["tags"].to_tensor().to_tensor("")
    for name in DOMAINS:
        rows = np.flatnonzero(np.asarray(samples["domain"]) == name)
        columns = model.columns_of(name)
        assert set(serve[name].structured_input_signature[1]) == set(columns)
        answer = serve[name](**{c: tf.gather(tensors[c], rows) for c in columns})
        np.testing.assert_allclose(answer["liked"], want[rows], rtol=1e-5, atol=1e-6)
    answer = serve["serving_default"](**{c: tensors[c] for c in model.columns})
    np.testing.assert_allclose(answer["liked"], want, rtol=1e-5, atol=1e-6)


def test_a_domain_is_added_and_the_others_predict_what_they_did(samples, rng):
    model = made(dropout=0.1)
    trained(model, samples)
    want = model.predict_targets(samples)["liked"]
    more = model.with_domain("music", own_categories=["band"])
    np.testing.assert_array_equal(more.predict_targets(samples)["liked"], want)
    assert more.domains == [*DOMAINS, "music"]
    # Rows of optimizers came along.
    old, new = (m.features.shared.embeddings.table("user") for m in (model, more))
    for one, other in zip(old.serialize().numpy(), new.serialize().numpy(), strict=True):
        assert one == other
    # The new domain begins with the shared tower, and is learnt.
    music = Samples({
        "domain": ["music"] * 200, "user": samples["user"][:200], "tags": samples["tags"].take(
            np.arange(200)), "band": rng.integers(0, 4, 200).astype(str).astype(object),
        "liked": np.zeros(200, "float32"),
    })  # fmt: skip
    music = Samples({**dict(music), "liked": (music["band"] < "2").astype("float32")})
    more.compile(keras.optimizers.Adam(0.02))
    history = more.fit(music.to_dataset(batch_size=50, shuffle=True), epochs=20, verbose=0).history
    assert history["music_auc"][-1] > 0.98
    np.testing.assert_array_equal(model.predict_targets(samples)["liked"], want)  # left alone


@keras.saving.register_keras_serializable("tests")
class HalvedUncertainty(UncertaintyWeights):
    """A user's own weights of losses."""

    def call(self, losses):
        return super().call(losses) / 2


@pytest.mark.parametrize("targets", [None, ["skipped", "liked"]])
@pytest.mark.parametrize("weights", [
    lambda: None, lambda: {"liked": 0.5}, lambda: "uncertainty",
    lambda: UncertaintyWeights(["liked"]), lambda: HalvedUncertainty(["liked"]),
])  # fmt: skip
def test_the_weights_of_losses_survive_a_domain_more_and_a_file(
    samples, tmp_path, weights, targets
):
    model = made(weights=weights())
    batch = next(iter(samples.to_dataset(batch_size=100)))
    layer = isinstance(model.task.loss_weights, keras.layers.Layer)
    if layer:
        model.task.loss_weights.log_variances.assign([0.7])
    more = model.with_domain("music", targets=targets)
    more.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    for other in (more, loaded):
        kept = other.task.loss_weights
        assert type(kept) is type(model.task.loss_weights)
        if not layer:
            assert kept == model.task.loss_weights
        else:
            assert kept is not model.task.loss_weights
            learnt = [0.7] if targets is None else [0.7, 0.0]
            np.testing.assert_allclose(kept.log_variances, learnt)
        # A batch of old domains has no loss of the new target, whose variance is 0.
        np.testing.assert_allclose(
            other.compute_loss(batch), model.compute_loss(batch), rtol=1e-6
        )  # fmt: skip


def old_model(samples):
    """Returns a model of books alone, with columns of its own."""
    user = keras.Input((), dtype="string", name="user")
    author = keras.Input((), dtype="string", name="author")
    vectors = [DynamicEmbedding(3, key_dtype="string", seed=n)(one) for n, one in
               enumerate((user, author))]  # fmt: skip
    hidden = keras.layers.Dense(4, "relu")(keras.layers.Concatenate()(vectors))
    model = Model({"user": user, "author": author}, keras.layers.Dense(1, "sigmoid")(hidden))
    model.compile("adam", "binary_crossentropy", run_eagerly=True)
    books = samples.take(np.asarray(samples["domain"]) == "books")
    data = books.to_dataset(["user", "author", "liked"], batch_size=100)
    data = data.map(lambda row: ({"user": row["user"], "author": row["author"]}, row["liked"]))
    model.fit(data, verbose=0)
    return model, books


@pytest.mark.parametrize("how", slow_but(["at once", "added"], "added"))
def test_an_old_model_moves_in_with_what_it_predicts(samples, tmp_path, how):
    old, books = old_model(samples)
    batch = {"user": tf.constant(books["user"]), "author": tf.constant(books["author"])}
    want = old(batch).numpy()[:, 0]
    before = [w.numpy() for w in old.weights]
    moved = MovedIn(old, "liked")
    if how == "at once":
        model = made(models={"books": moved}, own_categories=None)
    else:
        first = made(domains=["films"], own_categories=None)
        trained(first, samples.take(np.asarray(samples["domain"]) == "films"))
        model = first.with_domain("books", models=moved)
    np.testing.assert_allclose(model.predict_targets(books)["liked"], want, rtol=1e-5, atol=1e-6)
    for weight, value in zip(old.weights, before, strict=True):
        assert np.array_equal(weight.numpy(), value)
    # It learns on, the tower and the gate with it.
    path = tmp_path / "m.keras"
    model.save(path)
    loaded = keras.saving.load_model(path)
    np.testing.assert_allclose(loaded.predict_targets(books)["liked"], want, rtol=1e-5, atol=1e-6)
    trained(loaded, samples)
    told = loaded.predict_targets(books)["liked"]
    assert area_under_curve(books["liked"], told) > area_under_curve(books["liked"], want)
    gate = loaded._model_gates["1_0" if how == "added" else "0_0"]
    assert np.abs(gate.kernel.numpy()).max() > 0
    serve = tf.saved_model.load(str(saved_model(model, tmp_path / "1"))).signatures["books"]
    given = {**batch, "tags": books["tags"].to_tensor().to_tensor("")}
    answer = serve(**{c: given[c] for c in model.columns_of("books")})
    np.testing.assert_allclose(answer["liked"], want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: made(domains=["a", "a"]), "`domains` must be names"),
        (lambda: made(own_categories={"music": ["band"]}), "`own_categories` must be of the dom"),
        (lambda: CrossDomain(DOMAINS, {"books": ["y"]}, categories=["user"]), "each of them"),
        (lambda: made(weights=GradNorm(["liked"])), "`weights` must not be a `GradNorm`"),
        (lambda: made().with_domain("books"), "`domain` must be a new one"),
        (lambda: made()({"user": np.array(["a"])}), "must name domains as 'domain'"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
