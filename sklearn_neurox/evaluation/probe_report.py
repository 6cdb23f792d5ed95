"""What a fitted probe gets right, and how sure that is."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_consistent_length, check_random_state, check_scalar
from sklearn.utils.validation import check_is_fitted

from .._html import element, escape, format_value, table
from .._labels import check_labels, check_numbers
from .._optional import import_optional
from .._validation import check_words, refuse_tokens
from ._probe_scores import (
    BINARY_METRICS,
    CLASSIFIER_METRICS,
    REGRESSOR_METRICS,
    ClassScore,
    Resampling,
    Score,
    score_labels,
    score_numbers,
)

_SHOWN = 20  # classes or mistakes in a table of a notebook


class PartScore(NamedTuple):
    """Score on a part of the words; None where there are none (for numbers, fewer than two)."""

    n_words: int
    n_types: int
    score: Score | None


@dataclass(frozen=True, eq=False, repr=False)
class ProbeReport:
    """What a probe gets right; the result of :func:`probe_report`.

    Parameters
    ----------
    metric : str
        Which of the scores is the `score`.
    scores : dict of str to Score
        Value, low and high; for a classifier `metric` and the accuracy, for a regressor "r2",
        "pearson" and "spearman".
    confidence : float
        Of all intervals.
    labels : ndarray of shape (n_words,)
        The y that was given.
    predictions : ndarray of shape (n_words,)
        What the probe says.
    probabilities : ndarray of shape (n_words,) or None
        Of the predicted labels, if the probe has ``predict_proba``.
    words, sentence_ids : list, ndarray of shape (n_words,), or None
        As they were given.
    per_class : tuple of ClassScore
        Of all classes that the probe knows, in the order of its ``classes_``.
    confusion_matrix : ndarray of int of shape (n_classes, n_classes) or None
        Words of each class (row) by predicted class (column).
    majority : tuple of (label, float) or None
        The most frequent label in y and the accuracy of always saying it.
    seen, unseen : PartScore or None
        On word types that are among the training words, and on those that are not.
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
        """The score by `metric`, with its interval."""
        return self.scores[self.metric]

    def __repr__(self) -> str:
        return f"ProbeReport({len(self.labels):,} words, {self.metric} {self.score})"

    def mistakes(self, n_pairs: int = 10) -> list[tuple[Any, Any, int]]:
        """Most frequent mistakes of a classifier.

        Parameters
        ----------
        n_pairs : int, default=10
            At most.

        Returns
        -------
        list of (label, prediction, n_words)
            The most frequent first.

        Raises
        ------
        ValueError
            If the report is of a regressor.
        """
        if self.confusion_matrix is None:
            raise ValueError("A regressor confuses no labels.")
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
        """One row for each word, in the order of X: word, sentence_id, label, prediction.

        With the probability of the predicted label. What was not given has no column.

        Returns
        -------
        pandas.DataFrame
        """
        pandas = import_optional("pandas", extra="plot", purpose="to_frame()")
        return pandas.DataFrame(self._columns())

    def to_dict(self) -> dict[str, Any]:
        """All of it in dicts, lists, numbers and strings, as ``json.dumps`` takes them.

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
            frequent = sorted(self.per_class, key=lambda each: -each.support)[:_SHOWN]
            caption = f"{len(frequent)} of {len(self.per_class)} classes"
            tables += [_table(caption, head, frequent), self._html_mistakes()]
        return "".join(tables)

    def _summary_rows(self) -> list[tuple]:
        rows: list[tuple] = list(self.scores.items())
        if self.majority is not None:
            rows.append((f"accuracy of always {self.majority[0]!r}", self.majority[1]))
        for name, part in (("seen", self.seen), ("unseen", self.unseen)):
            if part is not None:
                about = f"{part.n_words:,} words of {part.n_types:,} {name} types"
                rows.append((about, part.score))
        return rows

    def _html_mistakes(self) -> str:
        matrix, labels = self.confusion_matrix, [each.label for each in self.per_class]
        assert matrix is not None
        if len(labels) <= _SHOWN:
            rows = [(label, *row) for label, row in zip(labels, matrix, strict=True)]
            return _table("Label (row) and prediction (column)", ["", *labels], rows)
        head = ["label", "prediction", "words"]
        return _table("Most frequent mistakes", head, self.mistakes(_SHOWN))


def probe_report(
    estimator,
    X,
    y,
    *,
    words: Sequence[Hashable] | None = None,
    sentence_ids=None,
    train_words: Iterable[Hashable] | None = None,
    metric: str | None = None,
    n_bootstraps: int = 1000,
    confidence: float = 0.95,
    random_state=None,
) -> ProbeReport:
    """Report what a fitted probe gets right on words that it was not trained on.

    Parameters
    ----------
    estimator : estimator
        A fitted classifier or regressor, a Pipeline or a search too. It is not changed.
    X : array-like of shape (n_words, n_neurons)
        Activations.
    y : array-like of shape (n_words,)
        Labels, all of which the classifier knows, or numbers.
    words : sequence of n_words words, default=None
        To stand beside the predictions.
    sentence_ids : array-like of shape (n_words,), default=None
        The sentence of each word. Words of a sentence are not independent, so intervals come
        from drawing whole sentences; without, each word is drawn by itself, which makes the
        intervals too narrow for running text.
    train_words : iterable of words, default=None
        The training words. Words of a type among them and the others are scored apart; types are
        told apart as they are written, case matters. It needs `words`.
    metric : str, default=None
        For a classifier "accuracy" (the default), "matthews_corrcoef", "f1_macro",
        "f1_weighted", or, if its two classes include the label 1, "f1" or "accuracy_and_f1".
        For a regressor "r2" (the default), "pearson" or "spearman".
    n_bootstraps : int, default=1000
        Number of resamples.
    confidence : float in (0, 1), default=0.95
        Share of the resamples inside the intervals, which are percentile intervals.
    random_state : int, RandomState instance or None, default=None
        Draws the sentences.

    Returns
    -------
    ProbeReport

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If it is neither a classifier nor a regressor, or y are labels where it gives numbers.
    ValueError
        If lengths differ, there are no words, y has labels that the classifier does not know, the
        metric does not fit, or `train_words` come without `words`.

    Notes
    -----
    The F1 of a class has an interval, which tells of both kinds of mistake; its resamples are
    those that have a word of the class. A class in fewer than five sentences has none: its few
    resamples would look surer than any. Percentile intervals are rough where there are few
    sentences: with ten, 95 % means less.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from sklearn_neurox import probe_report
    >>> X, y = load_digits(return_X_y=True)
    >>> probe = RidgeClassifier().fit(X[:1200], y[:1200])
    >>> report = probe_report(probe, X[1200:], y[1200:], random_state=0)
    >>> report
    ProbeReport(597 words, accuracy 0.874 [0.84..., 0.89...])
    >>> report.per_class[8].support, round(report.per_class[8].recall, 2)
    (55, 0.71)
    """
    metric = _check_estimator(estimator, metric)
    check_scalar(n_bootstraps, "n_bootstraps", Integral, min_val=1)
    check_scalar(confidence, "confidence", Real, min_val=0, max_val=1, include_boundaries="neither")
    words = None if words is None else check_words(words, name="words")
    if train_words is not None and words is None:
        raise ValueError("train_words tell seen words from others, so they need words too.")
    types = None if train_words is None else set(check_words(train_words, name="train_words"))
    if sentence_ids is not None:
        sentence_ids = check_labels(sentence_ids, name="sentence_ids")
    check = check_labels if is_classifier(estimator) else check_numbers
    labels = check(y, name="y")
    refuse_tokens(X)
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
        labels=labels.copy(),  # what y becomes later does not change a report
        words=words,
        sentence_ids=sentence_ids,
        **found,
        **_part_scores(words, types, parts),
    )


def _split(words, types):
    """Rows of the words that are seen, and of those that are not."""
    if types is None:
        return ()
    seen = np.array([word in types for word in words], dtype=bool)
    return np.flatnonzero(seen), np.flatnonzero(~seen)


def _part_scores(words, types, scores):
    if types is None:
        return {}
    parts = [[word for word in words if (word in types) is seen] for seen in (True, False)]
    return {
        name: PartScore(len(part), len(set(part)), score)
        for name, part, score in zip(("seen", "unseen"), parts, scores, strict=True)
    }


def _check_estimator(estimator, metric):
    """Check that it is fitted and the metric fits it; the name of the metric."""
    name = type(estimator).__name__
    if getattr(estimator, "refit", True) is False:
        raise ValueError(f"This {name} has refit=False: it keeps no estimator to report on.")
    if not hasattr(estimator, "predict") or not (
        is_classifier(estimator) or is_regressor(estimator)
    ):
        raise TypeError(f"estimator must be a classifier or a regressor, got {name}.")
    try:
        check_is_fitted(estimator)
    except NotFittedError as error:
        raise NotFittedError(
            f"This {name} is not fitted. probe_report scores a probe on words that it was not "
            "trained on: call fit with the training words first."
        ) from error
    known = CLASSIFIER_METRICS if is_classifier(estimator) else REGRESSOR_METRICS
    metric = known[0] if metric is None else metric
    kind = "classifier" if is_classifier(estimator) else "regressor"
    if metric not in known:
        raise ValueError(f"metric of a {kind} must be one of {', '.join(known)}; got {metric!r}.")
    classes = np.asarray(estimator.classes_).tolist() if kind == "classifier" else []
    if metric in BINARY_METRICS and (len(classes) != 2 or 1 not in classes):
        raise ValueError(
            f"{metric!r} needs two classes, the positive one being 1, but {name} has the classes "
            f"{classes[:_SHOWN]}. For others there are 'f1_macro' and 'f1_weighted'."
        )
    return metric


def _plain(value):
    """As JSON knows it."""
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
