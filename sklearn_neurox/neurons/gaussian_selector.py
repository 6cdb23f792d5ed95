"""Selection of neurons by what Gaussians read from them together."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight

from .._callbacks import fit_task
from .._labels import check_target, encode_labels
from .._moments import neuron_std
from .._validation import all_or_nothing, float_dtypes, validate_data
from ..probes import GaussianProbeClassifier
from ._ranking_selector import RankingSelector

_N_GREEDY = 20  # unless the user says how many


class GaussianSelector(RankingSelector):
    """Keep the neurons that together tell most about the classes.

    A :class:`GaussianProbeClassifier` chooses neurons one by one, each the one that tells most
    beside those chosen before [1]_. Unlike rankings that score each neuron by itself, this one
    passes over a neuron that repeats what others tell.

    Parameters
    ----------
    n_neurons : int or float, default=None
        Keep so many neurons (int), or this share of them (float in [0, 1], rounded to the
        nearest number). None keeps all; ``ranking_`` is then what ``fit`` is for.
    n_greedy : int, default=None
        Neurons to choose one by one; the others follow by the bits that each would add to these.
        None chooses as many as `n_neurons` keeps, or at most 20 where that is None too. The work
        grows with the square of this number (20 of 384 neurons on 6,000 words of 17 classes take
        some seconds, 50 of them 20), the memory with it (words x classes for each).
    covariance : {"mean", "map"}, default="mean"
        As in :class:`GaussianProbeClassifier`, whose default, "map", is what [1]_ uses: too sure
        of itself where words are not many times as many as neurons.
    order : {"top", "bottom"}, default="top"
        Keep the most or the least important neurons.
    target : label, default=None
        Rank for telling this class from all others; None ranks for telling all classes apart.

    Attributes
    ----------
    ranking_ : ndarray of int of shape (n_neurons,)
        Neurons, the first chosen first; ties by index, constant neurons last.
    bits_ : ndarray of shape (n_greedy,)
        Mutual information, on the words of ``fit``, of each chosen neuron with those before it.
    scores_ : ndarray of shape (n_neurons,)
        Bits that a chosen neuron adds to those before it, and any other to the chosen ones.
    classes_ : ndarray of shape (n_classes,)
        Labels, sorted.
    support_ : ndarray of bool of shape (n_neurons,)
        Which neurons are kept.
    n_features_in_ : int
        Number of neurons seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_neurons,)
        Names of the neurons, where X had any.

    See Also
    --------
    GaussianProbeClassifier.rank_neurons : The ranking, also on other words.

    References
    ----------
    .. [1] L. Torroba Hennigen, A. Williams and R. Cotterell (2020). Intrinsic Probing through
       Dimension Selection. EMNLP.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_neurox import GaussianSelector
    >>> X, y = load_digits(return_X_y=True)
    >>> selector = GaussianSelector(n_neurons=3).fit(X, y)
    >>> selector.ranking_[:3]
    array([26, 43, 10])
    >>> selector.bits_.round(2)
    array([0.47, 0.89, 1.32])
    """

    _parameter_constraints: dict = {
        **RankingSelector._parameter_constraints,
        "n_greedy": [Interval(Integral, 0, None, closed="left"), None],
        "covariance": [StrOptions({"map", "mean"})],
        "target": "no_validation",
    }

    def __init__(
        self, *, n_neurons=None, n_greedy=None, covariance="mean", order="top", target=None
    ):
        self.n_neurons = n_neurons
        self.n_greedy = n_greedy
        self.covariance = covariance
        self.order = order
        self.target = target

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Choose and rank the neurons.

        Parameters
        ----------
        X : array-like of shape (n_words, n_neurons)
            Activations.
        y : array-like of shape (n_words,)
            Labels.
        sample_weight : array-like of shape (n_words,), default=None
            A word of weight 2 counts as two words, one of weight 0 as none.

        Returns
        -------
        self : GaussianSelector

        Raises
        ------
        ValueError
            If X holds NaN or infinity, y has a single class, `target` is not a class, weights
            are negative, or `n_neurons` or `n_greedy` exceed the number of neurons.
        """
        with all_or_nothing(self):
            X, y = validate_data(self, X, y, dtype=float_dtypes(X))
            weight = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
            self._count(X.shape[1])
            n_greedy = self._check_n_greedy(X.shape[1])
            if not weight.all():
                X, y, weight = X[weight > 0], y[weight > 0], weight[weight > 0]
            self.classes_, _ = encode_labels(y, by=type(self).__name__)
            if self.target is not None:
                check_target(self.target, self.classes_)
                y = y == self.target
            with fit_task(self, X, y):
                self._rank(X, y, weight, n_greedy)
        return self

    def _check_n_greedy(self, n_neurons):
        if self.n_greedy is not None and self.n_greedy > n_neurons:
            raise ValueError(f"n_greedy={self.n_greedy}, but X has {n_neurons} neurons.")
        if self.n_greedy is not None:
            return self.n_greedy
        return min(_N_GREEDY, n_neurons) if self.n_neurons is None else self._count(n_neurons)

    def _rank(self, X, y, weight, n_greedy):
        moving = np.flatnonzero(neuron_std(X, weight) > 0)
        some = X if len(moving) in (0, X.shape[1]) else X[:, moving]
        probe = GaussianProbeClassifier(covariance=self.covariance).fit(some, y, weight)
        chosen, bits = probe.rank_neurons(min(n_greedy, len(moving)))
        self.bits_, self.scores_ = bits, np.zeros(X.shape[1])
        together = bits[-1] if len(bits) else 0.0
        self.scores_[moving] = probe.score_neurons(beside=chosen)[: len(moving)] - together
        chosen = moving[chosen]
        self.scores_[chosen] = np.diff(bits, prepend=0.0)
        others = np.setdiff1d(moving, chosen)
        # Equal neurons differ by rounding, and the lower index is to come first.
        others = others[np.argsort(-self.scores_[others].round(10), kind="stable")]
        constant = np.setdiff1d(np.arange(X.shape[1]), moving)
        self._keep_from(np.concatenate([chosen, others, constant]))
