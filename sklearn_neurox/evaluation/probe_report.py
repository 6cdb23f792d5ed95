"""Scores of a fitted probe on test samples, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from .._bootstrap import Resampling, Score
from .._device import as_numpy
from .._html import element, escape, format_value, table
from .._labels import check_labels, check_numbers
from .._optional import import_optional
from .._results import classes_of
from .._validation import check_not_estimator, check_not_tokens, check_words, validate_params
from ._probe_scores import (
    BINARY_METRICS,
    CLASSIFIER_METRICS,
    REGRESSOR_METRICS,
    ClassScore,
    score_labels,
    score_numbers,
)

_N_SHOWN = 20  # classes or mistakes in a table of a notebook, or classes in a message


class PartScore(NamedTuple):
    """Score on a part of the words; None if it is empty (for numbers, fewer than two words)."""

    n_words: int
    n_types: int
    score: Score | None


@dataclass(frozen=True, eq=False, repr=False)
class ProbeReport:
    """Scores, predictions and mistakes of a probe, as returned by :func:`probe_report`.

    Parameters
    ----------
    metric : str
        Name of the main metric, which is the metric of `score`.
    scores : dict of str to Score
        Scores with their intervals: `metric` and the accuracy for a classifier, and for a regressor
        "r2", "pearson" and "spearman".
    confidence : float
        Confidence level of all intervals.
    labels : ndarray of shape (n_samples,)
        True labels or numbers.
    predictions : ndarray of shape (n_samples,)
        Predicted labels or numbers.
    probabilities : ndarray of shape (n_samples,) or None
        Probabilities of the predicted labels, if the probe has ``predict_proba``.
    words, sentence_ids : list, ndarray of shape (n_samples,), or None
        Word and sentence of each sample, if they were passed.
    per_class : tuple of ClassScore
        Scores of all classes of the probe, in the order of its ``classes_``.
    confusion_matrix : ndarray of int of shape (n_classes, n_classes) or None
        Number of samples by true class (row) and predicted class (column).
    majority : tuple of (label, float) or None
        The most frequent label in y, and the accuracy of always predicting it.
    seen, unseen : PartScore or None
        Scores on words whose type occurs in the training words, and on all others.
    """

    metric: str
    scores: dict[str, Score]
    confidence: float
    labels: NDArray
    predictions: NDArray
    probabilities: NDArray | None = None
    words: list | None = None
    sentence_ids: NDArray | None = None
    per_class: tuple[ClassScore, ...] = ()
    confusion_matrix: NDArray[np.intp] | None = None
    majority: tuple[Any, float] | None = None
    seen: PartScore | None = None
    unseen: PartScore | None = None

    @property
    def score(self) -> Score:
        """The score of `metric`, with its interval."""
        return self.scores[self.metric]

    def __repr__(self) -> str:
        return f"ProbeReport({len(self.labels):,} samples, {self.metric} {self.score})"

    def mistakes(self, n_pairs: int = 10) -> list[tuple[Any, Any, int]]:
        """Return the most frequent mistakes of a classifier.

        Parameters
        ----------
        n_pairs : int, default=10
            Maximum number of pairs of a label and a prediction.

        Returns
        -------
        list of (label, prediction, n_samples)
            Pairs of a label and a prediction, ordered by decreasing frequency.

        Raises
        ------
        ValueError
            If the probe is a regressor.
        """
        if self.confusion_matrix is None:
            raise ValueError(
                "mistakes requires the report of a classifier, but this is the report of a "
                "regressor."
            )
        labels = [each.label for each in self.per_class]
        wrong = self.confusion_matrix - np.diag(np.diag(self.confusion_matrix))
        cells = np.argsort(-wrong, axis=None, kind="stable")[:n_pairs].tolist()
        pairs = [divmod(cell, len(labels)) for cell in cells]
        return [(labels[i], labels[j], int(wrong[i, j])) for i, j in pairs if wrong[i, j]]

    def _columns(self) -> dict[str, Any]:
        columns = {
            "word": self.words,
            "sentence_id": self.sentence_ids,
            "label": self.labels,
            "prediction": self.predictions,
            "probability": self.probabilities,
        }
        return {name: values for name, values in columns.items() if values is not None}

    def to_frame(self) -> Any:
        """Return one row per sample, in the order of X.

        The columns are word, sentence_id, label, prediction and the probability of the predicted
        label. Columns without values are left out.

        Returns
        -------
        pandas.DataFrame
        """
        pandas = import_optional("pandas", extra="plot", purpose="to_frame()")
        return pandas.DataFrame(self._columns())

    def to_dict(self) -> dict[str, Any]:
        """Convert the report to dicts, lists, numbers and strings, which can be stored as JSON.

        Returns
        -------
        dict
        """
        return _plain(
            {
                "metric": self.metric,
                "confidence": self.confidence,
                "scores": self.scores,
                "per_class": self.per_class,
                "confusion_matrix": self.confusion_matrix,
                "majority": self.majority,
                "seen": self.seen,
                "unseen": self.unseen,
                "predictions": self._columns(),
            }
        )

    def _repr_html_(self) -> str:
        tables = [_table(f"{self!r}", ["", "score"], self._summary_rows())]
        if self.per_class:
            head = list(ClassScore._fields)
            frequent = sorted(self.per_class, key=lambda each: -each.support)[:_N_SHOWN]
            caption = f"{len(frequent)} of {len(self.per_class)} classes"
            tables += [_table(caption, head, frequent), self._html_mistakes()]
        return "".join(tables)

    def _summary_rows(self) -> list[tuple[str, Any]]:
        rows: list[tuple[str, Any]] = list(self.scores.items())
        if self.majority is not None:
            rows.append((f"accuracy of always predicting {self.majority[0]!r}", self.majority[1]))
        for name, part in (("seen", self.seen), ("unseen", self.unseen)):
            if part is not None:
                about = f"{part.n_words:,} words of {part.n_types:,} {name} types"
                rows.append((about, part.score))
        return rows

    def _html_mistakes(self) -> str:
        matrix, labels = self.confusion_matrix, [each.label for each in self.per_class]
        assert matrix is not None
        if len(labels) <= _N_SHOWN:
            rows = [(label, *row) for label, row in zip(labels, matrix, strict=True)]
            return _table("Label (row) and prediction (column)", ["", *labels], rows)
        head = ["label", "prediction", "samples"]
        return _table("Most frequent mistakes", head, self.mistakes(_N_SHOWN))


@validate_params(
    {
        "n_bootstraps": [Interval(Integral, 1, None, closed="left")],
        "confidence": [Interval(Real, 0, 1, closed="neither")],
        "random_state": ["random_state"],
    }
)
def probe_report(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    words: Sequence[Hashable] | None = None,
    sentence_ids: ArrayLike | None = None,
    train_words: Iterable[Hashable] | None = None,
    metric: str | None = None,
    n_bootstraps: int = 1000,
    confidence: float = 0.95,
    random_state: int | np.random.RandomState | None = None,
) -> ProbeReport:
    """Score a fitted probe on samples that it was not trained on.

    Parameters
    ----------
    estimator : estimator
        A fitted classifier or regressor, possibly a Pipeline or a search. It is not changed.
    X : array-like of shape (n_samples, n_neurons)
        Activations.
    y : array-like of shape (n_samples,)
        Labels, which must be classes of the classifier, or numbers.
    words : sequence of n_samples words, default=None
        Word of each sample, which is shown next to its prediction.
    sentence_ids : array-like of shape (n_samples,), default=None
        Sentence of each sample. Words of a sentence are not independent, so the bootstrap draws
        whole sentences. If None, it draws single samples, which makes the intervals too narrow for
        running text.
    train_words : iterable of words, default=None
        The training words. Words of a type that occurs among them are scored separately from all
        others. Types are distinguished by their spelling, including case. Requires `words`.
    metric : str, default=None
        For a classifier "accuracy" (the default), "matthews_corrcoef", "f1_macro",
        "f1_weighted", or, if its two classes include the label 1, "f1" or "accuracy_and_f1".
        For a regressor "r2" (the default), "pearson" or "spearman".
    n_bootstraps : int, default=1000
        Number of resamples.
    confidence : float in (0, 1), default=0.95
        Confidence level of the percentile intervals.
    random_state : int, RandomState instance or None, default=None
        Controls which sentences are drawn. Pass an int for reproducible output across multiple
        function calls.

    Returns
    -------
    ProbeReport

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If the estimator is neither a classifier nor a regressor, or y contains labels but the
        estimator is a regressor.
    ValueError
        If lengths differ, there are no samples, y contains labels that are not classes of the
        classifier, the metric does not suit the estimator, or `train_words` is passed without
        `words`.

    Notes
    -----
    Of the scores of a class, only F1 has an interval, because it reflects both kinds of errors. The
    interval ignores resamples without the class. A class that occurs in fewer than five sentences
    has no interval, because the interval would be too narrow with so few distinct resamples. With
    few sentences, percentile intervals are approximate: with ten, the coverage of a 95% interval is
    lower.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from sklearn_neurox import probe_report
    >>> X, y = load_digits(return_X_y=True)
    >>> probe = RidgeClassifier().fit(X[:1200], y[:1200])
    >>> report = probe_report(probe, X[1200:], y[1200:], random_state=0)
    >>> report
    ProbeReport(597 samples, accuracy 0.874 [0.84..., 0.89...])
    >>> report.per_class[8].support, round(report.per_class[8].recall, 2)
    (55, 0.71)
    """
    metric = _check_estimator(estimator, metric)
    words = None if words is None else check_words(words, name="words")
    if train_words is not None and words is None:
        raise ValueError("train_words requires words. Pass the word of each sample as well.")
    types = None if train_words is None else set(check_words(train_words, name="train_words"))
    if sentence_ids is not None:
        sentence_ids = check_labels(sentence_ids, name="sentence_ids")
    check = check_labels if is_classifier(estimator) else check_numbers
    labels = check(y, name="y")
    check_not_tokens(X)
    check_not_estimator(X, name="X")
    X = as_numpy(X, name="X")
    check_consistent_length(X, labels, words, sentence_ids)
    seed = check_random_state(random_state).randint(2**31 - 1)
    resampling = Resampling(int(n_bootstraps), float(confidence), seed)
    score = score_labels if is_classifier(estimator) else score_numbers
    parts, found = score(
        estimator, X, labels, sentence_ids, metric, resampling, _split(words, types)
    )
    return ProbeReport(
        metric=metric,
        confidence=float(confidence),
        labels=labels.copy(),  # copied, so that later changes to y do not change the report
        words=words,
        sentence_ids=sentence_ids,
        **found,
        **_part_scores(words, types, parts),
    )


def _split(words: list[Any] | None, types: set[Any] | None) -> tuple[NDArray[np.intp], ...]:
    """Return the rows of words of seen types, and of all others."""
    if words is None or types is None:
        return ()
    seen = np.array([word in types for word in words], dtype=bool)
    return np.flatnonzero(seen), np.flatnonzero(~seen)


def _part_scores(
    words: list[Any] | None, types: set[Any] | None, scores: list[Score | None]
) -> dict[str, Any]:
    if words is None or types is None:
        return {}
    parts = [[word for word in words if (word in types) is seen] for seen in (True, False)]
    return {
        name: PartScore(len(part), len(set(part)), score)
        for name, part, score in zip(("seen", "unseen"), parts, scores, strict=True)
    }


def _check_estimator(estimator: Any, metric: str | None) -> str:
    """Check that an estimator is fitted and suits the metric, and return the metric."""
    name = type(estimator).__name__
    if getattr(estimator, "refit", True) is False:
        raise ValueError(f"This {name} has refit=False, so it does not contain a fitted estimator.")
    if not hasattr(estimator, "predict") or not (
        is_classifier(estimator) or is_regressor(estimator)
    ):
        raise TypeError(f"estimator must be a classifier or a regressor, got {name}.")
    try:
        check_is_fitted(estimator)
    except NotFittedError as error:
        raise NotFittedError(
            f"This {name} is not fitted. probe_report scores a fitted probe on other samples. "
            "Call fit with the training samples first."
        ) from error
    known = CLASSIFIER_METRICS if is_classifier(estimator) else REGRESSOR_METRICS
    metric = known[0] if metric is None else metric
    kind = "classifier" if is_classifier(estimator) else "regressor"
    if metric not in known:
        raise ValueError(f"metric of a {kind} must be one of {', '.join(known)}, got {metric!r}.")
    classes = classes_of(estimator).tolist() if kind == "classifier" else []
    if metric in BINARY_METRICS and (len(classes) != 2 or 1 not in classes):
        raise ValueError(
            f"{metric!r} requires 2 classes, of which the positive one is 1, but {name} has the "
            f"classes {classes[:_N_SHOWN]}. Use 'f1_macro' or 'f1_weighted' for other classes."
        )
    return metric


def _plain(value: Any) -> Any:
    """Convert a value to types that JSON supports."""
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return _plain(value.tolist()) if isinstance(value, np.ndarray | np.generic) else value


def _table(caption: str, head: Sequence[Any], rows: Iterable[Sequence[Any]]) -> str:
    heads = [element("th", _text(value), scope="col") for value in head]
    return table(heads, [map(_row, rows)], caption=caption)


def _row(values: Sequence[Any]) -> list[str]:
    first, *rest = map(_text, values)
    return [element("th", first, scope="row"), *(element("td", value) for value in rest)]


def _text(value: Any) -> str:
    return escape(format_value(value))
