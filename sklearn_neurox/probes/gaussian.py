"""Gaussian probe: one Gaussian per class, for every subset of neurons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import entr, log_softmax
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_scalar
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from .._batch_sums import ClassBatches, from_sums
from .._indices import check_indices
from .._labels import check_class_labels, find_codes
from .._validation import fit_context, validate_activations, validate_samples
from .._warnings import warn
from ._class_gaussians import gaussians_of, log_joint
from ._classifier import ProbeClassifierMixin
from ._greedy import GreedyChoice

Indices = Sequence[int] | NDArray[np.integer]
# Bits on the training samples below which the Gaussians are considered too narrow.
_TOO_CONFIDENT = -0.1


class GaussianProbeClassifier(
    CallbackSupportMixin, ClassBatches, ProbeClassifierMixin, BaseEstimator
):
    """Gaussian classifier that measures the information of any subset of neurons.

    Each class is one Gaussian over all neurons [1]_. The Gaussian of a subset of neurons has the
    corresponding sub-vector of the mean and sub-matrix of the covariance, so one fit suffices for
    every subset. :meth:`mutual_information` measures the information of a subset in bits, and
    :meth:`rank_neurons` adds neurons one by one, each time the neuron that increases it most.

    A class of N samples and d neurons has a normal-inverse-Wishart prior that is centered at its
    mean and has d + 2 degrees of freedom. Its scale L0 is the diagonal of the unbiased variances
    of the class. With the scatter S = sum_i (x_i - mean)(x_i - mean)' the covariance is ::

        (L0 + S) / (N + 1)              covariance="mean"
        (L0 + S) / (N + 2 d + 4)        covariance="map"

    Both are positive definite even with fewer samples than neurons, and predictions do not change
    when neurons are shifted or rescaled.

    Parameters
    ----------
    covariance : {"mean", "map"}, default="mean"
        Mean or mode of the posterior. The mean is suitable for any number of neurons. The mode is
        used in [1]_ and NeuroX. It shrinks the covariance by N / (N + 2 d + 4), which makes the
        probe far too confident unless the samples of a class far outnumber the neurons.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted class labels.
    class_prior_ : ndarray of shape (n_classes,)
        Share of each class in the training samples.
    means_ : ndarray of shape (n_classes, n_neurons)
        Mean of each class, in float64.
    covariances_ : ndarray of shape (n_classes, n_neurons, n_neurons)
        Covariance of each class, in float64. Rows and columns of constant neurons are 0.
    n_samples_seen_ : int
        Number of samples with a positive weight.
    n_features_in_ : int
        Number of neurons seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_neurons,)
        Names of the neurons seen during ``fit``. Defined only if X has names that are all strings.

    See Also
    --------
    LinearProbeClassifier : Linear probe, which must be trained again for each subset of neurons.

    Notes
    -----
    If a neuron is constant within a class (of one sample, or with less than a millionth of the
    variance over all samples), L0 contains the variance over all samples. A neuron that is constant
    over all samples, up to rounding, has 0 bits.

    References
    ----------
    .. [1] L. Torroba Hennigen, A. Williams and R. Cotterell (2020). Intrinsic Probing through
       Dimension Selection. EMNLP.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_neurox import GaussianProbeClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> probe = GaussianProbeClassifier().fit(X, y)
    >>> neurons, bits = probe.rank_neurons(3)
    >>> neurons
    array([26, 43, 10])
    >>> bits.round(2)
    array([0.47, 0.89, 1.32])
    >>> round(probe.mutual_information(X, y, neurons=[26, 43]), 2)
    0.89
    """

    _parameter_constraints: ClassVar = {"covariance": [StrOptions({"map", "mean"})]}

    _scatter = "by_class"

    class_prior_: NDArray[np.float64] = from_sums()
    means_: NDArray[np.float64] = from_sums()
    covariances_: NDArray[np.float64] = from_sums()

    def __init__(self, *, covariance: Literal["mean", "map"] = "mean"):
        self.covariance = covariance

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Estimate the Gaussian of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations. A reference to them is kept for :meth:`rank_neurons`, but not pickled.
        y : array-like of shape (n_samples,)
            Labels: strings, integers or booleans.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights. A weight of 2 is equivalent to repeating the sample, and a weight of 0
            to removing it.

        Returns
        -------
        self : GaussianProbeClassifier
            Fitted probe.

        Raises
        ------
        ValueError
            If X contains NaN or infinity, squares of activations overflow or underflow, lengths
            differ, y has a single class, or weights are negative.
        """
        self._forget()
        self._training = self._add_batch(X, y, None, sample_weight, is_all=True)
        # The covariances are computed in the memory of the sums, which are not kept.
        self.__dict__ |= gaussians_of(self._moments(), covariance=self.covariance)
        del self._sums
        return self

    def _compute(self) -> dict[str, NDArray[np.float64]]:
        own = replace(self._moments(), scatter=self._sums["scatter"].copy())
        return gaussians_of(own, covariance=self.covariance)

    def _forget(self) -> None:
        super()._forget()
        self.__dict__.pop("_training", None)

    def __getstate__(self) -> dict[str, Any]:
        # A pickled probe contains its parameters, but not the training samples.
        state = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_training"}

    def predict(self, X: ArrayLike, neurons: Indices | None = None) -> NDArray:
        """Predict class labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations.
        neurons : array-like of int, default=None
            As in :meth:`predict_proba`.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        best = self.predict_log_proba(X, neurons).argmax(axis=1)
        return self.classes_[best]

    def predict_proba(self, X: ArrayLike, neurons: Indices | None = None) -> NDArray:
        """Predict class probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations of all neurons, even if only some are used.
        neurons : array-like of int, default=None
            Neurons to use. If None, use all neurons. If empty, predict ``class_prior_``.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities of the classes, in the order of ``classes_``. Rows sum to 1.
        """
        return np.exp(self.predict_log_proba(X, neurons))

    def predict_log_proba(self, X: ArrayLike, neurons: Indices | None = None) -> NDArray:
        """Predict the natural logarithm of class probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations.
        neurons : array-like of int, default=None
            As in :meth:`predict_proba`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        check_is_fitted(self)
        activations = validate_activations(self, X, reset=False)
        every = np.arange(activations.shape[1])
        chosen = every if neurons is None else check_indices(neurons, len(every), what="neuron")
        chosen = chosen[self._moves()[chosen]]
        joint = log_joint(
            activations,
            None if np.array_equal(chosen, every) else chosen,
            self.class_prior_,
            self.means_[:, chosen],
            self.covariances_[:, chosen[:, np.newaxis], chosen],
        )
        return log_softmax(joint, axis=1)

    def mutual_information(
        self, X: ArrayLike, y: ArrayLike, neurons: Indices | None = None
    ) -> float:
        """Return the information of neurons about the label, H(y) + mean_i log2 p(y_i | x_i).

        It is a lower bound, tight if the classes are Gaussian. It is too large on the training
        samples, and negative on others if the probe is confident of wrong labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations of all neurons.
        y : array-like of shape (n_samples,)
            Labels. H(y) is the entropy of their frequencies. Classes may be missing.
        neurons : array-like of int, default=None
            Neurons to use. If None, use all neurons.

        Returns
        -------
        float
            Mutual information in bits, at most H(y).

        Raises
        ------
        ValueError
            If a label was not seen during training, or a neuron does not exist or is repeated.

        Warns
        -----
        UserWarning
            If the information is clearly negative.
        """
        _, codes, _ = self._check_samples(X, y)
        log_proba = self.predict_log_proba(X, neurons)[np.arange(len(codes)), codes]
        share = np.bincount(codes) / len(codes)
        bits = float((entr(share).sum() + log_proba.mean()) / np.log(2))
        if bits < _TOO_CONFIDENT:
            self._warn_of_narrow(f"The neurons have {bits:.2f} bits of information, less than 0")
        return bits

    def rank_neurons(
        self,
        n_neurons: int,
        X: ArrayLike | None = None,
        y: ArrayLike | None = None,
        *,
        verbose: int = 0,
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Choose neurons one by one, each time the neuron that adds the most information.

        Parameters
        ----------
        n_neurons : int
            Number of neurons to choose.
        X : array-like of shape (n_samples, n_neurons), default=None
            Samples to score the neurons on. If None, use those of ``fit``, with their weights.
        y : array-like of shape (n_samples,), default=None
            Labels of X.
        verbose : int, default=0
            Verbosity level. If positive, show a progress bar.

        Returns
        -------
        ordering : ndarray of int of shape (n_neurons,)
            Neurons, in the order of choice. Ties are broken by index. Constant neurons come last.
        bits : ndarray of shape (n_neurons,)
            Mutual information of each neuron together with those before it.

        Raises
        ------
        ValueError
            If X has fewer than `n_neurons` neurons, or only one of X and y is passed, or neither
            although the probe was copied or loaded. Also as in :meth:`mutual_information`.

        Warns
        -----
        UserWarning
            If the information about the training samples is clearly negative.
        """
        check_is_fitted(self)
        check_scalar(n_neurons, "n_neurons", Integral, min_val=0)
        if n_neurons > self.n_features_in_:
            raise ValueError(
                f"n_neurons must be at most the number of neurons in X, {self.n_features_in_}, "
                f"got {n_neurons}."
            )
        moves = self._moves()
        n_moving = min(n_neurons, int(moves.sum()))
        greedy = self._greedy(n_moving, X, y)
        ordering, bits = greedy.choose(n_moving, np.flatnonzero(moves), verbose=verbose)
        if X is None and min(bits) < _TOO_CONFIDENT:
            self._warn_of_narrow(
                f"{np.argmin(bits)} neurons have {min(bits):.2f} bits of information about the "
                "training samples themselves, so the ranking is unreliable"
            )
        ordering += np.flatnonzero(~moves).tolist()[: n_neurons - n_moving]
        bits += [bits[-1]] * (n_neurons - n_moving)
        return np.array(ordering, dtype=np.intp), np.array(bits[1:])

    def score_neurons(
        self,
        X: ArrayLike | None = None,
        y: ArrayLike | None = None,
        *,
        beside: Indices = (),
    ) -> NDArray[np.float64]:
        """Return the information of each neuron, alone or together with some others.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons), default=None
            Samples to score the neurons on. If None, use those of ``fit``, with their weights.
        y : array-like of shape (n_samples,), default=None
            Labels of X.
        beside : array-like of int, default=()
            Neurons to use together with each other neuron. By default, each neuron is used alone.

        Returns
        -------
        ndarray of shape (n_neurons,)
            Mutual information in bits. That of a constant neuron, or of one of `beside`, is the
            information of `beside`.

        Raises
        ------
        ValueError
            As in :meth:`rank_neurons` and :meth:`mutual_information`.
        """
        check_is_fitted(self)
        chosen = check_indices(beside, self.n_features_in_, what="neuron")
        moves = self._moves()
        chosen = chosen[moves[chosen]]
        greedy = self._greedy(len(chosen), X, y)
        for neuron in chosen:
            greedy.add(neuron)
        others = np.setdiff1d(np.flatnonzero(moves), chosen)
        bits = np.full(len(moves), greedy.bits)
        if len(others):
            bits[others] = greedy.score(others)
        return bits

    def _greedy(self, n_chosen: int, X: ArrayLike | None, y: ArrayLike | None) -> GreedyChoice:
        """Return an empty choice on the given samples, or on those of ``fit``."""
        if (X is None) != (y is None):
            raise ValueError("X and y must be either both passed or both None.")
        if X is None and not hasattr(self, "_training"):
            raise ValueError(
                "This probe was fitted by partial_fit, or copied or loaded without its training "
                "samples. Pass X and y."
            )
        samples = self._training if X is None else self._check_samples(X, y)
        return GreedyChoice(self.means_, self.covariances_, self.class_prior_, n_chosen, *samples)

    def _moves(self) -> NDArray[np.bool_]:
        """Return the mask of the neurons that are not constant."""
        return self.covariances_[0].diagonal() > 0

    def _check_samples(
        self, X: ArrayLike, y: ArrayLike | None
    ) -> tuple[NDArray, NDArray[np.intp], NDArray[np.float64]]:
        """Return X, classes (indices into ``classes_``) and weights of samples to score on."""
        check_is_fitted(self)
        data, labels = validate_samples(self, X, y, check_class_labels, reset=False)
        return data, find_codes(labels, self.classes_, name="y"), np.ones(len(data))

    def _warn_of_narrow(self, finding: str) -> None:
        remedy = 'covariance="mean", ' if self.covariance == "map" else ""
        warn(
            f"GaussianProbeClassifier: {finding}. Its Gaussians are too narrow. Use {remedy}fewer "
            "neurons or more samples."
        )
