"""Estimators that are fitted while a model runs equal those that are fitted on stored rows."""

from copy import deepcopy
from functools import wraps

import numpy as np
import pytest
import torch
import transformers
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit, TimeSeriesSplit

from sklearn_neurox import (
    ActivationExtractor,
    CorrelationClustering,
    GaussianProbeClassifier,
    LeaceEraser,
    LinearProbeClassifier,
    LinearProbeRegressor,
    MeanDifferenceClassifier,
    NeuronAblator,
    ProbelessSelector,
    fit_stream,
    where,
)
from sklearn_neurox.extraction._running import Run

from .small_models import SMALL
from .small_templates import USER, with_template

ESTIMATORS = {
    "means": (1, MeanDifferenceClassifier()),
    "lda": (3, MeanDifferenceClassifier(whiten=True, shrinkage="auto")),
    "gaussian": (2, GaussianProbeClassifier()),
    "ridge": (
        2,
        LinearProbeRegressor(
            lambda_l2=0.1, l2_penalty="squared", standardize=True, solver="owlqn", tol=1e-9,
            device="cpu",
        ),
    ),
    "probeless": (0, ProbelessSelector()),
    "leace": (3, LeaceEraser()),
    "clusters": (2, CorrelationClustering(random_state=0)),
}  # fmt: skip
OF_LABELS = {name: pair for name, pair in ESTIMATORS.items() if not is_regressor(pair[1])}
WEIGHTED = {name: OF_LABELS[name] for name in ("means", "lda", "gaussian", "leace")}
pytestmark = pytest.mark.filterwarnings("ignore:CorrelationClustering. with only")


@pytest.fixture(scope="module")
def words(corpus):
    """Return sentences and labels of their words."""
    chosen = [i for i, s in enumerate(corpus.sentences) if 2 < len(s) < 12][:40]
    kinds = [[("short", "long")[len(word) > 3] for word in corpus.sentences[i]] for i in chosen]
    return [corpus.sentences[i] for i in chosen], kinds


@pytest.fixture(scope="module")
def texts(words):
    """Return texts and their labels."""
    sentences, _ = words
    return [" ".join(words) for words in sentences], [len(words) % 2 for words in sentences]


def outputs(estimator, X):
    for name in ("predict_proba", "decision_function", "predict", "transform"):
        if hasattr(estimator, name):
            return np.asarray(getattr(estimator, name)(X), dtype=np.float64)
    raise AssertionError


def assert_fitted_as(estimator, expected, X, atol=1e-6):
    """Both give the same outputs, on the scale of their largest value."""
    found, wanted = outputs(estimator, X), outputs(expected, X)
    assert found.shape == wanted.shape
    scale = max(1.0, np.abs(wanted).max())
    np.testing.assert_allclose(found / scale, wanted / scale, atol=atol)


def fitted(estimator, tokens, layer, rows=slice(None), y=None, **weights):
    y = tokens.y if y is None else y
    weights = {name: weight[rows] for name, weight in weights.items()}
    return clone(estimator).fit(tokens.layer(layer)[rows], y[rows], **weights)


def extractor_of(zoo, kind, **options):
    """Return an extractor of a small model in float64, whose states do not depend on batches."""
    model, tokenizer = zoo(kind)
    options = {"dtype": "float64", "device": "cpu"} | options
    return ActivationExtractor(deepcopy(model).double(), tokenizer, **options)


@pytest.mark.parametrize("kind", ["bert", "llama", "gpt2", "t5"])
class TestEveryModel:
    """An encoder, decoders whose tokenizers pad on the left, and an encoder-decoder."""

    def test_words(self, kind, zoo, words):
        extractor, (sentences, labels) = extractor_of(zoo, kind), words
        tokens = extractor.extract(sentences, labels)
        fits = fit_stream(extractor, sentences, labels, OF_LABELS)
        assert fits.n_samples == len(tokens.X)
        for name, (layer, estimator) in OF_LABELS.items():
            expected = fitted(estimator, tokens, layer)
            assert_fitted_as(fits.estimators[name], expected, tokens.layer(layer))

    def test_numbers_of_tokens(self, kind, zoo, texts):
        extractor, (listed, _) = extractor_of(zoo, kind), texts
        n_tokens = np.unique(extractor.extract_tokens(listed).sentence_ids, return_counts=True)[1]
        labels = [(np.arange(n) / 7).tolist() for n in n_tokens]
        tokens = extractor.extract_tokens(listed, labels)
        chosen = {name: ESTIMATORS[name] for name in ("ridge", "leace", "clusters")}
        fits = fit_stream(extractor, listed, labels, chosen)
        for name, (layer, estimator) in chosen.items():
            expected = fitted(estimator, tokens, layer)
            assert_fitted_as(fits.estimators[name], expected, tokens.layer(layer))

    def test_prompts_in_folds(self, kind, zoo, texts):
        extractor, (listed, labels) = extractor_of(zoo, kind), texts
        tokens = extractor.extract_prompts(listed, labels, at="mean")
        fits = fit_stream(extractor, listed, labels, WEIGHTED, at="mean", cv=4)
        assert fits.n_folds == 4
        for name, (layer, estimator) in WEIGHTED.items():
            for fold, found in enumerate(fits.fold_estimators[name]):
                train = fits.folds != fold
                expected = fitted(estimator, tokens, layer, train)
                assert_fitted_as(found, expected, tokens.layer(layer))


@pytest.mark.parametrize("batch_tokens", [1, 40, 10_000])
@pytest.mark.parametrize("n_rows", [1, 50, 10_000])
def test_batches_make_no_difference(zoo, words, monkeypatch, batch_tokens, n_rows):
    sentences, labels = words
    monkeypatch.setattr("sklearn_neurox.extraction._batching._WORDS", n_rows)
    fits = fit_stream(
        extractor_of(zoo, "llama", batch_tokens=batch_tokens), sentences, labels, WEIGHTED
    )
    tokens = extractor_of(zoo, "llama").extract(sentences, labels)
    for name, (layer, estimator) in WEIGHTED.items():
        assert_fitted_as(
            fits.estimators[name], fitted(estimator, tokens, layer), tokens.layer(layer)
        )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_dtypes_are_those_of_the_extractor(zoo, words, dtype):
    sentences, labels = words
    extractor = extractor_of(zoo, "bert", dtype=dtype)
    tokens = extractor.extract(sentences, labels)
    fits = fit_stream(extractor, sentences, labels, WEIGHTED)
    for name, (layer, estimator) in WEIGHTED.items():
        X = np.asarray(tokens.layer(layer), dtype=np.float64)
        expected = clone(estimator).fit(X, tokens.y)
        assert_fitted_as(fits.estimators[name], expected, X)


def test_only_the_rows_of_the_labels(zoo, words):
    """drop_label and weights of 0 leave rows out, but the model reads the words."""
    sentences, labels = words
    extractor = extractor_of(zoo, "bert")
    marked = [["_" if i == 1 else label for i, label in enumerate(own)] for own in labels]
    weight = [[(i + len(own)) % 3 for i in range(len(own))] for own in labels]
    tokens = extractor.extract(sentences, marked)
    flat = np.concatenate(weight).astype(float)
    kept = (tokens.y != "_") & (flat > 0)
    fits = fit_stream(extractor, sentences, marked, WEIGHTED, drop_label="_", sample_weight=weight)
    assert fits.n_samples == kept.sum()
    for name, (layer, estimator) in WEIGHTED.items():
        expected = fitted(estimator, tokens, layer, kept, sample_weight=flat)
        assert_fitted_as(fits.estimators[name], expected, tokens.layer(layer))
    dropped = extractor.extract(sentences, marked, drop_label="_")
    fits = fit_stream(extractor, sentences, marked, OF_LABELS, drop_label="_")
    for name, (layer, estimator) in OF_LABELS.items():
        assert_fitted_as(
            fits.estimators[name], fitted(estimator, dropped, layer), tokens.layer(layer)
        )


def test_tokens_that_a_rule_selects(zoo, texts):
    listed, labels = texts
    extractor = extractor_of(zoo, "bert")
    tokens = extractor.extract_tokens(listed, labels, where=~where.special())
    fits = fit_stream(extractor, listed, labels, WEIGHTED, where=~where.special())
    for name, (layer, estimator) in WEIGHTED.items():
        assert_fitted_as(
            fits.estimators[name], fitted(estimator, tokens, layer), tokens.layer(layer)
        )


@pytest.mark.filterwarnings("ignore:.*exceed the limit")
@pytest.mark.parametrize("on_truncate", ["warn", "drop"])
def test_words_that_are_left_out(zoo, words, on_truncate):
    sentences, labels = words
    extractor = extractor_of(zoo, "bert", max_length=15, on_truncate=on_truncate)
    tokens = extractor.extract(sentences, labels)
    assert len(tokens.X) < sum(map(len, sentences))
    fits = fit_stream(extractor, sentences, labels, WEIGHTED)
    assert fits.n_samples == len(tokens.X)
    for name, (layer, estimator) in WEIGHTED.items():
        assert_fitted_as(
            fits.estimators[name], fitted(estimator, tokens, layer), tokens.layer(layer)
        )


def test_conversations(tokenizer_of):
    """Texts are conversations, of which a rule selects the answers, or token indices."""
    tokenizer = with_template(tokenizer_of("qwen2"), "chatml")
    torch.manual_seed(0)
    model = transformers.Qwen2Model(
        transformers.Qwen2Config(vocab_size=len(tokenizer), num_key_value_heads=1, **SMALL)
    ).eval()
    extractor = ActivationExtractor(model.double(), tokenizer, dtype="float64", device="cpu")
    chats = [[USER, {"role": "assistant", "content": f"Answer {i}."}] for i in range(20)]
    labels = np.arange(20) % 2
    rule = where.role("assistant")
    tokens = extractor.extract_tokens(chats, labels, where=rule)
    fits = fit_stream(extractor, chats, labels, WEIGHTED, where=rule, cv=2)
    for name, (layer, estimator) in WEIGHTED.items():
        X = tokens.layer(layer)
        assert_fitted_as(fits.estimators[name], fitted(estimator, tokens, layer), X)
        train = np.isin(tokens.sentence_ids, np.flatnonzero(fits.folds == 1))
        expected = fitted(estimator, tokens, layer, train)
        assert_fitted_as(fits.fold_estimators[name][0], expected, X)
    ids = [[int(each) for each in tokenizer(f"a {i} b").input_ids] for i in range(20)]
    of_ids = extractor.extract_tokens(ids, labels)
    fits = fit_stream(extractor, ids, labels, WEIGHTED)
    for name, (layer, estimator) in WEIGHTED.items():
        assert_fitted_as(
            fits.estimators[name], fitted(estimator, of_ids, layer), of_ids.layer(layer)
        )


class TestFolds:
    def test_groups_and_scores(self, zoo, words):
        sentences, labels = words
        extractor = extractor_of(zoo, "bert")
        groups = np.arange(len(sentences)) // 5
        numbers = [[float(len(w)) + 0.5 for w in words] for words in sentences]
        tokens, of_numbers = (extractor.extract(sentences, each) for each in (labels, numbers))
        cases = [
            (labels, {name: WEIGHTED[name] for name in ("lda", "gaussian")}, tokens),
            (numbers, {"ridge": ESTIMATORS["ridge"]}, of_numbers),
        ]
        for own, chosen, rows in cases:
            fits = fit_stream(extractor, sentences, own, chosen, cv=4, groups=groups, score=True)
            splits = list(GroupKFold(4).split(groups, groups=groups))
            for name, (layer, estimator) in chosen.items():
                assert fits.scores[name].shape == (4,)
                for fold, (train, test) in enumerate(splits):
                    assert (fits.folds[test] == fold).all()
                    train, test = (np.isin(rows.sentence_ids, each) for each in (train, test))
                    expected = fitted(estimator, rows, layer, train)
                    assert_fitted_as(fits.fold_estimators[name][fold], expected, rows.layer(layer))
                    metric = accuracy_score if is_classifier(estimator) else r2_score
                    predicted = expected.predict(rows.layer(layer)[test])
                    score = metric(rows.y[test], predicted)
                    assert fits.scores[name][fold] == pytest.approx(score, abs=1e-5)

    def test_the_model_runs_once_and_sums_are_kept_once_per_fold(self, zoo, words, monkeypatch):
        sentences, labels = words
        extractor, chosen = extractor_of(zoo, "bert"), {"lda": ESTIMATORS["lda"]}
        rows, calls = [], []
        run, partial_fit = Run.rows, MeanDifferenceClassifier.partial_fit

        def counted(self, encoded, **options):
            rows.append(sum(sentence.n_rows for sentence in encoded))
            return run(self, encoded, **options)

        @wraps(partial_fit)
        def counting(self, X, y, **options):
            calls.append((id(self), len(X)))
            return partial_fit.__get__(self)(X, y, **options)

        monkeypatch.setattr(Run, "rows", counted)
        monkeypatch.setattr(MeanDifferenceClassifier, "partial_fit", counting)
        n_words = sum(map(len, sentences))
        fits = fit_stream(extractor, sentences, labels, chosen, cv=5)
        assert sum(rows) == n_words
        assert len({each for each, _ in calls}) == 5
        assert sum(n for _, n in calls) == n_words
        assert all("_sums" not in vars(each) for each in fits.fold_estimators["lda"])
        fit_stream(extractor, sentences, labels, chosen, cv=5, score=True)
        assert sum(rows) == 3 * n_words

    def test_an_estimator_without_sums_is_trained_for_each_fold(self, zoo, texts):
        listed, labels = texts
        extractor = extractor_of(zoo, "bert")
        adam = LinearProbeClassifier(learning_rate=0.1, batch_size=5, random_state=0, device="cpu")
        chosen = {"sgd": (3, SGDClassifier(random_state=0)), "adam": (3, adam)}
        tokens = extractor.extract_prompts(listed, labels)
        fits = fit_stream(extractor, listed, labels, chosen, at="last", cv=KFold(4), score=True)
        X = tokens.layer(3)
        for name, (_, estimator) in chosen.items():
            for fold, found in enumerate([*fits.fold_estimators[name], fits.estimators[name]]):
                expected = clone(estimator)
                for k in range(4):
                    if k != fold:
                        rows = fits.folds == k
                        expected.partial_fit(X[rows], tokens.y[rows], classes=[0, 1])
                np.testing.assert_allclose(found.coef_, expected.coef_, rtol=1e-4, atol=1e-5)

    def test_too_few_samples_for_a_fold_are_no_reason_to_lose_the_rest(self, zoo, texts):
        listed, labels = texts
        chosen = {"lda": (3, MeanDifferenceClassifier(whiten=True))}
        extractor = extractor_of(zoo, "bert")
        with pytest.warns(UserWarning, match=r"'lda' for fold \d cannot be computed yet: .*more"):
            fits = fit_stream(
                extractor, listed[:18], labels[:18], chosen, at="last", cv=3, score=True
            )
        assert np.isnan(fits.scores["lda"]).all()
        part = fits.fold_estimators["lda"][0].set_params(shrinkage="auto").finish()
        tokens = extractor.extract_prompts(listed[:18], labels[:18])
        expected = fitted(part, tokens, 3, fits.folds != 0)
        assert_fitted_as(part, expected, tokens.layer(3))

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (dict(cv=ShuffleSplit(3)), "cv must hold out each text in one fold"),
            (dict(cv=TimeSeriesSplit(3)), "cv must hold out each text in one fold"),
            (dict(groups=[0] * 40), "groups are not divided between folds, so they need cv"),
            (dict(cv=3, groups=[0, 1]), "Got 40 texts, but groups of 2"),
            (dict(cv=3, groups=[0, 1] * 20), "only 2 groups"),
            (dict(score=True), "needs labels and cv"),
        ],
        ids=str,
    )
    def test_refusals(self, zoo, texts, options, message):
        with pytest.raises(ValueError, match=message):
            fit_stream(
                extractor_of(zoo, "bert"),
                *texts,
                {"means": ESTIMATORS["means"]},
                at="last",
                **options,
            )

    def test_all_weight_in_one_fold(self, zoo, texts):
        listed, _ = texts
        weight = np.zeros(len(listed))
        weight[:3] = 1
        with pytest.raises(ValueError, match=r"except for those .* in the texts of fold 0, so the"):
            fit_stream(
                extractor_of(zoo, "bert"),
                listed,
                np.arange(len(listed)) + 0.5,
                {"ridge": ESTIMATORS["ridge"]},
                at="last",
                sample_weight=weight,
                cv=KFold(4),
            )

    def test_a_class_that_is_in_one_fold_only(self, zoo, texts):
        listed, _ = texts
        labels = ["rare"] * 2 + ["a", "b"] * 19
        with pytest.raises(ValueError, match=r"All labels 'rare' are in the texts of fold 0"):
            fit_stream(extractor_of(zoo, "bert"), listed, labels, WEIGHTED, at="last", cv=KFold(5))


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        (dict(estimators=[]), TypeError, "must be a dict of names to"),
        (dict(estimators={}), ValueError, "estimators is empty"),
        (dict(estimators={3: (1, LeaceEraser())}), TypeError, "names of estimators"),
        (dict(estimators={"a": LeaceEraser()}), TypeError, r"must be \(layer, estimator\)"),
        (dict(estimators={"a": ("1", LeaceEraser())}), TypeError, "layer must be an integer"),
        (dict(estimators={"a": (1, LeaceEraser)}), TypeError, "must contain an estimator"),
        (dict(estimators={"a": (9, LeaceEraser())}), ValueError, "layer 9, which is not one of"),
        (
            dict(estimators={"a": (1, NeuronAblator([0]))}),
            TypeError,
            "NeuronAblator does not have the method partial_fit",
        ),
        (
            dict(estimators={"a": (1, LinearProbeClassifier(solver="owlqn"))}),
            TypeError,
            'partial_fit: .*Set solver="adam"',
        ),
        (dict(labels=None), ValueError, "MeanDifferenceClassifier, requires labels"),
        (dict(labels=[0, 1]), ValueError, "Got 40 texts, but labels for 2"),
        (dict(labels=[0.5] * 40), ValueError, "y contains continuous values"),
        (dict(labels=[[0]] * 40, at=None), ValueError, "Text 0 has .* tokens, but 1 labels"),
        (dict(labels=None, drop_label="a"), ValueError, "drop_label belongs to labels"),
        (dict(drop_label=5), ValueError, "drop_label must be one of"),
        (dict(sample_weight=[1.0]), ValueError, "one number for each of the 40"),
        (dict(sample_weight=[0.0] * 40), ValueError, "must contain a positive weight"),
        (
            dict(sample_weight=[1.0] * 40, estimators={"p": (1, ProbelessSelector())}),
            ValueError,
            "does not have the parameter sample_weight",
        ),
        (dict(at="middle"), ValueError, "at must be one of"),
        (dict(at={"end": "last"}), TypeError, "at must be a single token"),
        (dict(where="all"), TypeError, "where must be a Where"),
        (dict(texts="one"), TypeError, "a single str"),
        (dict(texts=iter(["a"])), TypeError, "got an iterator"),
        (dict(texts=["a", ["b"]]), TypeError, r"texts\[1\] is a list of words, but texts\[0\]"),
        (dict(texts=[["a", "b"]]), ValueError, "at and where select tokens of texts"),
        (dict(extractor="bert"), TypeError, "must be an ActivationExtractor"),
        (dict(score="yes"), TypeError, "score must be True or False"),
        (
            dict(score=True, cv=2, estimators={"a": (1, LeaceEraser())}),
            ValueError,
            "score=True requires classifiers or regressors",
        ),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_bad_arguments(zoo, texts, changed, error, message):
    listed, labels = texts
    arguments = dict(
        extractor=extractor_of(zoo, "bert"),
        texts=listed,
        labels=labels,
        estimators={"means": ESTIMATORS["means"]},
        at="last",
    )
    with pytest.raises(error, match=message):
        fit_stream(**arguments | changed)


def test_bad_arguments_of_words(zoo, words):
    sentences, labels = words
    extractor, chosen = extractor_of(zoo, "bert"), {"means": ESTIMATORS["means"]}
    with pytest.raises(ValueError, match=r"sample_weight\[0\] must contain"):
        fit_stream(extractor, sentences, labels, chosen, sample_weight=[[1.0]] * len(sentences))
    with pytest.raises(ValueError, match=r"a list for each of the 40 texts, got 1"):
        fit_stream(extractor, sentences, labels, chosen, sample_weight=[[1.0]])
    with pytest.raises(ValueError, match="Sentence 0 has"):
        fit_stream(extractor, sentences, [["a"]] * len(sentences), chosen)
    extractor.set_params(include_special_tokens=True)
    with pytest.raises(ValueError, match="special tokens do not have labels"):
        fit_stream(extractor, sentences, labels, chosen)


def test_the_extractor_and_the_estimators_are_not_changed(zoo, texts):
    listed, labels = texts
    extractor, probe = extractor_of(zoo, "bert", layers=[1, 3]), MeanDifferenceClassifier()
    fits = fit_stream(extractor, listed, labels, {"a": (3, probe), "b": (3, probe)}, at="first")
    assert vars(probe) == vars(MeanDifferenceClassifier())
    assert extractor.layers == [1, 3]
    np.testing.assert_array_equal(fits.estimators["a"].coef_, fits.estimators["b"].coef_)
    with pytest.raises(ValueError, match=r"layer 2, which is not one of .*\[1, 3\]"):
        fit_stream(extractor, listed, labels, {"a": (2, probe)}, at="first")


def test_the_estimators_of_all_texts_continue(zoo, texts):
    listed, labels = texts
    extractor = extractor_of(zoo, "bert")
    tokens = extractor.extract_prompts(listed, labels)
    fits = fit_stream(extractor, listed[:25], labels[:25], WEIGHTED, at="last")
    for name, (layer, estimator) in WEIGHTED.items():
        X = tokens.layer(layer)
        continued = fits.estimators[name].partial_fit(X[25:], tokens.y[25:])
        assert_fitted_as(continued, fitted(estimator, tokens, layer), X)


def test_the_result_as_a_table(zoo, texts):
    pytest.importorskip("pandas")
    listed, labels = texts
    chosen = {"means": (1, MeanDifferenceClassifier()), "<i>": (3, MeanDifferenceClassifier())}
    fits = fit_stream(
        extractor_of(zoo, "bert"), listed, labels, chosen, at="last", cv=KFold(2), score=True
    )
    table = fits.to_frame()
    assert table.index.tolist() == ["means", "<i>"]
    assert table["layer"].tolist() == [1, 3]
    assert table["score"].tolist() == [fits.scores[name].mean() for name in chosen]
    assert repr(fits).startswith("StreamedFits(2 estimators, 40 samples, 2 folds, means: ")
    assert "&lt;i&gt;" in fits._repr_html_()
    assert "<i>" not in fits._repr_html_()
    without = fit_stream(extractor_of(zoo, "bert"), listed, labels, chosen, at="last")
    assert (without.folds, without.fold_estimators, without.scores) == (None, {}, {})
    assert list(without.to_frame()) == ["layer", "estimator", "n_samples", "n_folds"]
