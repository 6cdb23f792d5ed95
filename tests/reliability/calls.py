"""One small call of every public estimator and function that computes, writes or draws something.

The tests of leaks and of reproducibility, and the soak, run over these calls. A call takes
:class:`~tests.reliability.inputs.Inputs`, a seed and `n_jobs`, and returns its result.
"""

import io
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_neurox as snx

from .inputs import N_LAYERS, Inputs, mlp, network, write_store

Call = Callable[[Inputs, int, int | None], Any]

GRID = dict(lambdas_l1=[0, 1e-2], lambdas_l2=[1e-3, 1e-2], cv=GroupKFold(3))
FOLDS = dict(cv=GroupKFold(3))
FEW = dict(n_bootstraps=50)
FAST = dict(max_epochs=2, device="cpu", learning_rate=0.1)
EXACT = dict(solver="owlqn", lambda_l1=1e-3, lambda_l2=1e-2, tol=1e-4, device="cpu")
RIDGE = dict(solver="owlqn", lambda_l2=0.1, l2_penalty="squared", device="cpu")


def adam(seed: int, **params: Any) -> Any:
    return snx.LinearProbeClassifier(**FAST, shuffle=True, random_state=seed, **params)


def exact(**params: Any) -> Any:
    return snx.LinearProbeClassifier(**EXACT | params)


def smooth() -> Any:
    return snx.LinearProbeClassifier(**RIDGE)


def fitted(estimator: Any, X: Any, y: Any = None, **params: Any) -> Any:
    """Return the fitted estimator, and what each of its methods returns."""
    estimator.fit(X, y, **params)
    methods = ("predict", "predict_proba", "decision_function", "transform")
    names = [name for name in methods if hasattr(estimator, name)]
    return estimator, [getattr(estimator, name)(X) for name in names]


def _of_labels(make: Callable[[int], Any]) -> Call:
    return lambda inputs, seed, n_jobs: fitted(make(seed), inputs.X, inputs.labels)


def _of_targets(make: Callable[[int], Any]) -> Call:
    return lambda inputs, seed, n_jobs: fitted(make(seed), inputs.X, inputs.targets)


def _search(make: Callable[..., Any], y: str) -> Call:
    def call(inputs: Inputs, seed: int, n_jobs: int | None) -> Any:
        search = make(random_state=seed, n_jobs=n_jobs, **GRID)
        search, outputs = fitted(search, inputs.X, getattr(inputs, y), groups=inputs.groups)
        times = [name for name in search.cv_results_ if "time" in name]
        for name in times:  # they differ
            search.cv_results_.pop(name)
        return search.set_params(n_jobs=None), outputs

    return call


def _classifier_cv(**params: Any) -> Any:
    return snx.LinearProbeClassifierCV(**FAST | params)


def _exact_cv(**params: Any) -> Any:
    return snx.LinearProbeClassifierCV(solver="owlqn", tol=1e-4, device="cpu", **params)


def _regressor_cv(**params: Any) -> Any:
    return snx.LinearProbeRegressorCV(solver="owlqn", tol=1e-4, device="cpu", **params)


def _in_batches(make: Callable[[int], Any], y: str) -> Call:
    def call(inputs: Inputs, seed: int, n_jobs: int | None) -> Any:
        estimator, values = make(seed), getattr(inputs, y)
        known = dict(classes=np.unique(values)) if y == "labels" else {}
        for start in range(0, len(inputs.X), 32):
            rows = slice(start, start + 32)
            estimator.partial_fit(inputs.X[rows], values[rows], **known)
        return estimator

    return call


def _weighted(inputs: Inputs, seed: int, n_jobs: int | None) -> Any:
    probe = exact(class_weight="balanced", standardize=True)
    return fitted(probe, inputs.X, inputs.labels, sample_weight=inputs.sample_weight)


def _pipeline(inputs: Inputs, seed: int, n_jobs: int | None) -> Any:
    steps = (StandardScaler(), snx.ProbelessSelector(n_neurons=4), adam(seed))
    return fitted(make_pipeline(*steps), inputs.X, inputs.labels)


PROBES: dict[str, Call] = {
    "Adam": _of_labels(adam),
    "Adam, penalties": _of_labels(lambda seed: adam(seed, lambda_l1=1e-3, lambda_l2=1e-3)),
    "Adam, standardize": _of_labels(lambda seed: adam(seed, standardize=True)),
    "exact": _of_labels(lambda seed: exact()),
    "exact, weighted": _weighted,
    "pipeline": _pipeline,
    "Adam, grid": _search(_classifier_cv, "labels"),
    "exact, grid": _search(_exact_cv, "labels"),
    "regressor, Adam": _of_targets(
        lambda seed: snx.LinearProbeRegressor(**FAST, shuffle=True, random_state=seed)
    ),
    "regressor, exact": _of_targets(lambda seed: snx.LinearProbeRegressor(**EXACT)),
    "ridge": _of_targets(lambda seed: snx.LinearProbeRegressor(**RIDGE)),
    "regressor, grid": _search(_regressor_cv, "targets"),
    "Gaussian": _of_labels(lambda seed: snx.GaussianProbeClassifier()),
    "mean difference": _of_labels(lambda seed: snx.MeanDifferenceClassifier()),
    "LDA": _of_labels(lambda seed: snx.MeanDifferenceClassifier(whiten=True, shrinkage="auto")),
    "Adam in batches": _in_batches(adam, "labels"),
    "mean difference in batches": _in_batches(
        lambda seed: snx.MeanDifferenceClassifier(), "labels"
    ),
    "ridge in batches": _in_batches(lambda seed: snx.LinearProbeRegressor(**RIDGE), "targets"),
}


def _rankings(inputs: Inputs, seed: int, n_jobs: int | None) -> Any:
    X, y = inputs.X, inputs.labels
    coef = np.random.RandomState(seed).normal(size=(3, X.shape[1]))
    half = X.shape[1] // 2
    rankings = [snx.weight_mass_ordering(coef)[0], snx.mean_difference_scores(X, y)[0].argsort()]
    return [
        *rankings,
        snx.average_precision_scores(X, y),
        snx.top_neurons(coef, 0.5),
        snx.bottom_neurons(coef, 0.5),
        snx.threshold_neurons(coef, 0.5),
        snx.random_neurons(X.shape[1], 0.3, random_state=seed),
        snx.vote(rankings),
        snx.ranking_overlap(rankings, n_neurons=4),
        snx.cross_model_correlation_scores([X[:, :half], X[:, half:]]),
        snx.top_words(inputs.words, X[:, 0]),
    ]


def _projector(inputs: Inputs, seed: int, n_jobs: int | None) -> Any:
    direction = np.random.RandomState(seed).normal(size=inputs.X.shape[1])
    return fitted(snx.DirectionProjector(direction), inputs.X)


NEURONS: dict[str, Call] = {
    "rankings": _rankings,
    "WeightMassSelector": _of_labels(
        lambda seed: snx.WeightMassSelector(exact(), standardize=True, n_neurons=4)
    ),
    "ProbelessSelector": _of_labels(lambda seed: snx.ProbelessSelector(n_neurons=4)),
    "AveragePrecisionSelector": _of_labels(lambda seed: snx.AveragePrecisionSelector(n_neurons=4)),
    "GaussianSelector": _of_labels(lambda seed: snx.GaussianSelector(n_neurons=4, n_greedy=4)),
    "RandomSelector": _of_labels(lambda seed: snx.RandomSelector(n_neurons=4, random_state=seed)),
    "VotingSelector": _of_labels(
        lambda seed: snx.VotingSelector(
            [("means", snx.ProbelessSelector()), ("words", snx.AveragePrecisionSelector())],
            n_neurons=4,
        )
    ),
    "LayerSelector": _of_labels(lambda seed: snx.LayerSelector(1, n_layers=N_LAYERS)),
    "NeuronSelector": _of_labels(lambda seed: snx.NeuronSelector([0, 2])),
    "CorrelationClustering": _of_labels(lambda seed: snx.CorrelationClustering(random_state=seed)),
    "IndependentNeuronSelector": _of_labels(
        lambda seed: snx.IndependentNeuronSelector(random_state=seed)
    ),
    **{
        f"NeuronAblator, {mode}": _of_labels(
            lambda seed, mode=mode: snx.NeuronAblator([0, 3], mode=mode, random_state=seed)
        )
        for mode in ("zero", "mean", "resample", "interchange", "remove")
    },
    "LeaceEraser": _of_labels(lambda seed: snx.LeaceEraser()),
    "NullspaceEraser": _of_labels(
        lambda seed: snx.NullspaceEraser(snx.MeanDifferenceClassifier(), n_iter=2)
    ),
    "DirectionProjector": _projector,
}


def _layers(inputs: Inputs, seed: int, n_jobs: int | None) -> Any:
    task = snx.make_control_task(inputs.words, inputs.labels, random_state=seed)
    scores = snx.layerwise_scores(
        adam(seed), inputs.X, inputs.labels, n_layers=N_LAYERS, groups=inputs.groups,
        control={"control task": task, "random": inputs.X[:, ::-1]}, n_jobs=n_jobs, **FOLDS,
    )  # fmt: skip
    return [
        scores,
        scores.compare(random_state=seed, **FEW),
        scores.best_layers(random_state=seed, **FEW),
        scores.permutation_test(n_permutations=20, random_state=seed),
    ]


def _function(function: Callable[..., Any], y: str, **options: Any) -> Call:
    """Return a call of a function that takes an estimator, X, y, groups, chance and jobs."""

    def call(inputs: Inputs, seed: int, n_jobs: int | None) -> Any:
        given = {name: value(inputs) for name, value in options.items() if callable(value)}
        return function(
            smooth(), inputs.X, getattr(inputs, y), groups=inputs.groups, random_state=seed,
            n_jobs=n_jobs, **options | given,
        )  # fmt: skip

    return call


def _nested(inputs: Inputs, seed: int, n_jobs: int | None) -> Any:
    return snx.nested_layer_scores(
        adam(seed), inputs.X, inputs.labels, n_layers=N_LAYERS, groups=inputs.groups,
        param_grid={"lambda_l2": [0, 1e-2]}, inner_cv=GroupKFold(2), n_jobs=n_jobs, **FOLDS,
    )  # fmt: skip


def _report(inputs: Inputs, seed: int, n_jobs: int | None) -> Any:
    train = inputs.groups % 2 == 0
    probe = smooth().fit(inputs.X[train], inputs.labels[train])
    return snx.probe_report(
        probe, inputs.X[~train], inputs.labels[~train], words=inputs.words[~train],
        sentence_ids=inputs.groups[~train], train_words=inputs.words[train], random_state=seed,
        metric=["accuracy", "log_loss"], **FEW,
    )  # fmt: skip


def _compare(inputs: Inputs, seed: int, n_jobs: int | None) -> Any:
    one, other = (
        smooth().fit(inputs.X, inputs.labels).predict(inputs.X),
        snx.MeanDifferenceClassifier().fit(inputs.X, inputs.labels).predict(inputs.X),
    )
    return snx.compare_scores(
        one, other, y=inputs.labels, groups=inputs.groups, random_state=seed, **FEW
    )


def _transfer(inputs: Inputs, seed: int, n_jobs: int | None) -> Any:
    half = len(inputs.X) // 8 * 4
    parts = {"first": slice(half), "second": slice(half, None)}
    sets = {
        name: (inputs.X[rows], inputs.binary[rows], inputs.groups[rows])
        for name, rows in parts.items()
    }
    return snx.transfer_scores(
        RidgeClassifier(), sets, cv=GroupKFold(2), random_state=seed, n_jobs=n_jobs, **FEW
    )


def _texts_of(inputs: Inputs) -> list[str]:
    return [" ".join(inputs.words[i : i + 4]) for i in range(0, len(inputs.X), 2)]


def _audit(inputs: Inputs, seed: int, n_jobs: int | None) -> Any:
    texts = _texts_of(inputs)
    return snx.audit_corpus(
        texts, inputs.binary[::2], cv=3, random_state=seed, n_jobs=n_jobs, **FEW
    )


def _threshold(inputs: Inputs, seed: int, n_jobs: int | None) -> Any:
    return snx.tune_threshold(
        smooth(), inputs.X, inputs.binary, fpr=0.1, groups=inputs.groups, cv=3
    )


def _erasure(inputs: Inputs, seed: int, n_jobs: int | None) -> Any:
    train = inputs.groups % 2 == 0
    return snx.erasure_report(
        snx.LeaceEraser().fit(inputs.X[train], inputs.labels[train]), inputs.X[train], inputs.labels[train], inputs.X[~train],
        inputs.labels[~train], linear=smooth(), nonlinear=snx.GaussianProbeClassifier(),
        random_state=seed,
    )  # fmt: skip


def _small(inputs: Inputs, seed: int, n_jobs: int | None) -> Any:
    return [
        snx.make_control_tasks(inputs.words, inputs.labels, n_tasks=2, random_state=seed),
        snx.balanced_indices(inputs.labels, random_state=seed),
        snx.compute_score(inputs.targets, inputs.targets**2, "pearson_and_spearman"),
        snx.recall_at_fpr(inputs.binary, inputs.targets, fpr=0.1, pos_label="yes"),
    ]


EVALUATION: dict[str, Call] = {
    "layerwise_scores": _layers,
    "nested_layer_scores": _nested,
    "ablation_curve": _function(
        snx.ablation_curve, "labels", ranking=snx.ProbelessSelector(), fractions=[0.25, 0.5], **FOLDS
    ),
    "selectivity_score": _function(
        snx.selectivity_score, "labels", words=lambda inputs: inputs.words, n_controls=2, **FOLDS
    ),
    "selectivity_curve": _function(
        snx.selectivity_curve, "labels", words=lambda inputs: inputs.words,
        param_name="lambda_l2", param_range=[1e-2, 1e-1], **FOLDS,
    ),
    "codelength": _function(snx.codelength, "labels", fractions=[0.25, 0.5, 1.0]),
    "conditional_codelength": _function(
        snx.conditional_codelength, "labels", given=lambda inputs: inputs.X[:, :2],
        fractions=[0.25, 0.5, 1.0], **FEW,
    ),
    "operating_point": _function(
        snx.operating_point, "binary", fpr=0.2, inner_cv=GroupKFold(2), **FOLDS, **FEW
    ),
    "tune_threshold": _threshold,
    "probe_report": _report,
    "compare_scores": _compare,
    "transfer_scores": _transfer,
    "audit_corpus": _audit,
    "erasure_report": _erasure,
    "controls and samples": _small,
}  # fmt: skip


def _extractor(kind: str, **options: Any) -> Any:
    model = network(kind)
    return snx.ActivationExtractor(model.model, model.tokenizer, device="cpu", **options)


def _extract(inputs: Inputs, seed: int, n_jobs: int | None) -> Any:
    model, extractor = network("encoder"), _extractor("encoder", batch_tokens=32)
    sentences = [text.split() for text in model.texts]
    return [
        extractor.extract(sentences, model.labels),
        extractor.extract_tokens(model.texts),
        extractor.extract_prompts(model.texts, at="mean"),
        extractor.transform(model.texts),
    ]


def _extract_random(inputs: Inputs, seed: int, n_jobs: int | None) -> Any:
    model = network("encoder")
    sentences = [text.split() for text in model.texts]
    extractor = _extractor("encoder", random_weights=True, random_state=seed)
    return extractor.extract(sentences)


def _stream(inputs: Inputs, seed: int, n_jobs: int | None) -> Any:
    model = network("encoder")
    estimators = {"means": (1, snx.MeanDifferenceClassifier()), "leace": (2, snx.LeaceEraser())}
    sentences = [text.split() for text in model.texts]
    return snx.fit_stream(_extractor("encoder"), sentences, model.labels, estimators, cv=2)


def _modules(inputs: Inputs, seed: int, n_jobs: int | None) -> Any:
    return snx.ModuleActivations(mlp(inputs.X.shape[1]), ["1"]).fit_transform(inputs.X)


def _effect(inputs: Inputs, seed: int, n_jobs: int | None) -> Any:
    model = network("decoder")
    return snx.causal_effect(
        model.model, model.texts, tokenizer=model.tokenizer, layer=1,
        edit=snx.NeuronAblator([], mode="mean"), labels=model.labels,
        ranking=snx.ProbelessSelector(n_neurons=2), cv=2, n_placebos=2, random_state=seed,
        n_jobs=n_jobs,
    )  # fmt: skip


def _interchange(inputs: Inputs, seed: int, n_jobs: int | None) -> Any:
    texts, sources = ["w0 w1 w2 w3", "w2 w1 w0"], ["w0 w3 w5 w3", "w2 w1 w1"]
    extractor = _extractor("decoder")
    return [
        snx.interchange_effect(extractor, texts, sources, layer=1, random_state=seed),
        snx.patching_map(extractor, texts[:1], sources[:1], layers=[1, 2], n_jobs=n_jobs),
    ]


def _intervene(inputs: Inputs, seed: int, n_jobs: int | None) -> Any:
    model = network("decoder")
    direction = np.random.RandomState(seed).normal(size=32)
    batch = model.tokenizer(model.texts[:2], return_tensors="pt", padding=True)
    with snx.intervene(model.model, {1: snx.SteeringVector(direction)}) as edited, torch.no_grad():
        return edited(**batch).logits


NETWORKS: dict[str, Call] = {
    "ActivationExtractor": _extract,
    "ActivationExtractor, random weights": _extract_random,
    "ModuleActivations": _modules,
    "fit_stream": _stream,
    "intervene": _intervene,
    "interchange_effect": _interchange,
    "causal_effect": _effect,
}


def _save(inputs: Inputs, seed: int, n_jobs: int | None) -> Any:
    path = inputs.folder / f"{seed}.skops"
    snx.save(adam(seed).fit(inputs.X, inputs.labels), path)
    return snx.load(path)


def _store(inputs: Inputs, seed: int, n_jobs: int | None) -> Any:
    with TemporaryDirectory(dir=inputs.folder) as folder:
        whole, part = Path(folder) / "whole", Path(folder) / "part"
        write_store(whole, inputs)
        snx.TokenActivations.load(whole)[:8].save(part)
        loaded = [snx.TokenActivations.load(path, verify=True) for path in (whole, part)]
        return [(tokens.X[:], tokens.words) for tokens in loaded]


def _file(inputs: Inputs, seed: int, n_jobs: int | None) -> Any:
    path = inputs.folder / f"{seed}.json"
    snx.write_activations(path, inputs.tokens[:8], overwrite=True)
    return snx.read_activations(path)


def _direction(inputs: Inputs, seed: int, n_jobs: int | None) -> Any:
    model, path = network("decoder").model, inputs.folder / f"{seed}.direction.json"
    edit = snx.SteeringVector(np.random.RandomState(seed).normal(size=32))
    snx.save_direction(edit, path, model=model, layer=1)
    return snx.load_direction(path, model)


FILES: dict[str, Call] = {
    "save and load": _save,
    "store": _store,
    "activation files": _file,
    "direction files": _direction,
}


def _drawn(display: Any) -> bytes:
    """Return a picture of the display, whose figure is closed."""
    from matplotlib import pyplot

    file = io.BytesIO()
    display.figure_.savefig(file, format="raw", dpi=50)
    pyplot.close(display.figure_)
    return file.getvalue()


def _displays(inputs: Inputs, seed: int, n_jobs: int | None) -> Any:
    X, y, clustering = inputs.X, inputs.labels, snx.CorrelationClustering(random_state=seed)
    clustering.fit(X)
    scores = snx.layerwise_scores(smooth(), X, y, n_layers=N_LAYERS, cv=3)
    report = _report(inputs, seed, n_jobs)
    return [
        _drawn(snx.LayerwiseScoresDisplay.from_result(scores)),
        _drawn(snx.ProbeReportDisplay.from_result(report)),
        _drawn(snx.DendrogramDisplay.from_estimator(clustering)),
        _drawn(snx.RedundancyDisplay.from_estimator(clustering)),
    ]


def _pages(inputs: Inputs, seed: int, n_jobs: int | None) -> Any:
    tokens = inputs.tokens
    report = snx.AnalysisReport("Title", "Lead").add_section("Section", "Text")
    report.add_table(["name", "value"], [["a", 1]], "Table")
    return [
        report.to_html(),
        snx.TopWordsTable(tokens, [0, 1]).to_html(),
        snx.NeuronGrid(tokens, [0, 1]).to_html(),
        snx.visualize_activations(list(tokens.words[:4]), tokens.X[:4, 0]).tostring(),
    ]


DISPLAYS: dict[str, Call] = {"displays": _displays, "pages": _pages}

CALLS: dict[str, Call] = {**PROBES, **NEURONS, **EVALUATION, **NETWORKS, **FILES, **DISPLAYS}
