"""Peak memory of estimators and functions against the number of samples.

X is a memory map of float16 activations. Each measurement runs in a child process, which monitors
its own memory: the anonymous pages that it needs more than before the call. The pages of the file
are cache, which the system can reclaim at any time, and are not counted. The slope is fitted to the
largest two numbers of samples, and X itself has `2 * n_neurons` bytes per sample.
Run: python benchmarks/scale.py [--rows 10000 100000 1000000] [--only probe]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from _memory import Watch
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_neurox as snx

N_CLASSES, N_LAYERS = 3, 2
CHUNK = 8192  # samples


def adam(**params):
    return snx.LinearProbeClassifier(max_epochs=1, device="cpu", random_state=0, **params)


def exact(**params):
    return snx.LinearProbeClassifier(
        solver="owlqn", lambda_l2=1e-2, l2_penalty="squared", max_iter=5, device="cpu", **params
    )


def regressor():
    return snx.LinearProbeRegressor(
        solver="owlqn", lambda_l2=1e-2, l2_penalty="squared", max_iter=5, device="cpu"
    )


def classifier_cv():
    return snx.LinearProbeClassifierCV(
        lambdas_l1=[0], lambdas_l2=[1e-3, 1e-2], cv=3, max_epochs=1, device="cpu", random_state=0
    )


def transformed(transformer, X, y):
    """Fit a transformer and transform a part of X, whose result is not larger than the part."""
    transformer.fit(X, y)
    transformer.transform(X[:CHUNK])


def behind_scaler(X, y):
    """Fit a probe behind a scaler, which requires float32."""
    make_pipeline(StandardScaler(), adam()).fit(X.astype(np.float32), y)


def predicted(X, y):
    """Predict all samples with a probe that was trained on some of them."""
    exact().fit(np.array(X[:1000]), y[:1000]).predict(X)


def whole(transformer, X, y):
    """Fit a transformer and transform all of X."""
    transformer.fit(X, y).transform(X)


def tokens_of(X, y):
    """Return X as the activations of sentences of 20 words."""
    words = np.array([f"word{number}" for number in range(500)])
    ends = np.arange(20, len(y), 20)
    sentences = np.split(words[np.arange(len(y)) * 7 % len(words)], ends)
    return snx.TokenActivations.from_sentences(X, sentences, np.split(y, ends), layers=(0, 1))


def model_of(width):
    """Return a Llama of two blocks with random weights, and its tokenizer."""
    import tokenizers
    import transformers

    words = {word: number for number, word in enumerate(["pad", *(f"w{i}" for i in range(200))])}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="pad"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    config = transformers.LlamaConfig(
        vocab_size=len(words), hidden_size=width, intermediate_size=width, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=32, pad_token_id=0,
    )  # fmt: skip
    torch.manual_seed(0)
    model = transformers.LlamaForCausalLM(config).eval()
    return model, transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="pad", model_max_length=32
    )


def effect(X, y, edit, **options):
    """Measure the effect of an edit on as many words as X has samples, in texts of 20 words."""
    model, tokenizer = model_of(X.shape[1])
    texts = [" ".join(f"w{number}" for number in some) for some in np.split(
        np.arange(len(y)) * 7 % 200, np.arange(20, len(y), 20)
    )]  # fmt: skip
    labels = [labels.tolist() for labels in np.split(y, np.arange(20, len(y), 20))]
    snx.causal_effect(
        model, texts, layer=1, edit=edit, tokenizer=tokenizer, labels=labels, cv=2, metrics="kl",
        n_placebos=1, random_state=0, **options,
    )  # fmt: skip


def saved(tokens):
    with tempfile.TemporaryDirectory() as folder:
        tokens.save(Path(folder, "store"))


def halves(X, y, groups):
    """Return two data sets."""
    half = len(y) // 40 * 20
    return {
        "first": (X[:half], y[:half], groups[:half]),
        "second": (X[half:], y[half:], groups[half:]),
    }


def display(name, X, y, groups, estimator=None, **options):
    """Draw the display of an estimator, which computes its result from X."""
    estimator = exact() if estimator is None else estimator
    getattr(snx, f"{name}Display").from_estimator(estimator, X, y, **options)


def fitted(X, y):
    return exact().fit(np.array(X[:1000]), y[:1000])


# Each takes X, y and the groups of the samples.
CALLS = {
    "LinearProbeClassifier, adam": lambda X, y, groups: adam().fit(X, y),
    "LinearProbeClassifier, owlqn": lambda X, y, groups: exact().fit(X, y),
    "adam, standardize": lambda X, y, groups: adam(standardize=True).fit(X, y),
    "owlqn, standardize": lambda X, y, groups: exact(standardize=True).fit(X, y),
    "adam behind a StandardScaler": lambda X, y, groups: behind_scaler(X, y),
    "LinearProbeRegressor, owlqn": lambda X, y, groups: regressor().fit(X, y),
    "LinearProbeClassifierCV": lambda X, y, groups: classifier_cv().fit(X, y),
    "LinearProbeClassifier.predict": lambda X, y, groups: predicted(X, y),
    "GaussianProbeClassifier": lambda X, y, groups: snx.GaussianProbeClassifier().fit(X, y),
    "MeanDifferenceClassifier": lambda X, y, groups: snx.MeanDifferenceClassifier().fit(X, y),
    "WeightMassSelector": lambda X, y, groups: snx.WeightMassSelector(exact()).fit(X, y),
    "WeightMassSelector, standardize": lambda X, y, groups: snx.WeightMassSelector(
        exact(), standardize=True
    ).fit(X, y),
    "ProbelessSelector": lambda X, y, groups: snx.ProbelessSelector().fit(X, y),
    "AveragePrecisionSelector": lambda X, y, groups: snx.AveragePrecisionSelector().fit(X, y),
    "GaussianSelector": lambda X, y, groups: snx.GaussianSelector(n_greedy=3).fit(X, y),
    "CorrelationClustering": lambda X, y, groups: snx.CorrelationClustering().fit(X),
    "NeuronAblator, mean": lambda X, y, groups: transformed(
        snx.NeuronAblator([0, 1], mode="mean"), X, y
    ),
    "NeuronAblator, resample": lambda X, y, groups: transformed(
        snx.NeuronAblator([0, 1], mode="resample", random_state=0), X, y
    ),
    "LeaceEraser": lambda X, y, groups: transformed(snx.LeaceEraser(), X, y),
    "NullspaceEraser": lambda X, y, groups: transformed(
        snx.NullspaceEraser(exact(), n_iter=2), X, y
    ),
    "layerwise_scores": lambda X, y, groups: snx.layerwise_scores(
        exact(), X, y, n_layers=N_LAYERS, groups=groups, cv=GroupKFold(3)
    ),
    "ablation_curve": lambda X, y, groups: snx.ablation_curve(
        exact(),
        X,
        y,
        fractions=[0.01, 0.1],
        groups=groups,
        cv=GroupKFold(3),
        ranking=snx.ProbelessSelector(),
    ),
    "selectivity_score": lambda X, y, groups: snx.selectivity_score(
        exact(), X, y, groups, groups=groups, cv=GroupKFold(3), random_state=0
    ),
    "codelength": lambda X, y, groups: snx.codelength(exact(), X, y, groups=groups, random_state=0),
    "probe_report": lambda X, y, groups: snx.probe_report(
        exact().fit(np.array(X[:1000]), y[:1000]), X, y, sentence_ids=groups, random_state=0
    ),
    "MeanDifferenceClassifier, whiten": lambda X, y, groups: snx.MeanDifferenceClassifier(
        whiten=True
    ).fit(X, y),
    "CorrelationClustering.transform": lambda X, y, groups: whole(
        snx.CorrelationClustering(), X, y
    ),
    "LinearProbeRegressorCV": lambda X, y, groups: snx.LinearProbeRegressorCV(
        lambdas_l1=[0], lambdas_l2=[1e-3, 1e-2], cv=3, max_epochs=1, device="cpu", random_state=0
    ).fit(X, y),
    "RandomSelector": lambda X, y, groups: whole(
        snx.RandomSelector(n_neurons=0.5, random_state=0), X, y
    ),
    "LayerSelector": lambda X, y, groups: whole(snx.LayerSelector(1, n_layers=N_LAYERS), X, y),
    "NeuronSelector": lambda X, y, groups: whole(snx.NeuronSelector(range(X.shape[1] // 2)), X, y),
    "VotingSelector": lambda X, y, groups: snx.VotingSelector(
        [("means", snx.ProbelessSelector()), ("words", snx.AveragePrecisionSelector())]
    ).fit(X, y),
    "IndependentNeuronSelector": lambda X, y, groups: whole(
        snx.IndependentNeuronSelector(random_state=0), X, y
    ),
    "SteeringVector": lambda X, y, groups: whole(snx.SteeringVector(np.ones(X.shape[1])), X, y),
    "DirectionProjector": lambda X, y, groups: whole(
        snx.DirectionProjector(np.ones(X.shape[1])), X, y
    ),
    "NeuronAblator, half, resample": lambda X, y, groups: whole(
        snx.NeuronAblator(range(X.shape[1] // 2), mode="resample", random_state=0), X, y
    ),
    "NeuronAblator, half, interchange": lambda X, y, groups: whole(
        snx.NeuronAblator(range(X.shape[1] // 2), mode="interchange"), X, y
    ),
    "NeuronAblator, remove": lambda X, y, groups: whole(
        snx.NeuronAblator([0, 1], mode="remove"), X, y
    ),
    "mean_difference_scores": lambda X, y, groups: snx.mean_difference_scores(X, y),
    "average_precision_scores": lambda X, y, groups: snx.average_precision_scores(X, y),
    "cross_model_correlation_scores": lambda X, y, groups: snx.cross_model_correlation_scores(
        [X[:, ::2], X[:, 1::2]]
    ),
    "nested_layer_scores": lambda X, y, groups: snx.nested_layer_scores(
        exact(), X, y, n_layers=N_LAYERS, groups=groups, cv=GroupKFold(3), inner_cv=GroupKFold(2)
    ),
    "layerwise_scores, control": lambda X, y, groups: snx.layerwise_scores(
        exact(), X, y, n_layers=N_LAYERS, groups=groups, cv=GroupKFold(3), control={"same": X}
    ),
    "selectivity_curve": lambda X, y, groups: snx.selectivity_curve(
        exact(), X, y, groups, groups=groups, cv=GroupKFold(3), random_state=0,
        param_name="lambda_l2", param_range=[1e-2, 1e-1],
    ),
    "conditional_codelength": lambda X, y, groups: snx.conditional_codelength(
        exact(), X, y, given=X[:, : X.shape[1] // 2], groups=groups, random_state=0
    ),
    "operating_point": lambda X, y, groups: snx.operating_point(
        exact(), X, y == 0, groups=groups, cv=GroupKFold(3), inner_cv=GroupKFold(2), random_state=0
    ),
    "tune_threshold": lambda X, y, groups: snx.tune_threshold(
        exact(), X, y == 0, groups=groups, cv=GroupKFold(3)
    ),
    "erasure_report": lambda X, y, groups: snx.erasure_report(
        snx.LeaceEraser().fit(X, y), *halves(X, y, groups)["first"][:2],
        *halves(X, y, groups)["second"][:2], linear=exact(),
        nonlinear=snx.GaussianProbeClassifier(), random_state=0,
    ),
    "transfer_scores": lambda X, y, groups: snx.transfer_scores(
        exact(), halves(X, y, groups), cv=GroupKFold(3), random_state=0
    ),
    "AblationCurveDisplay": lambda X, y, groups: display(
        "AblationCurve", X, y, groups, ranking=snx.ProbelessSelector(), fractions=[0.1], cv=3,
    ),
    "CalibrationCurveDisplay": lambda X, y, groups: display(
        "CalibrationCurve", X, y, groups, fitted(X, y), sentence_ids=groups, label=0
    ),
    "CodelengthDisplay": lambda X, y, groups: display("Codelength", X, y, groups),
    "LayerwiseScoresDisplay": lambda X, y, groups: display(
        "LayerwiseScores", X, y, groups, n_layers=N_LAYERS, cv=3
    ),
    "ProbeReportDisplay": lambda X, y, groups: display(
        "ProbeReport", X, y, groups, fitted(X, y), sentence_ids=groups
    ),
    "RocDisplay": lambda X, y, groups: display(
        "Roc", X, y == 0, groups, fitted(X, y == 0), sentence_ids=groups
    ),
    "SelectivityDisplay": lambda X, y, groups: display(
        "Selectivity", X, y, groups, words=groups, cv=3
    ),
    "SelectivityCurveDisplay": lambda X, y, groups: display(
        "SelectivityCurve", X, y, groups, words=groups, cv=3, param_name="lambda_l2",
        param_range=[1e-2, 1e-1],
    ),
    "TransferScoresDisplay": lambda X, y, groups: snx.TransferScoresDisplay.from_estimator(
        exact(), halves(X, y, groups), cv=GroupKFold(3), random_state=0
    ),
    "RedundancyDisplay": lambda X, y, groups: snx.RedundancyDisplay.from_activations(
        tokens_of(X, y)
    ),
    "TopWordsTable": lambda X, y, groups: snx.TopWordsTable(tokens_of(X, y), [0, 1]).to_html(),
    "NeuronGrid": lambda X, y, groups: snx.NeuronGrid(tokens_of(X, y), [0, 1]).to_html(),
    "TokenActivations.save": lambda X, y, groups: saved(tokens_of(X, y)),
    "causal_effect, ablator": lambda X, y, groups: effect(
        X, y, snx.NeuronAblator([], mode="mean"), ranking=snx.ProbelessSelector(n_neurons=4)
    ),
    "causal_effect, eraser": lambda X, y, groups: effect(X, y, snx.LeaceEraser()),
}  # fmt: skip


def write(folder, n_samples, n_neurons):
    """Write classes that are Gaussian around their means, in chunks."""
    rng = np.random.default_rng(0)
    y = rng.integers(N_CLASSES, size=n_samples)
    means = 0.3 * rng.standard_normal((N_CLASSES, n_neurons), dtype=np.float32)
    X = np.lib.format.open_memmap(
        folder / "X.npy", mode="w+", dtype=np.float16, shape=(n_samples, n_neurons)
    )
    for first in range(0, n_samples, CHUNK):
        labels = y[first : first + CHUNK]
        noise = rng.standard_normal((len(labels), n_neurons), dtype=np.float32)
        X[first : first + CHUNK] = means[labels] + noise
    X.flush()
    np.save(folder / "y.npy", y)


def child(folder, name):
    """Run a call, and print its peak memory in MB as JSON."""
    torch.set_num_threads(1)
    X, y = np.load(folder / "X.npy", mmap_mode="r"), np.load(folder / "y.npy")
    groups = np.arange(len(y)) // 20
    some = slice(1000)
    CALLS[name](np.array(X[some]), y[some], groups[some])  # triggers late imports
    watch = Watch()
    watch.start()
    CALLS[name](X, y, groups)
    peaks = watch.stop()
    print(json.dumps({name: peaks[name] - watch.before[name] for name in ("RssAnon", "RssFile")}))


def measure(folder, name):
    """Return the peak of a call in MB, in a process of its own."""
    command = [sys.executable, "-W", "ignore", __file__, "--child", name, "--folder", str(folder)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{name}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])["RssAnon"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--neurons", type=int, default=256)
    parser.add_argument("--only", nargs="+", default=[""], help="parts of the names of the calls")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args.folder, args.child)
        return
    names = [name for name in CALLS if any(part in name for part in args.only)]
    peaks = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as root:
        for n_samples in args.rows:
            folder = Path(root, str(n_samples))
            folder.mkdir()
            write(folder, n_samples, args.neurons)
            for name in names:
                peaks[name].append(measure(folder, name))
                print(f"  {n_samples:>12,} {name:34} {peaks[name][-1]:9.1f} MB", flush=True)
            (folder / "X.npy").unlink()
    print(f"\nX: float16, {args.neurons} neurons, {2 * args.neurons} bytes per sample")
    head = "".join(f"{n_samples:>12,}" for n_samples in args.rows)
    print(f"{'peak in MB with n_samples =':34}{head}   bytes per sample")
    for name in names:
        cells = "".join(f"{peak:12.1f}" for peak in peaks[name])
        slope = ""
        if len(args.rows) > 1:
            more = (peaks[name][-1] - peaks[name][-2]) * 2**20
            slope = f"{more / (args.rows[-1] - args.rows[-2]):12.1f}"
        print(f"{name:34}{cells}{slope}")


if __name__ == "__main__":
    main()
