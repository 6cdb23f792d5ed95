"""Selectors that score each neuron for each class without training a model."""

from __future__ import annotations

from abc import abstractmethod
from numbers import Real
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._param_validation import Interval
from sklearn.utils.metaestimators import available_if

from .._batch_sums import ClassBatches, continues, from_sums
from .._labels import check_target, encode_labels
from .._moments import neuron_std
from .._validation import fit_context
from ._average_precision import average_precisions
from .class_scores import (
    Scores,
    class_means,
    mean_differences,
    warn_of_single_samples,
)
from .ranking_selector import FitCall, RankingSelector, rank


class ClassScoreSelector(RankingSelector):
    """Base class for selectors that score each neuron for each class.

    A subclass has the parameters `n_neurons`, `order` and `target` and implements ``_score``.
    """

    target: Any

    _parameter_constraints: dict = {
        **RankingSelector._parameter_constraints,
        "target": "no_validation",
    }

    @abstractmethod
    def _score(self, X: NDArray, codes: NDArray[np.intp], std: Scores) -> tuple[Scores, Scores]:
        """Score the neurons.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_neurons)
            Activations.
        codes : ndarray of int of shape (n_samples,)
            The class of each sample, as an index into ``classes_``.
        std : ndarray of shape (n_neurons,)
            Standard deviations of the neurons, which are 0 for neurons that are constant up to
            rounding.

        Returns
        -------
        overall : ndarray of shape (n_neurons,)
        per_class : ndarray of shape (n_classes, n_neurons)
        """

    def _rank(self, X: NDArray, y: NDArray, call: FitCall) -> NDArray[np.intp]:
        self.classes_, codes = encode_labels(y, by=type(self).__name__)
        self._check_target()
        warn_of_single_samples(np.bincount(codes), self.classes_, by=type(self).__name__)
        std = neuron_std(X)
        self.scores_, self.class_scores_ = self._score(X, codes, std)
        if self.target is not None:
            self.scores_ = self.class_scores_[self._check_target()]
        return rank(self.scores_, std > 0)

    def _check_target(self) -> int | None:
        """Return the index of the class to rank for, if any, or raise an error."""
        return None if self.target is None else check_target(self.target, self.classes_)


class ProbelessSelector(ClassBatches, ClassScoreSelector, ranking="probeless"):
    """Keep the neurons whose mean activations differ most between classes.

    Probeless [1]_ does not train a model. The score of a neuron is the sum of the differences
    between its class means, over all pairs of classes or over the pairs of one class.

    Parameters
    ----------
    n_neurons : int or float, default=None
        Number of neurons to keep. If a float in [0, 1], fraction of the neurons to keep, rounded to
        the nearest number of neurons. If None, keep all neurons and only compute ``ranking_``.
    scaled : bool, default=True
        Whether to divide the differences by the standard deviation of the neuron. If False, as in
        [1]_, the differences are in the unit of the neuron, and neurons of large variance are
        ranked first.
    order : {"top", "bottom"}, default="top"
        Whether to keep the neurons at the top or at the bottom of the ranking.
    target : label, default=None
        Class to rank the neurons for. If None, rank them for all classes.

    Attributes
    ----------
    ranking_ : ndarray of int of shape (n_neurons,)
        Neurons, ordered from most to least important. Ties are broken by index; constant neurons
        come last.
    scores_ : ndarray of shape (n_neurons,)
        Scores that the ranking is sorted by, for all classes or for `target`.
    class_scores_ : ndarray of shape (n_classes, n_neurons)
        Scores for each class.
    classes_ : ndarray of shape (n_classes,)
        Sorted class labels.
    support_ : ndarray of bool of shape (n_neurons,)
        Which neurons are kept.
    n_samples_seen_ : int
        Number of samples. Defined only after ``partial_fit``.
    n_features_in_ : int
        Number of neurons seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_neurons,)
        Names of the neurons seen during ``fit``. Defined only if X has names that are all strings.

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
        **ClassScoreSelector._parameter_constraints,
        "scaled": ["boolean"],
    }
    _scatter = "squares"
    _needs_classes = False

    ranking_: NDArray[np.intp] = from_sums()
    scores_: Scores = from_sums()
    class_scores_: Scores = from_sums()
    support_: NDArray[np.bool_] = from_sums()

    def __init__(
        self,
        *,
        n_neurons: int | float | None = None,
        scaled: bool = True,
        order: Literal["top", "bottom"] = "top",
        target: Any = None,
    ) -> None:
        self.n_neurons = n_neurons
        self.scaled = scaled
        self.order = order
        self.target = target

    @available_if(continues)
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: ArrayLike, y: ArrayLike, classes: ArrayLike | None = None) -> Self:
        """Add a batch of samples.

        The result is that of ``fit`` on all samples, up to rounding. The ranking is computed when
        it is first used, which requires a sample of each class. Not available after ``fit``, which
        does not keep the sums.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations.
        y : array-like of shape (n_samples,)
            Labels.
        classes : array-like of shape (n_classes,), default=None
            All classes that occur in any batch. If None, these are the classes of the first batch.

        Returns
        -------
        self : ProbelessSelector
            Fitted selector.

        Raises
        ------
        ValueError
            If X contains NaN or infinity, squares of activations exceed the range of float64, a
            label is not one of `classes`, `classes` differ from those of the first call, lengths
            differ, or a parameter is not valid for `classes` or the number of neurons.
        """
        self._add_batch(X, y, classes)
        self._check_counts(self.n_features_in_)
        self._check_target()
        return self

    def _compute(self) -> dict[str, NDArray]:
        moments = self._moments()
        warn_of_single_samples(moments.size, self.classes_, by=type(self).__name__)
        std = moments.std
        scores, class_scores = mean_differences(moments.means, std if self.scaled else std > 0)
        if self.target is not None:
            scores = class_scores[self._check_target()]
        ranking = rank(scores, std > 0)
        return {
            "scores_": scores,
            "class_scores_": class_scores,
            "ranking_": ranking,
            "support_": self._support(ranking),
        }

    def _rank(self, X: NDArray, y: NDArray, call: FitCall) -> NDArray[np.intp]:
        self._forget()
        return super()._rank(X, y, call)

    def _score(self, X: NDArray, codes: NDArray[np.intp], std: Scores) -> tuple[Scores, Scores]:
        means = class_means(X, codes, len(self.classes_))
        return mean_differences(means, std if self.scaled else std > 0)


class AveragePrecisionSelector(ClassScoreSelector, ranking="average-precision"):
    """Keep the neurons that detect classes best, measured by average precision.

    The score of a neuron for a class is the average precision of its activation as a detector of
    the class [1]_. The score for all classes is the mean over the classes.

    Parameters
    ----------
    n_neurons : int or float, default=None
        Number of neurons to keep. If a float in [0, 1], fraction of the neurons to keep, rounded to
        the nearest number of neurons. If None, keep all neurons and only compute ``ranking_``.
    min_activation : float, default=0.0
        Activations with ``|x| < min_activation`` count as 0.
    signed : bool, default=True
        Whether a neuron can also detect a class by low activations.
    order : {"top", "bottom"}, default="top"
        Whether to keep the neurons at the top or at the bottom of the ranking.
    target : label, default=None
        Class to rank the neurons for. If None, rank them for all classes.

    Attributes
    ----------
    ranking_ : ndarray of int of shape (n_neurons,)
        Neurons, ordered from most to least important. Ties are broken by index; constant neurons
        come last.
    scores_ : ndarray of shape (n_neurons,)
        Scores that the ranking is sorted by, for all classes or for `target`.
    class_scores_ : ndarray of shape (n_classes, n_neurons)
        Scores for each class.
    class_signs_ : ndarray of int of shape (n_classes, n_neurons)
        1 if high activations detect the class, -1 if low activations do.
    classes_ : ndarray of shape (n_classes,)
        Sorted class labels.
    support_ : ndarray of bool of shape (n_neurons,)
        Which neurons are kept.
    n_features_in_ : int
        Number of neurons seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_neurons,)
        Names of the neurons seen during ``fit``. Defined only if X has names that are all strings.

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
        **ClassScoreSelector._parameter_constraints,
        "min_activation": [Interval(Real, 0, None, closed="left")],
        "signed": ["boolean"],
    }

    def __init__(
        self,
        *,
        n_neurons: int | float | None = None,
        min_activation: float = 0.0,
        signed: bool = True,
        order: Literal["top", "bottom"] = "top",
        target: Any = None,
    ) -> None:
        self.n_neurons = n_neurons
        self.min_activation = min_activation
        self.signed = signed
        self.order = order
        self.target = target

    def _score(self, X: NDArray, codes: NDArray[np.intp], std: Scores) -> tuple[Scores, Scores]:
        n_classes = len(self.classes_)
        signed = average_precisions(X, codes, n_classes, self.min_activation, self.signed)
        self.class_signs_ = np.where(signed < 0, -1, 1)
        scores = np.abs(signed)
        # A neuron that is constant up to rounding is scored as constant, not by its noise.
        scores[:, std == 0] = (np.bincount(codes) / len(codes))[:, np.newaxis]
        return scores.mean(axis=0), scores
