"""Estimators that are fitted batch by batch, from sums that can be added."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ._callbacks import fit_task
from ._class_moments import ClassMoments, Scatter
from ._labels import WEIGHTED, check_class_labels, check_labels, encode_labels, find_codes
from ._row_copies import copy_rows
from ._validation import all_or_nothing, fit_context, validate_samples
from ._weights import check_sample_weight

Sums = dict[str, NDArray]


class _FromSums:
    """Fitted attribute that is computed from the sums when it is first used.

    It is stored in the estimator together with the other attributes of this kind.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, estimator: Any, owner: type) -> Any:
        if estimator is None:
            return self
        if "_sums" not in vars(estimator):
            raise AttributeError(f"{owner.__name__!r} object has no attribute {self._name!r}")
        vars(estimator).update(estimator._compute())
        return vars(estimator)[self._name]


def from_sums() -> Any:
    """Declare a fitted attribute that ``partial_fit`` computes when it is first used."""
    return _FromSums()


def continues(estimator: BatchSums) -> bool:
    """Return whether batches can be added, for ``available_if``.

    Raises
    ------
    AttributeError
        If the estimator was fitted by ``fit``, which does not keep the sums.
    """
    if not estimator._adds_sums() or estimator._is_first_batch() or "_sums" in vars(estimator):
        return estimator._adds_sums()
    raise AttributeError(
        f"This {type(estimator).__name__} does not have the sums that batches are added to, "
        "because fit and finish do not keep them. Call partial_fit for all batches, beginning with "
        "a new estimator (sklearn.base.clone)."
    )


def _adds_sums(estimator: BatchSums) -> bool:
    return estimator._adds_sums()


class BatchSums:
    """Mixin of estimators whose ``partial_fit`` adds sums over samples.

    The sums are plain arrays, which are saved together with the estimator. ``fit`` does not keep
    them: they would take as much memory as the covariance matrix of the neurons.

    A subclass declares fitted attributes by :func:`from_sums`, and implements ``_compute`` and
    ``_added``.
    """

    # Attributes that the first batch sets, besides sums.
    _of_first_batch: ClassVar[tuple[str, ...]] = ("n_features_in_", "feature_names_in_", "classes_")

    _sums: Sums
    n_features_in_: int
    n_samples_seen_: int

    @abstractmethod
    def _compute(self) -> dict[str, Any]:
        """Return the fitted attributes for the samples seen so far."""

    @abstractmethod
    def _added(self, one: Sums, other: Sums) -> Sums:
        """Return the sums over two sets of samples."""

    def _adds_sums(self) -> bool:
        """Return whether ``partial_fit`` adds sums with the current parameters."""
        return True

    @classmethod
    def _computed(cls) -> set[str]:
        """Return the names of the attributes that are computed from sums."""
        return {
            name
            for owner in cls.__mro__
            for name, value in vars(owner).items()
            if isinstance(value, _FromSums)
        }

    def _forget(self) -> None:
        """Remove what the last fit has left behind. Called by ``fit``."""
        for name in (*self._computed(), "_sums", "n_samples_seen_"):
            self.__dict__.pop(name, None)

    def _is_first_batch(self) -> bool:
        """Return whether the estimator is not fitted."""
        return not (self._computed() | {"_sums"}) & vars(self).keys()

    def _keep(self, sums: Sums, n_samples: int) -> None:
        """Add the sums over a batch."""
        before = vars(self).get("_sums")
        if before is not None:
            sums = self._added(before, sums)
            n_samples += self.n_samples_seen_
        self._forget()
        self._sums, self.n_samples_seen_ = sums, n_samples

    @available_if(continues)
    def merge(self, other: Self) -> Self:
        """Add the samples that another estimator has seen, for example in another process.

        Parameters
        ----------
        other : estimator of the same class
            It was fitted by ``partial_fit``. It is not changed.

        Returns
        -------
        self : object
            The result is that of ``partial_fit`` with the batches of both. If this estimator is not
            fitted, it gets those of `other`.

        Raises
        ------
        TypeError
            If `other` is of another class.
        ValueError
            If `other` was fitted by ``fit``, which does not keep the sums, or they differ in their
            neurons, their classes or in parameters that change the sums.
        """
        if type(other) is not type(self):
            raise TypeError(
                f"other must be of the class {type(self).__name__}, got {type(other).__name__}."
            )
        check_is_fitted(other)
        if "_sums" not in vars(other):
            raise ValueError(
                "other does not have the sums of its batches. Fit it with partial_fit, and merge "
                "it before finish."
            )
        is_first = self._is_first_batch()
        for name in self._of_first_batch:
            own, others = (vars(each).get(name) for each in (self, other))
            if not is_first and _listed(own) != _listed(others):
                raise ValueError(
                    f"other must have the same {name}: expected {own!r:.200}, got {others!r:.200}."
                )
        with all_or_nothing(self):
            if is_first:
                found = vars(other).keys() & set(self._of_first_batch)
                self.__dict__ |= {name: vars(other)[name] for name in found}
            self._keep(dict(other._sums), other.n_samples_seen_)
        return self

    @available_if(_adds_sums)
    def finish(self) -> Self:
        """Compute the fitted attributes, and remove the sums that ``partial_fit`` adds to.

        The estimator is then as after ``fit``: it takes less memory, and cannot be continued.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If the samples are not sufficient, for example because a class does not have any.
        """
        check_is_fitted(self)
        if "_sums" in vars(self):
            self.__dict__ |= self._compute()
            del self._sums
        return self


class ClassBatches(BatchSums):
    """Mixin of classifiers whose ``partial_fit`` adds moments of the samples of each class."""

    # Whether the first call of ``partial_fit`` requires `classes`.
    _needs_classes: ClassVar[bool] = True

    classes_: NDArray

    @property
    @abstractmethod
    def _scatter(self) -> Scatter:
        """Which deviations from the means of classes are summed."""

    @available_if(continues)
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Add a batch of samples.

        The result is that of ``fit`` on all samples, up to rounding. The fitted attributes are
        computed when they are first used, which requires a sample of each class. Not available
        after ``fit``, which does not keep the sums.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations.
        y : array-like of shape (n_samples,)
            Labels: strings, integers or booleans.
        classes : array-like of shape (n_classes,), default=None
            All classes that occur in any batch. Required in the first call, and may be omitted in
            later calls.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If X contains NaN or infinity, a label is not one of `classes`, `classes` differ from
            those of the first call, lengths differ, or weights are negative.
        """
        self._add_batch(X, y, classes, sample_weight)
        return self

    def _add_batch(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        is_all: bool = False,
    ) -> tuple[NDArray, NDArray[np.intp], NDArray[np.float64]]:
        """Add a batch, and return its samples as :func:`read_batch` does.

        If `is_all`, there are no other samples.
        """
        data, codes, weight = read_batch(
            self,
            X,
            y,
            classes,
            sample_weight,
            is_first=self._is_first_batch(),
            needs_classes=self._needs_classes and not is_all,
        )
        with fit_task(self, data, self.classes_[codes], predicts=is_all):
            moments = ClassMoments.of(data, codes, weight, len(self.classes_), self._scatter)
            self._keep(vars(moments), len(data))
        return data, codes, weight

    def _added(self, one: Sums, other: Sums) -> Sums:
        return vars(ClassMoments(**one) + ClassMoments(**other))

    def _moments(self) -> ClassMoments:
        """Return the moments of the samples seen so far, or raise an error if a class has none."""
        moments = ClassMoments(**self._sums)
        if not moments.size.all():
            missing = self.classes_[moments.size == 0].tolist()[0]
            raise ValueError(f"The class {missing!r} does not have any samples yet.")
        return moments


def read_batch(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    classes: ArrayLike | None,
    sample_weight: ArrayLike | None,
    *,
    is_first: bool,
    needs_classes: bool,
    **options: Any,
) -> tuple[NDArray, NDArray[np.intp], NDArray[np.float64]]:
    """Check a batch, and return its samples, their classes as indices, and their weights.

    The first batch sets ``classes_``.

    Parameters
    ----------
    estimator : estimator
    X, y, classes, sample_weight
        As passed to ``partial_fit``.
    is_first : bool
        Whether the estimator has not seen other batches.
    needs_classes : bool
        Whether the first call requires `classes`. If False, they default to those of y.
    **options
        As in :func:`validate_samples`.
    """
    by, given = type(estimator).__name__, None
    if is_first and classes is None and needs_classes:
        raise ValueError("classes must be passed to the first call of partial_fit.")
    if classes is not None:
        given, _ = encode_labels(check_labels(classes, name="classes"), by=by)
        if not is_first and given.tolist() != estimator.classes_.tolist():
            raise ValueError(
                f"classes must be those of the first call, {estimator.classes_.tolist()}, got "
                f"{given.tolist()}."
            )
    data, labels = validate_samples(estimator, X, y, check_class_labels, reset=is_first, **options)
    weight = check_sample_weight(sample_weight, len(data), relative=False)
    samples = "samples" if weight.all() else WEIGHTED
    if not weight.all():
        kept = np.flatnonzero(weight)
        data, labels, weight = copy_rows(data, kept), labels[kept], weight[kept]
    if is_first and given is None:
        given, _ = encode_labels(labels, by=by, samples=samples)
    if is_first:
        estimator.classes_ = given
    return data, find_codes(labels, estimator.classes_, name="y"), weight


def _listed(value: Any) -> Any:
    """Return arrays as lists, which can be compared."""
    if isinstance(value, list):
        return [_listed(each) for each in value]
    return value.tolist() if isinstance(value, np.ndarray) else value
