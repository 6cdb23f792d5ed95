"""Agreement with NeuroX where NeuroX is correct. docs/neurox.md lists the differences."""

import numpy as np
import pytest
import torch

from sklearn_neurox import (
    AveragePrecisionSelector,
    CorrelationClustering,
    LayerSelector,
    LinearProbeClassifier,
    LinearProbeRegressor,
    NeuronAblator,
    NeuronSelector,
    ProbelessSelector,
    average_precision_scores,
    bottom_neurons,
    mean_difference_scores,
    threshold_neurons,
    top_neurons,
    top_words,
    weight_mass_ordering,
)
from sklearn_neurox.extraction import aggregate_subwords
from sklearn_neurox.probes._adam import TensorBatches, make_dataset, make_net
from sklearn_neurox.probes._adam_steps import BankAdam, make_steps

CPU = torch.device("cpu")
MATRICES = ("dense_4x40", "heavy_17x120", "binary_2x30")


@pytest.mark.parametrize("run", range(12))
@pytest.mark.parametrize(("dtype", "atol"), [(np.float64, 1e-5), (np.float32, 1e-4)])
@pytest.mark.parametrize("make", [BankAdam, make_steps])
def test_adam_weights_and_losses(reference, run, dtype, atol, make):
    data = reference("adam")
    run = data["runs"][run]
    is_classification = run["task"] == "classification"
    start = data["init_classification" if is_classification else "init_regression"]
    X = np.array(data["X"], dtype=np.float32).astype(dtype)
    targets = (
        np.eye(3)[data["y_class"]]
        if is_classification
        else np.array(data["y_regression"])[:, np.newaxis]
    )
    net = make_net(
        np.array([start["W"]], dtype=dtype),
        np.array([start["b"]], dtype=dtype),
        loss="softmax_cross_entropy" if is_classification else "squared_error",
        lambda_l1=[run["l1"]],
        lambda_l2=[run["l2"]],
        l2_penalty="norm",
        batch_size=data["batch_size"],
        learning_rate=data["learning_rate"],
        shuffle=None,
        device=CPU,
    )
    dataset = make_dataset(X, targets, np.ones(len(X), dtype), CPU)
    steps = make(net.module_, net.criterion_, net.optimizer_)
    for epoch, loss in enumerate(run["losses_float64"], start=1):
        with torch.no_grad():
            batch_means = [
                float(steps.step(X, targets.T.contiguous(), weight / len(X)))
                for X, (targets, weight) in TensorBatches(dataset, data["batch_size"])
            ]
        # NeuroX divides the sum of the batch means by the number of rows.
        np.testing.assert_allclose(sum(batch_means) / len(X), loss, atol=atol)
        if (expected := run.get(f"after_{epoch}_epoch{'s' * (epoch > 1)}")) is not None:
            np.testing.assert_allclose(net.module_.weight[0].detach(), expected["W"], atol=atol)
            np.testing.assert_allclose(net.module_.bias[0].detach(), expected["b"], atol=atol)
    assert epoch == 3


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_estimators_follow_the_same_trajectory(reference, task):
    data = reference("adam")
    runs = [run for run in data["runs"] if run["task"] == task]
    X = np.array(data["X"], dtype=np.float32).astype(np.float64)
    start = data[f"init_{task}"]
    for run in runs:
        probe = (LinearProbeClassifier if task == "classification" else LinearProbeRegressor)(
            lambda_l1=run["l1"],
            lambda_l2=run["l2"],
            learning_rate=data["learning_rate"],
            batch_size=data["batch_size"],
            max_epochs=3,
            warm_start=True,
            device="cpu",
        )
        probe.coef_, probe.intercept_ = np.array(start["W"]), np.array(start["b"])
        probe.classes_, probe.n_features_in_ = np.arange(3), 8
        probe.fit(X, data["y_class" if task == "classification" else "y_regression"])
        expected = run["after_3_epochs"]
        np.testing.assert_allclose(np.atleast_2d(probe.coef_), expected["W"], atol=1e-5)
        np.testing.assert_allclose(np.atleast_1d(probe.intercept_), expected["b"], atol=1e-5)


@pytest.mark.parametrize("name", MATRICES)
def test_top_and_bottom_neurons(reference, name):
    matrix = reference("selection")["matrices"][name]
    coef = np.array(matrix["W"], dtype=np.float32)
    for case in matrix["top"] + [{**case, "bottom": True} for case in matrix["bottom"]]:
        select = bottom_neurons if "bottom" in case else top_neurons
        union, per_class = select(coef, case["mass"])
        assert union.tolist() == case["union_sorted"]
        assert [neurons.tolist() for neurons in per_class] == list(case["per_class"].values())


@pytest.mark.parametrize("name", MATRICES)
def test_threshold_neurons(reference, name):
    matrix = reference("selection")["matrices"][name]
    for case in matrix["hard_threshold"]:
        union, _ = threshold_neurons(np.array(matrix["W"], np.float32), case["share_of_max"])
        assert union.tolist() == case["union_sorted"]


@pytest.mark.parametrize("name", MATRICES)
def test_ordering_as_sets_per_bin(reference, name):
    matrix = reference("selection")["matrices"][name]
    for case in matrix["ordering"]:
        ordering, cutoffs = weight_mass_ordering(matrix["W"], n_bins=case["search_stride"])
        # At mass 0 NeuroX selects a neuron of each class. Its first bin contains these neurons.
        assert cutoffs[0] == 0
        assert cutoffs[1:].tolist() == case["cutoffs"][1:]
        for start, stop in zip(cutoffs[1:-1], cutoffs[2:], strict=True):
            assert set(ordering[start:stop]) == set(case["ordering"][start:stop])


@pytest.mark.parametrize("name", MATRICES)
def test_granular_ordering_as_sets_per_chunk(reference, name):
    matrix = reference("selection")["matrices"][name]
    for case in matrix["ordering_granular"]:
        ordering, cutoffs = weight_mass_ordering(
            matrix["W"], n_bins=case["search_stride"], chunk_size=case["granularity"]
        )
        assert cutoffs[-1] == len(ordering)  # NeuroX omits the neurons after the last chunk
        for cutoff in case["cutoffs"][1:]:
            assert cutoff in cutoffs
            assert set(ordering[:cutoff]) == set(case["ordering"][:cutoff])


@pytest.mark.parametrize("name", MATRICES)
def test_last_neurons(reference, name):
    matrix = reference("selection")["matrices"][name]
    ordering, _ = weight_mass_ordering(matrix["W"])
    case = matrix["fixed_bottom"]
    assert set(ordering[-case["k"] :]) == set(case["always_included"])


def test_probeless(reference):
    data = reference("probeless")
    X, y = np.array(data["X"], dtype=np.float32), np.array(data["tags"])[data["y"]]
    overall, per_class = mean_difference_scores(X, y)
    np.testing.assert_allclose(overall, data["scores_overall_float64"], rtol=1e-6)
    assert ProbelessSelector(scaled=False).fit(X, y).ranking_.tolist() == data["overall"]
    for tag, scores in zip(np.unique(y), per_class, strict=True):
        np.testing.assert_allclose(scores, data["scores_per_tag_float64"][tag], rtol=1e-6)
        selector = ProbelessSelector(scaled=False, target=tag).fit(X, y)
        assert selector.ranking_.tolist() == data["per_tag"][tag]


@pytest.mark.parametrize("run", range(3))
def test_average_precision(reference, run):
    data = reference("average_precision")
    X, y, run = np.array(data["X"], dtype=np.float32), data["y"], data["neurox_runs"][run]
    parameters = dict(min_activation=run["threshold"], signed=False)
    np.testing.assert_allclose(
        average_precision_scores(X, y, **parameters)[1], run["scores"], atol=1e-8
    )
    selector = AveragePrecisionSelector(target=1, **parameters).fit(X, y)
    assert selector.ranking_.tolist() == run["ordering"]


def test_average_precision_of_both_signs(reference):
    data = reference("average_precision")
    X, y = np.array(data["X"], dtype=np.float32), data["y"]
    best = data["not_neurox_best_of_both_signs"]
    np.testing.assert_allclose(average_precision_scores(X, y)[1], best["scores"], atol=1e-8)
    ranking = AveragePrecisionSelector(target=1).fit(X, y).ranking_
    assert ranking.tolist() == best["ordering"]
    assert ranking[0] == data["negative_detector"]  # NeuroX ranks it last


@pytest.mark.parametrize("run", range(18))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_clusters(reference, run, dtype):
    data = reference("clustering")
    run = data["runs"][run]
    clustering = CorrelationClustering(
        linkage=run["method"],
        absolute=run["use_abs_correlation"],
        distance_threshold=run["threshold"],
    ).fit(np.array(data["X"], dtype=np.float32).astype(dtype))
    pairs = set(zip(clustering.labels_.tolist(), run["labels"], strict=True))
    assert len(pairs) == clustering.n_clusters_ == len(set(run["labels"]))


def test_layer_filters(reference):
    for case in reference("ablation")["layer_maps"]:
        layers, n_layers = case["layers_to_keep"], case["num_layers"]
        direction = {"none": "both"}.get(
            case["bidirectional_filtering"], case["bidirectional_filtering"]
        )
        selector = LayerSelector(layers, n_layers=n_layers, direction=direction)
        X = np.zeros((1, case["width"]))
        if len(set(layers)) < len(layers):
            with pytest.raises(ValueError, match="Each layer can be listed only once"):
                selector.fit(X)
        else:  # NeuroX returns the columns in the requested order, a selector in the order of X
            support = selector.fit(X).get_support(indices=True)
            assert support.tolist() == sorted(case["columns"])


def test_ablation(reference):
    data = reference("ablation")
    X = np.array(data["X"], dtype=np.float32)
    for case in data["runs"]:
        neurons = case["neurons"]
        if any(neuron < 0 for neuron in neurons) or len(set(neurons)) < len(neurons):
            with pytest.raises(
                ValueError, match=r"must be integers from 0|can be listed only once"
            ):
                NeuronAblator(neurons).fit(X)
            continue
        kept_in_order = np.argsort(np.argsort(neurons))
        np.testing.assert_array_equal(
            NeuronAblator(neurons).fit_transform(X), np.float32(case["zero_these"])
        )
        np.testing.assert_array_equal(
            NeuronAblator(neurons, invert=True).fit_transform(X), np.float32(case["zero_others"])
        )
        np.testing.assert_array_equal(
            NeuronAblator(neurons, mode="remove").fit_transform(X),
            np.float32(case["remove_columns"]).reshape(3, -1),
        )
        if neurons:
            np.testing.assert_array_equal(
                NeuronSelector(neurons).fit_transform(X)[:, kept_in_order],
                np.float32(case["keep_columns"]),
            )


def test_top_words(reference):
    data = reference("top_words")
    words = [word for sentence in data["sentences"] for word in sentence]
    X = np.vstack([np.float32(rows) for rows in data["activations"]])
    for case in data["runs"]:
        arguments = case["arguments"]
        scored = top_words(
            words,
            X[:, case["neuron"]],
            n_words=arguments.get("num_tokens"),
            min_score=arguments.get("min_threshold", 0.1),
        )
        assert [word for word, _ in scored] == [word for word, _ in case["result"]]
        np.testing.assert_allclose(
            np.abs([score for _, score in scored]),
            [score for _, score in case["result"]],
            atol=1e-5,
        )


def test_subword_aggregation(reference):
    data = reference("subwords")
    states = np.float32(data["state"])
    cases = [case for case in data["runs"] if case["end_inclusive"] >= case["start"]]
    word_ids = np.concatenate(
        [[i] * (case["end_inclusive"] + 1 - case["start"]) for i, case in enumerate(cases)]
    ).tolist()
    for aggregation, key in {"first": "first", "last": "last", "mean": "average"}.items():
        expected = np.float32([case[key] for case in cases]).transpose(1, 0, 2)
        np.testing.assert_allclose(
            aggregate_subwords(states, word_ids, aggregation), expected, atol=1e-6
        )
        as_tensor = aggregate_subwords(torch.from_numpy(states), word_ids, aggregation)
        np.testing.assert_allclose(as_tensor, expected, atol=1e-6)
