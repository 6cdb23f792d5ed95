"""Reports on erased activations: what can still be read from them, and how far they moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state, gen_batches
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted

from .._bootstrap import Score
from .._labels import check_labels
from .._moments import neuron_moments
from .._optional import import_optional
from .._row_chunks import rows_at_once
from .._validation import check_matrix, validate_params
from .._warnings import silenced
from .._wording import count
from ..probes import LinearProbeClassifier, LinearProbeRegressor
from .probe_report import probe_report
from .probe_report_result import ProbeReport

_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False, repr=False)
class ErasureReport:
    """What probes read before and after an erasure, as returned by :func:`erasure_report`.

    Parameters
    ----------
    optimality : float
        Largest violation of the optimality conditions of a linear probe without weights on the
        erased training samples, whose neurons are standardized. It is the largest covariance of a
        neuron and a label. If it is 0 up to rounding, no linear probe has a smaller loss on these
        samples than a constant prediction.
    is_erased : bool
        Whether the exact solver ends without weights, because the violation is at most 1e-6.
    reports : dict of (str, str) to ProbeReport
        The reports on the test samples of the probes "linear" and "nonlinear", trained on
        activations "before" and "after" the erasure.
    distance : float
        Mean squared distance between the test samples before and after the erasure, as a share of
        the variance of the training samples, which is summed over the neurons.
    baseline : Score
        Score on the test samples of the constant prediction that fits the training samples best:
        the most frequent label, or the mean.
    """

    optimality: float
    is_erased: bool
    reports: dict[tuple[str, str], ProbeReport]
    distance: float
    baseline: Score

    def __repr__(self) -> str:
        linear = [self.reports["linear", when] for when in ("before", "after")]
        return (
            f"ErasureReport({linear[0].metric} of a linear probe {linear[0].score.value:.3f} -> "
            f"{linear[1].score.value:.3f}, of a constant prediction {self.baseline.value:.3f}, "
            f"violation {self.optimality:.1e}, distance {self.distance:.3f} of the variance)"
        )

    def _repr_html_(self) -> str:
        return self.to_frame().to_html(float_format="{:.3f}".format)

    def to_frame(self) -> Any:
        """Return one row per probe, before and after the erasure, and for a constant prediction.

        Returns
        -------
        pandas.DataFrame
            The columns are "score", and the bounds "low" and "high" of its interval. The index
            consists of the probe and "before" or "after". The last row, ("constant", "none"), is
            the score of a constant prediction.
        """
        pandas = import_optional("pandas", extra="plot", purpose="to_frame()")
        rows = {key: report.score for key, report in self.reports.items()}
        rows["constant", "none"] = self.baseline
        index = pandas.MultiIndex.from_tuples(rows, names=["probe", "activations"])
        frame = pandas.DataFrame([tuple(score) for score in rows.values()], index=index)
        return frame.set_axis(["score", "low", "high"], axis=1)


@validate_params(
    {
        "groups": ["array-like", None],
        "random_state": ["random_state"],
    }
)
def erasure_report(
    eraser: Any,
    X: ArrayLike,
    y: ArrayLike,
    X_test: ArrayLike,
    y_test: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    linear: Any = None,
    nonlinear: Any = None,
    random_state: int | RandomState | None = None,
) -> ErasureReport:
    """Report what probes can read from activations before and after an erasure.

    Parameters
    ----------
    eraser : estimator
        Fitted edit, such as :class:`LeaceEraser`. It is not changed.
    X : array-like of shape (n_samples, n_neurons)
        Training samples. The eraser should have been fitted on them.
    y : array-like of shape (n_samples,)
        Labels, or numbers that are not whole.
    X_test : array-like of shape (n_test_samples, n_neurons)
        Other samples, on which the probes are scored.
    y_test : array-like of shape (n_test_samples,)
        Labels or numbers of the test samples.
    groups : array-like of shape (n_test_samples,), default=None
        Groups of the test samples, such as sentence ids, that the intervals are computed from.
    linear : estimator, default=None
        Linear probe. By default, a linear probe with a small squared L2 penalty that is trained by
        the exact solver on standardized neurons.
    nonlinear : estimator, default=None
        Non-linear probe. By default, a multi-layer perceptron with 100 hidden units on standardized
        neurons.
    random_state : int, RandomState instance or None, default=None
        Controls the perceptron and the intervals. Pass an int for reproducible output across
        multiple function calls.

    Returns
    -------
    ErasureReport

    Raises
    ------
    NotFittedError
        If the eraser is not fitted.
    ValueError
        If lengths differ, X contains NaN or infinity, or the eraser changes the number of neurons.

    See Also
    --------
    probe_report : Scores a single probe.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_neurox import LeaceEraser, erasure_report
    >>> X, y = load_digits(return_X_y=True)
    >>> eraser = LeaceEraser().fit(X[:1200], y[:1200])
    >>> report = erasure_report(eraser, X[:1200], y[:1200], X[1200:], y[1200:], random_state=0)
    >>> report.is_erased
    True
    >>> report.reports["linear", "after"].score.value < 0.15
    True
    >>> report.reports["nonlinear", "after"].score.value > 0.5
    True
    """
    check_is_fitted(eraser)
    before, before_test = check_matrix(X), check_matrix(X_test)
    labels, labels_test = check_labels(y, name="y"), check_labels(y_test, name="y_test")
    _check_length("y", labels, "X", before)
    _check_length("y_test", labels_test, "X_test", before_test)
    if groups is not None:
        groups = check_labels(groups, name="groups")
        _check_length("groups", groups, "X_test", before_test)
    after, after_test = (_erase(eraser, rows) for rows in (before, before_test))
    seed = check_random_state(random_state).randint(2**31 - 1)
    with np.errstate(invalid="ignore"):  # of numbers that are too large for integers
        is_number = type_of_target(labels) == "continuous"
    probes = {
        "linear": linear or _default_linear(is_number),
        "nonlinear": nonlinear or _default_nonlinear(is_number, seed),
    }
    reports = {
        (name, when): probe_report(
            clone(probe).fit(rows, labels),
            rows_test,
            labels_test,
            sentence_ids=groups,
            random_state=seed,
        )
        for name, probe in probes.items()
        for when, rows, rows_test in (
            ("before", before, before_test),
            ("after", after, after_test),
        )
    }
    constant = (DummyRegressor() if is_number else DummyClassifier()).fit(before, labels)
    with silenced(ConvergenceWarning):  # the violation is reported
        exact = _exact(is_number).fit(after, labels)
    moved = sum(
        np.square(after_test[some] - before_test[some], dtype=np.float64).sum()
        for some in gen_batches(len(before_test), rows_at_once(before_test.shape[1]))
    )
    return ErasureReport(
        optimality=float(exact.optimality_),
        is_erased=bool(exact.optimality_ <= _TOLERANCE and not exact.coef_.any()),
        reports=reports,
        distance=float(moved / len(before_test) / np.square(neuron_moments(before)[1]).sum()),
        baseline=probe_report(
            constant, before_test, labels_test, sentence_ids=groups, random_state=seed
        ).score,
    )


def _check_length(name: str, values: NDArray, of: str, X: NDArray) -> None:
    if len(values) != len(X):
        raise ValueError(
            f"{name} must contain one value for each of the {count(len(X), 'row')} of {of}, got "
            f"{len(values):,}."
        )


def _erase(eraser: Any, X: NDArray) -> NDArray:
    erased = np.asarray(eraser.transform(X))
    if erased.shape != X.shape:
        raise ValueError(
            f"eraser must keep the shape of X, {X.shape}, but {type(eraser).__name__} returns "
            f"{erased.shape}."
        )
    return erased


def _exact(is_number: bool) -> LinearProbeClassifier | LinearProbeRegressor:
    """Return a linear probe without penalties, whose solver starts without weights.

    It ends there if and only if no neuron is correlated with a label. One iteration suffices to
    measure the violation.
    """
    kind = LinearProbeRegressor if is_number else LinearProbeClassifier
    return kind(standardize=True, solver="owlqn", tol=_TOLERANCE, max_iter=1, device="cpu")


def _default_linear(is_number: bool) -> Any:
    kind = LinearProbeRegressor if is_number else LinearProbeClassifier
    return kind(
        lambda_l2=1e-3, l2_penalty="squared", standardize=True, solver="owlqn", device="cpu"
    )


def _default_nonlinear(is_number: bool, seed: int) -> Any:
    kind = MLPRegressor if is_number else MLPClassifier
    return make_pipeline(StandardScaler(), kind(early_stopping=True, random_state=seed))
