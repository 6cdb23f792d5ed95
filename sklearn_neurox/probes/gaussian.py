"""Gaussian probe: one Gaussian per class, from which any subset of neurons can be read."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.special import entr, log_softmax
from sklearn.base import BaseEstimator, _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_scalar, gen_batches
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted
from tqdm.auto import tqdm

from .._callbacks import fit_task
from .._device import blas_threads
from .._indices import check_indices
from .._labels import check_one_kind
from .._moments import neuron_std
from .._validation import all_or_nothing, float_dtypes, validate_data
from .._warnings import warn
from ._classifier import ProbeClassifierMixin
from ._greedy import GreedyChoice

# A class whose variance is a smaller share of the variance over all words does not vary.
_NO_VARIANCE = 1e-6
# Bits about the words of training that say that the Gaussians are too narrow.
_TOO_SURE = -0.1
_ROWS = 512  # words in one piece of work


class GaussianProbeClassifier(CallbackSupportMixin, ProbeClassifierMixin, BaseEstimator):
    """Gaussian classifier that tells how much any subset of neurons knows about a property.

    Each class is one Gaussian over all neurons [1]_. The Gaussian of a subset of neurons is a
    part of it, the sub-vector of the mean and the sub-matrix of the covariance, so that one fit
    answers for every subset: :meth:`mutual_information` in bits, and :meth:`rank_neurons`, which
    adds the neuron that tells most beside those already chosen.

    A class of N words and d neurons has a normal-inverse-Wishart prior, centred on its mean, with
    d + 2 degrees of freedom and the diagonal scale L0 of its unbiased variances. With the scatter
    S = sum_i (x_i - mean)(x_i - mean)' its covariance is ::

        (L0 + S) / (N + 2 d + 4)        covariance="map"
        (L0 + S) / (N + 1)              covariance="mean"

    Both stay positive definite with fewer words than neurons, and follow a neuron's scale: what
    is read does not change when neurons are shifted or rescaled.

    Parameters
    ----------
    covariance : {"map", "mean"}, default="map"
        Mode or mean of the posterior. The mode is what [1]_ and NeuroX use; it narrows each class
        by N / (N + 2 d + 4), so that the probe is far too sure of itself unless the words of a
        class outnumber the neurons many times. The mean suits any number of neurons.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, sorted.
    class_prior_ : ndarray of shape (n_classes,)
        Shares of the training words.
    means_ : ndarray of shape (n_classes, n_neurons)
        Mean of each class, in float64.
    covariances_ : ndarray of shape (n_classes, n_neurons, n_neurons)
        Covariance of each class, in float64. Rows and columns of a constant neuron are 0.
    n_features_in_ : int
        Number of neurons seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_neurons,)
        Names of the neurons, where X had any.

    See Also
    --------
    LinearProbeClassifier : Linear probe; retrained for each subset of neurons.

    Notes
    -----
    - Where a class has no variance in a neuron (a single word, or less than a millionth of the
      neuron's variance over all words), the variance over all words takes its place in L0.
    - A neuron that is constant over all words up to rounding is left out, and d counts the
      others: it tells 0 bits and changes nothing, whatever it does on other words.

    References
    ----------
    .. [1] L. Torroba Hennigen, A. Williams and R. Cotterell (2020). Intrinsic Probing through
       Dimension Selection. EMNLP.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_neurox import GaussianProbeClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> probe = GaussianProbeClassifier(covariance="mean").fit(X, y)
    >>> neurons, bits = probe.rank_neurons(3)
    >>> neurons
    array([26, 43, 10])
    >>> bits.round(2)
    array([0.47, 0.89, 1.32])
    >>> round(probe.mutual_information(X, y, neurons=[26, 43]), 2)
    0.89
    """

    _parameter_constraints: dict = {"covariance": [StrOptions({"map", "mean"})]}

    def __init__(self, *, covariance="map"):
        self.covariance = covariance

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Estimate the Gaussian of each class.

        Parameters
        ----------
        X : array-like of shape (n_words, n_neurons)
            Activations. A reference to them is kept for :meth:`rank_neurons`, but not pickled.
        y : array-like of shape (n_words,)
            Labels: strings, integers or booleans.
        sample_weight : array-like of shape (n_words,), default=None
            A word of weight 2 counts as two words, one of weight 0 as none.

        Returns
        -------
        self : GaussianProbeClassifier

        Raises
        ------
        ValueError
            For NaN or infinity, activations whose squares overflow or underflow, lengths that
            differ, a single class, or negative weights.
        """
        with all_or_nothing(self):
            return self._fit(X, y, sample_weight)

    def _fit(self, X, y, sample_weight):
        X, y = validate_data(self, X, y, dtype=float_dtypes(X))
        check_one_kind(y, name="y")
        check_classification_targets(y)
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        if not weight.all():
            X, y, weight = X[weight > 0], y[weight > 0], weight[weight > 0]
        classes, codes = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(
                f"A probe needs words of at least 2 classes, got 1 class: all {len(y)} words with "
                f"a positive weight have the label {classes.tolist()[0]!r}."
            )
        with fit_task(self, X, y):
            with np.errstate(over="ignore", invalid="ignore"):  # checked afterwards
                size, means, scatter = _class_moments(X, codes, weight)
            constant = neuron_std(X) == 0
            means[:, constant] = X[0, constant]
            scatter[:, constant] = scatter[:, :, constant] = 0
            n_moving = X.shape[1] - constant.sum()
            divisor = size + (2 * n_moving + 4 if self.covariance == "map" else 1)
            variance = np.einsum("cjj->cj", scatter)
            variance += _prior_scale(size, means, scatter)
            if (variance[:, ~constant] < np.finfo(np.float64).tiny).any():
                j = np.flatnonzero(~constant)[variance[:, ~constant].min(axis=0).argmin()]
                raise ValueError(
                    f"The squares of the activations of neuron {j} underflow: max|x| is "
                    f"{np.abs(X[:, j]).max()}. Rescale the neurons."
                )
            scatter /= divisor[:, np.newaxis, np.newaxis]
            self.classes_, self.class_prior_ = classes, size / size.sum()
            self.means_, self.covariances_ = means, scatter
            self._words = (X, codes, weight)
        return self

    def __getstate__(self):
        # A pickled probe holds what was learned, not the words.
        return {name: value for name, value in super().__getstate__().items() if name != "_words"}

    def predict(self, X, neurons=None):
        """Most probable label of each word.

        Parameters
        ----------
        X : array-like of shape (n_words, n_neurons)
        neurons : array-like of int, default=None
            As in :meth:`predict_proba`.

        Returns
        -------
        ndarray of shape (n_words,)
        """
        best = self.predict_log_proba(X, neurons).argmax(axis=1)
        return self.classes_[best]

    def predict_proba(self, X, neurons=None):
        """Probability of each label.

        Parameters
        ----------
        X : array-like of shape (n_words, n_neurons)
            All neurons, also where only some are read.
        neurons : array-like of int, default=None
            Neurons to read; None reads all. With none at all, every word gets ``class_prior_``.

        Returns
        -------
        ndarray of shape (n_words, n_classes)
            Rows sum to 1; columns as in ``classes_``.
        """
        return np.exp(self.predict_log_proba(X, neurons))

    def predict_log_proba(self, X, neurons=None):
        """Natural logarithm of the probability of each label.

        Parameters
        ----------
        X : array-like of shape (n_words, n_neurons)
        neurons : array-like of int, default=None
            As in :meth:`predict_proba`.

        Returns
        -------
        ndarray of shape (n_words, n_classes)
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=float_dtypes(X), reset=False)
        neurons = range(X.shape[1]) if neurons is None else neurons
        neurons = check_indices(neurons, X.shape[1], what="neuron")
        neurons = neurons[self._moves()[neurons]]
        every = np.array_equal(neurons, np.arange(X.shape[1]))
        words = X if every else np.take(X, neurons, axis=1)
        joint = np.tile(np.log(self.class_prior_), (len(X), 1))  # but for a number per word
        with blas_threads(len(neurons)):
            for c, mean in enumerate(self.means_[:, neurons]):
                factor = cholesky(self.covariances_[c][np.ix_(neurons, neurons)], lower=True)
                joint[:, c] -= np.log(factor.diagonal()).sum()
                for rows in gen_batches(len(X), _ROWS):
                    centred = (words[rows] - mean).T
                    white = solve_triangular(factor, centred, lower=True, check_finite=False)
                    joint[rows, c] -= np.einsum("jn,jn->n", white, white) / 2
        return log_softmax(joint, axis=1)

    def mutual_information(self, X, y, neurons=None):
        """Bits that neurons tell about the label of a word: H(y) + mean_i log2 p(y_i | x_i).

        It is a lower bound that gets tight as the Gaussians get true. On words of training it
        says too much; on other words it is negative where the probe is sure of wrong labels.

        Parameters
        ----------
        X : array-like of shape (n_words, n_neurons)
            All neurons.
        y : array-like of shape (n_words,)
            Labels; H(y) is the entropy of their frequencies. Not all classes must be there.
        neurons : array-like of int, default=None
            Neurons to read; None reads all.

        Returns
        -------
        float
            In bits, at most H(y).

        Raises
        ------
        ValueError
            For a label unseen in training, or a neuron that is not there or comes twice.

        Warns
        -----
        UserWarning
            If the neurons tell less than nothing.
        """
        _, codes, _ = self._check_words(X, y)
        log_proba = self.predict_log_proba(X, neurons)[np.arange(len(codes)), codes]
        share = np.bincount(codes) / len(codes)
        bits = float((entr(share).sum() + log_proba.mean()) / np.log(2))
        if bits < _TOO_SURE:
            self._warn_of_narrow(f"The neurons tell {bits:.2f} bits, less than nothing")
        return bits

    def rank_neurons(self, n_neurons, X=None, y=None, *, verbose=False):
        """Choose neurons one by one, each the one that tells most beside those chosen before.

        Parameters
        ----------
        n_neurons : int
            How many to choose.
        X : array-like of shape (n_words, n_neurons), default=None
            Words to score the neurons on; None takes the words of ``fit``, with their weights.
        y : array-like of shape (n_words,), default=None
            Their labels.
        verbose : bool, default=False
            Show a progress bar.

        Returns
        -------
        ordering : ndarray of int of shape (n_neurons,)
            Neurons, the first chosen first. Of neurons that tell the same, the one with the lower
            index comes first; constant neurons come last.
        bits : ndarray of shape (n_neurons,)
            Mutual information of each neuron together with those before it.

        Raises
        ------
        ValueError
            If there are fewer than `n_neurons` neurons; if one of X and y is missing, or both of
            a probe that was copied or loaded, which leaves out the words of ``fit``; and as
            :meth:`mutual_information` says.

        Warns
        -----
        UserWarning
            If neurons tell less than nothing about the words of ``fit``.
        """
        check_is_fitted(self)
        check_scalar(n_neurons, "n_neurons", Integral, min_val=0)
        if n_neurons > self.n_features_in_:
            raise ValueError(f"n_neurons={n_neurons}, but X has {self.n_features_in_} neurons.")
        words = self._words_or(X, y)
        moves = self._moves()
        left, ordering = np.flatnonzero(moves), []
        n_moving = min(n_neurons, len(left))
        greedy = GreedyChoice(self, n_moving, *words)
        bits = [greedy.bits]
        for _ in tqdm(range(n_moving), unit="neuron", desc="rank", disable=not verbose):
            scores = greedy.score(left)
            best = scores.max()
            # Equal neurons differ by rounding, and the lower index is to come first.
            chosen = np.flatnonzero(scores >= best - 1e-10 * max(1, abs(best)))[0]
            ordering.append(left[chosen])
            bits.append(scores[chosen])
            greedy.add(left[chosen])
            left = np.delete(left, chosen)
        if X is None and min(bits) < _TOO_SURE:
            self._warn_of_narrow(
                f"{np.argmin(bits)} neurons tell {min(bits):.2f} bits about the very words of fit, "
                "so the ranking is not to be trusted"
            )
        ordering += np.flatnonzero(~moves).tolist()[: n_neurons - n_moving]
        bits += [bits[-1]] * (n_neurons - n_moving)
        return np.array(ordering, dtype=np.intp), np.array(bits[1:])

    def _warn_of_narrow(self, what):
        remedy = 'covariance="mean", ' if self.covariance == "map" else ""
        warn(
            f"GaussianProbeClassifier: {what}. Its Gaussians are too narrow: take {remedy}fewer "
            "neurons or more words.",
        )

    def score_neurons(self, X=None, y=None, *, beside=()):
        """Bits that each neuron tells together with some others.

        Parameters
        ----------
        X : array-like of shape (n_words, n_neurons), default=None
            Words to score the neurons on; None takes the words of ``fit``, with their weights.
        y : array-like of shape (n_words,), default=None
            Their labels.
        beside : array-like of int, default=()
            Neurons that are read with each of the others; by default each is read alone.

        Returns
        -------
        ndarray of shape (n_neurons,)
            Mutual information. A constant neuron, or one of `beside`, has that of `beside`.

        Raises
        ------
        ValueError
            As :meth:`rank_neurons` and :meth:`mutual_information` say.
        """
        check_is_fitted(self)
        beside = check_indices(beside, self.n_features_in_, what="neuron")
        moves = self._moves()
        beside = beside[moves[beside]]
        greedy = GreedyChoice(self, len(beside), *self._words_or(X, y))
        for neuron in beside:
            greedy.add(neuron)
        others = np.setdiff1d(np.flatnonzero(moves), beside)
        bits = np.full(len(moves), greedy.bits)
        if len(others):
            bits[others] = greedy.score(others)
        return bits

    def _words_or(self, X, y):
        """Words to score on: those given, or those of ``fit``."""
        if (X is None) != (y is None):
            raise ValueError("Give both X and y to score the neurons on, or neither.")
        words = getattr(self, "_words", None) if X is None else self._check_words(X, y)
        if words is None:
            raise ValueError("This probe was copied or loaded, without its words: give X and y.")
        return words

    def _moves(self):
        """Mask of the neurons that are not constant."""
        return self.covariances_[0].diagonal() > 0

    def _check_words(self, X, y):
        """X, classes (indices into ``classes_``) and weights of words to score on."""
        check_is_fitted(self)
        X, y = validate_data(self, X, y, dtype=float_dtypes(X), reset=False)
        labels, inverse = np.unique(y, return_inverse=True)
        known = {label: code for code, label in enumerate(self.classes_.tolist())}
        unseen = [label for label in labels.tolist() if label not in known]
        if unseen:
            raise ValueError(f"y has labels unseen in training: {unseen}; known are {list(known)}.")
        return X, np.array([known[label] for label in labels.tolist()])[inverse], np.ones(len(X))


def _class_moments(X, codes, weight):
    """Weight of the words, mean, and scatter about the mean of each class, in float64."""
    size = np.bincount(codes, weights=weight)
    means = np.zeros((len(size), X.shape[1]))
    scatter = np.zeros((len(size), X.shape[1], X.shape[1]))
    for c in range(len(size)):
        words = np.flatnonzero(codes == c)
        batches = [words[rows] for rows in gen_batches(len(words), _ROWS)]
        means[c] = sum(weight[batch] @ X[batch].astype(np.float64) for batch in batches) / size[c]
        for batch in batches:
            centred = (X[batch] - means[c]) * np.sqrt(weight[batch])[:, np.newaxis]
            scatter[c] += centred.T @ centred
    if not np.isfinite(scatter).all():
        raise ValueError(f"The squares of the activations overflow: max|X| is {np.abs(X).max()}.")
    return size, means, scatter


def _prior_scale(size, means, scatter):
    """Diagonals (n_classes, n_neurons) of the prior scale: the unbiased class variances."""
    sums = np.einsum("cjj->cj", scatter)
    # n / 2 keeps words of small weight, less than two in all, from a variance without bound.
    within = sums / np.maximum(size - 1, size / 2)[:, np.newaxis]
    share = size / size.sum()
    between = share @ (means - share @ means) ** 2
    overall = sums.sum(axis=0) / size.sum() + between
    return np.where(within > _NO_VARIANCE * overall, within, overall)
