"""Selection by scores of neurons for classes, without any training: Probeless and others."""

from __future__ import annotations

from numbers import Real

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval

from .._callbacks import fit_task
from .._labels import check_target, encode_labels
from .._moments import neuron_std
from .._validation import all_or_nothing, validate_activations
from ._ranking_selector import RankingSelector, rank
from .class_scores import average_precisions, class_means, mean_differences, warn_of_single_words


class _ClassScoreSelector(RankingSelector):
    """A selector by scores that each neuron has for each class."""

    _parameter_constraints: dict = {
        **RankingSelector._parameter_constraints,
        "target": "no_validation",
    }

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Score and rank the neurons.

        Parameters
        ----------
        X : array-like of shape (n_words, n_neurons)
            Activations.
        y : array-like of shape (n_words,)
            Labels.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If X holds NaN or infinity, y has a single class, `target` is not a class, or
            `n_neurons` exceeds the number of neurons.
        """
        with all_or_nothing(self):
            X, y = validate_activations(self, X, y)
            self._count(X.shape[1])
            self.classes_, codes = encode_labels(y, by=type(self).__name__)
            target = None if self.target is None else check_target(self.target, self.classes_)
            with fit_task(self, X, y):
                warn_of_single_words(codes, self.classes_, by=type(self).__name__)
                std = neuron_std(X)
                self.scores_, self.class_scores_ = self._score(X, codes, std)
                if target is not None:
                    self.scores_ = self.class_scores_[target]
                self._keep_from(rank(self.scores_, std > 0))
        return self

    def _score(self, X, codes, std):
        """Scores (n_neurons,) for all classes, and (n_classes, n_neurons) for each."""
        raise NotImplementedError


class ProbelessSelector(_ClassScoreSelector):
    """Keep the neurons whose mean activations differ most between classes.

    Probeless [1]_ trains nothing: the score of a neuron is the sum of the differences of its mean
    activations over all pairs of classes, or over the pairs of one class.

    Parameters
    ----------
    n_neurons : int or float, default=None
        Keep so many neurons (int), or this share of them (float in [0, 1], rounded to the
        nearest number). None keeps all; ``ranking_`` is then what ``fit`` is for.
    scaled : bool, default=True
        Divide the differences by the standard deviation of the neuron. With False they are in
        the unit of the neuron, as in [1]_, and neurons of large variance come first.
    order : {"top", "bottom"}, default="top"
        Keep the most or the least important neurons.
    target : label, default=None
        Rank for this class alone; None ranks for all.

    Attributes
    ----------
    ranking_ : ndarray of int of shape (n_neurons,)
        Neurons, the most important first; ties by index, constant neurons last.
    scores_ : ndarray of shape (n_neurons,)
        What is ranked by, for all classes or for `target`.
    class_scores_ : ndarray of shape (n_classes, n_neurons)
        Scores for each class.
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
    mean_difference_scores : The scores as a function.

    References
    ----------
    .. [1] O. Antverg and Y. Belinkov (2022). On the Pitfalls of Analyzing Individual Neurons in
       Language Models. ICLR.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_neurox import ProbelessSelector
    >>> X, y = load_digits(return_X_y=True)
    >>> ProbelessSelector(n_neurons=5).fit(X, y).get_support(indices=True)
    array([20, 21, 26, 34, 42])
    """

    _parameter_constraints: dict = {
        **_ClassScoreSelector._parameter_constraints,
        "scaled": ["boolean"],
    }

    def __init__(self, *, n_neurons=None, scaled=True, order="top", target=None):
        self.n_neurons = n_neurons
        self.scaled = scaled
        self.order = order
        self.target = target

    def _score(self, X, codes, std):
        means = class_means(X, codes, len(self.classes_))
        return mean_differences(means, std if self.scaled else std > 0)


class AveragePrecisionSelector(_ClassScoreSelector):
    """Keep the neurons that detect classes best, by average precision.

    The score of a neuron for a class is the average precision of its activation as a detector of
    the class; the score for all classes is the mean over the classes.

    Parameters
    ----------
    n_neurons : int or float, default=None
        Keep so many neurons (int), or this share of them (float in [0, 1], rounded to the
        nearest number). None keeps all; ``ranking_`` is then what ``fit`` is for.
    threshold : float, default=0.0
        Activations with ``|x| < threshold`` count as 0.
    signed : bool, default=True
        Let a neuron detect by low activations too.
    order : {"top", "bottom"}, default="top"
        Keep the most or the least important neurons.
    target : label, default=None
        Rank for this class alone; None ranks for all.

    Attributes
    ----------
    ranking_ : ndarray of int of shape (n_neurons,)
        Neurons, the most important first; ties by index, constant neurons last.
    scores_ : ndarray of shape (n_neurons,)
        What is ranked by, for all classes or for `target`.
    class_scores_ : ndarray of shape (n_classes, n_neurons)
        Average precision for each class.
    class_signs_ : ndarray of int of shape (n_classes, n_neurons)
        1 where high activations detect the class, -1 where low ones do.
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
    average_precision_scores : The scores as a function.

    References
    ----------
    .. [1] Y. Fan, F. Dalvi, N. Durrani and H. Sajjad (2023). Evaluating Neuron Interpretation
       Methods of NLP Models. NeurIPS.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_neurox import AveragePrecisionSelector
    >>> X, y = load_digits(return_X_y=True)
    >>> selector = AveragePrecisionSelector(n_neurons=3, target=0).fit(X, y)
    >>> selector.ranking_[:3]
    array([36, 28, 35])
    """

    _parameter_constraints: dict = {
        **_ClassScoreSelector._parameter_constraints,
        "threshold": [Interval(Real, 0, None, closed="left")],
        "signed": ["boolean"],
    }

    def __init__(self, *, n_neurons=None, threshold=0.0, signed=True, order="top", target=None):
        self.n_neurons = n_neurons
        self.threshold = threshold
        self.signed = signed
        self.order = order
        self.target = target

    def _score(self, X, codes, std):
        n_classes = len(self.classes_)
        signed = average_precisions(X, codes, n_classes, self.threshold, self.signed)
        self.class_signs_ = np.where(signed < 0, -1, 1)
        scores = np.abs(signed)
        share = np.bincount(codes) / len(codes)
        scores[:, std == 0] = share[:, np.newaxis]  # as of a constant, which rounding is not
        return scores.mean(axis=0), scores
