"""The audit finds copies, near duplicates, and labels that the surface of the texts reveals."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline

from sklearn_neurox import audit_corpus, layerwise_scores, make_control_tasks
from sklearn_neurox.evaluation._near_duplicates import near_duplicates, normalize

LETTERS = list("abcdefghijklmnopqrstuvwxyz")
SHUFFLED = KFold(5, shuffle=True, random_state=0)


def make_words(rng, n):
    return ["".join(rng.choice(LETTERS, size=rng.randint(3, 8))) for _ in range(n)]


@pytest.fixture(scope="module")
def texts():
    """120 different texts of twelve words each."""
    rng = np.random.RandomState(0)
    vocabulary = make_words(rng, 400)
    return [" ".join(rng.choice(vocabulary, size=12)) for _ in range(120)]


def audit(texts, y=None, **options):
    y = np.arange(len(texts)) % 2 if y is None else y
    return audit_corpus(texts, y, **{"n_bootstraps": 200, "random_state": 0, **options})


def shingles(text):
    text = text.ljust(5, "\0")
    return {text[i : i + 5] for i in range(len(text) - 4)}


def test_near_duplicates_have_their_jaccard_similarity(texts):
    rng = np.random.RandomState(1)
    changed = []
    for text in texts[:60]:
        place = rng.randint(len(text))
        changed.append(
            text[:place] + "".join(rng.choice(LETTERS, size=rng.randint(9))) + text[place:]
        )
    every = [*texts, *changed]
    found = near_duplicates(every, 0.5, seed=0).toarray()
    sets = [shingles(text) for text in every]
    exact = np.array([[len(a & b) / len(a | b) for b in sets] for a in sets])
    np.fill_diagonal(exact, 0)
    np.testing.assert_allclose(found[found > 0], exact[found > 0])
    assert (exact[found > 0] >= 0.5).all()
    similar = exact >= 0.8
    assert similar.sum() > 20
    assert (found[similar] > 0).all()
    assert (found == found.T).all()


def test_a_template_is_not_a_duplicate():
    """Texts that share all but a name differ, although most of their characters are equal."""
    rng = np.random.RandomState(0)
    names = [f"{a} {b}" for a, b in zip(make_words(rng, 300), make_words(rng, 300), strict=True)]
    every = [f"Is the following person an athlete or a politician? {name}" for name in names]
    assert near_duplicates(every, 0.8, seed=0).nnz == 0


def test_texts_that_differ_in_frequent_words_are_not_duplicates():
    """Their rare 5-grams are the same, and their frequent ones are not."""
    rng = np.random.RandomState(0)
    every = [
        f"{name} {city}" for name in make_words(rng, 100) for city in ("Berlin Köln", "Rom Neapel")
    ]
    assert near_duplicates(every, 0.8, seed=0).nnz == 0


def test_short_and_empty_texts_are_compared_too():
    assert near_duplicates(["", "a", "ab", "b"], 0.8, seed=0).nnz == 0
    found = audit(["a", "a", "", "", "b", "c", "A ", "d", "e", "f"], cv=SHUFFLED)
    assert found.n_distinct == 7
    assert found.similarity.max() == 1


def test_copies_are_those_of_a_loop(texts):
    rng = np.random.RandomState(0)
    drawn = [texts[i] for i in rng.randint(120, size=300)]
    noisy = [text.upper() if rng.uniform() < 0.5 else f"  {text}\n" for text in drawn]
    found = audit(noisy, cv=SHUFFLED)
    train_rows = [train for train, _ in SHUFFLED.split(noisy)]
    for row, fold, similarity, source in zip(
        found.rows, found.folds, found.similarity, found.sources, strict=True
    ):
        copies = [i for i in train_rows[fold] if drawn[i] == drawn[row]]
        assert (similarity == 1) == bool(copies)
        assert source == (copies[0] if copies else -1)
    assert found.copy_rate == (found.similarity == 1).mean()
    assert found.n_distinct == len(set(drawn))


def test_clusters_as_groups_prevent_leaks(texts):
    changed = [f"{text} more" for text in texts]
    every = [*texts, *texts[:50], *changed]
    leaking = audit(every, cv=SHUFFLED)
    assert leaking.copy_rate > 0.2
    assert leaking.leak_rate > 0.7
    clean = audit(every, groups=leaking.clusters, cv=GroupKFold(5))
    assert clean.leak_rate == 0
    assert clean.n_groups == 120
    assert clean.examples == ()


def test_examples_and_conflicts(texts):
    every = [*texts, *texts[:20], *(f"{text} more" for text in texts[20:40])]
    y = np.array(["yes", "no"])[
        np.r_[np.arange(120) % 2, (np.arange(20) + 1) % 2, np.arange(20) % 2]
    ]
    found = audit(every, y, cv=SHUFFLED, n_examples=6)
    assert found.n_conflicts == 40
    assert len(found.examples) == 6
    assert sum(example.similarity == 1 for example in found.examples) == 3
    for example in found.examples:
        assert every[example.test_row] == example.test_text
        assert y[example.train_row] == example.train_label
        assert texts.index(example.test_text.removesuffix(" more")) == texts.index(
            example.train_text.removesuffix(" more")
        )
    frame = found.leaks()
    assert len(frame) == (found.similarity > 0).sum()
    assert list(frame) == ["row", "fold", "train_row", "similarity"]


def test_the_score_of_tf_idf_is_that_of_scikit_learn(texts):
    y = np.array(["a" in text.split()[0] for text in texts])
    found = audit(texts, y, cv=SHUFFLED)
    counts = CountVectorizer(token_pattern=r"(?u)\w+|[^\w\s]").fit_transform(texts)
    model = make_pipeline(
        TfidfTransformer(sublinear_tf=True), LogisticRegression(C=10, max_iter=1000)
    )
    expected = cross_val_score(model, counts, y, cv=SHUFFLED).mean()
    assert found.scores["tf-idf"].value == pytest.approx(expected)
    assert found.scores["tf-idf"].low < expected < found.scores["tf-idf"].high


def test_labels_that_the_surface_reveals(texts):
    y = np.arange(120) % 2
    long = [text + " word" * 10 * label for text, label in zip(texts, y, strict=True)]
    assert audit(long, y).scores["length"].value == 1
    marked = [f"{text} not" if label else text for text, label in zip(texts, y, strict=True)]
    found = audit(marked, y)
    assert found.scores["single token"].value == 1
    token = found.tokens[0]
    assert token == ("not", 1, 60, 1.0, 0.5)
    plain = audit(texts, y)
    assert all(score.low < 0.6 for score in plain.scores.values())


def test_the_score_without_leaks(texts):
    """A table knows the copies only."""
    rng = np.random.RandomState(0)
    every = [*texts, *texts]
    y = np.tile(rng.randint(2, size=120), 2)
    found = audit(every, y, cv=StratifiedKFold(3, shuffle=True, random_state=0))
    assert found.scores["tf-idf"].value > 0.75
    assert found.clean_scores["tf-idf"].value < 0.6
    frame = found.to_frame()
    assert frame.loc["tf-idf", "clean"] == found.clean_scores["tf-idf"].value
    assert frame["n_clean"].tolist() == [(found.similarity == 0).sum()] * 4
    nothing = audit([*every, *every], np.tile(y, 2), cv=KFold(2))
    assert nothing.leak_rate == 1
    assert nothing.clean_scores == {}
    assert nothing.to_frame()["clean"].isna().all()


def test_probes_are_scored_without_leaks(texts):
    rng = np.random.RandomState(0)
    every, y = [*texts, *texts[:40]], np.r_[np.arange(120) % 2, np.arange(40) % 2]
    X = rng.normal(size=(160, 6)) + y[:, np.newaxis]
    tasks = make_control_tasks(np.arange(160) % 20, y, n_tasks=2, random_state=0)
    options = {"n_layers": 2, "cv": SHUFFLED, "control": {"tf-idf": every, "random": tasks}}
    result = layerwise_scores(RidgeClassifier(), X, y, **options)
    found = audit(every, y, cv=SHUFFLED)
    clean = found.without_leaks(result)
    kept = found.similarity == 0
    assert clean.held_out.n_samples == kept.sum() < 160
    for layer in range(2):
        for fold in range(5):
            rows = kept & (found.folds == fold)
            predicted = result.held_out.predictions[layer, rows]
            assert clean.scores[layer, fold] == pytest.approx(
                accuracy_score(result.held_out.y[rows], predicted)
            )
    assert clean.other_scores["tf-idf"].shape == (5,)
    for task, scores in zip(("random 1", "random 2"), clean.control_task_scores, strict=True):
        of_task = result.other_held_out[task]
        rows = kept & (found.folds == 0)
        right = (of_task.y == of_task.predictions[0])[rows]
        assert scores[0, 0] == pytest.approx(right.mean())
    np.testing.assert_allclose(clean.control_scores, clean.control_task_scores.mean(axis=0))
    assert clean.compare(n_bootstraps=200, random_state=0).n_samples == kept.sum()
    other = layerwise_scores(RidgeClassifier(), X, y, n_layers=2, cv=4)
    with pytest.raises(ValueError, match="must use the same samples and folds"):
        found.without_leaks(other)


def test_text_controls_of_layers(texts):
    y = np.array([text[0] < "m" for text in texts])
    X = np.random.RandomState(0).normal(size=(120, 4))
    control = {"tf-idf": texts, "single token": texts, "length": texts}
    result = layerwise_scores(RidgeClassifier(), X, y, n_layers=2, cv=SHUFFLED, control=control)
    found = audit(texts, y, cv=SHUFFLED)
    for name in control:
        assert result.other_scores[name].mean() == pytest.approx(found.scores[name].value)
    assert result.compare(against="tf-idf", n_bootstraps=200).pairs[0].second == "tf-idf"
    with pytest.raises(ValueError, match="'tf-idf' has 3 texts, but X has 120 samples"):
        layerwise_scores(RidgeClassifier(), X, y, n_layers=2, control={"tf-idf": texts[:3]})
    with pytest.raises(TypeError, match=r"control\['length'\] must contain strings"):
        layerwise_scores(RidgeClassifier(), X, y, n_layers=2, control={"length": [1] * 120})


def test_numbers_and_groups(texts):
    groups = np.arange(120) // 4
    y = np.array([len(text) for text in texts]) + 0.5
    found = audit(texts, y, groups=groups)
    assert found.metric == "r2"
    assert found.scores["length"].value > 0.7
    assert found.tokens == ()
    assert found.n_groups == 30
    assert "among 120 texts of 30 topics" in found.methods(group="topic")
    assert "<table>" in found._repr_html_()


def test_roc_auc_of_two_classes(texts):
    y = np.arange(120) % 2
    marked = [f"{text} not" if label else text for text, label in zip(texts, y, strict=True)]
    found = audit(marked, y, metric="roc_auc")
    assert found.scores["single token"].value == 1
    assert found.scores["majority"].value == 0.5
    assert repr(found).startswith("CorpusAudit(120 texts, 120 distinct; in training: 0.0% of")


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (dict(texts="a text"), TypeError, "got a single string"),
        (dict(texts=["a", 3]), TypeError, r"texts\[1\] is 3 \(int\)"),
        (dict(texts=[[{"role": "user"}]]), TypeError, "Render conversations to strings"),
        (dict(texts=[]), ValueError, "texts is empty"),
        (dict(y=[0, 1]), ValueError, "inconsistent numbers of samples"),
        (dict(threshold=0), ValueError, "'threshold' parameter"),
        (dict(metric="rmse"), ValueError, "metric must be one of"),
        (dict(groups=[1, 2]), ValueError, "inconsistent numbers of samples"),
    ],
)
def test_errors(texts, changes, error, message):
    arguments = {"texts": texts, "y": np.arange(120) % 2, **changes}
    with pytest.raises(error, match=message):
        audit_corpus(**arguments)


def test_normalization():
    assert normalize(" Straße\u00a0 ﬁve\n") == "strasse five"
