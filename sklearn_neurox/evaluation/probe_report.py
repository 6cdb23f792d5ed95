"""Scores of a fitted probe on test samples, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from .._bootstrap import Resampling, Score, as_seed
from .._conversion import as_numpy
from .._labels import check_labels, check_numbers, check_target
from .._results import classes_of
from .._validation import check_not_estimator, check_not_tokens, check_words, validate_params
from ._probe_scores import (
    BINARY_METRICS,
    CLASSIFIER_METRICS,
    REGRESSOR_METRICS,
    Settings,
    score_labels,
    score_numbers,
)
from ._provenance import provenance_of
from ._ranked_metrics import DEFAULT_FPR
from .decision_metrics import check_fpr
from .probe_report_result import PartScore, ProbeReport

_N_SHOWN = 20  # classes in a message


@validate_params(
    {
        "metric": [str, list, tuple, None],
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
    metric: str | Sequence[str] | None = None,
    pos_label: Any = None,
    fpr: float = DEFAULT_FPR,
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
        Labels, or numbers. Labels that are not classes of the classifier are scored as errors.
    words : sequence of n_samples words, default=None
        Word of each sample, which is shown next to its prediction.
    sentence_ids : array-like of shape (n_samples,), default=None
        Sentence of each sample. Words of a sentence are not independent, so the bootstrap draws
        whole sentences. If None, it draws single samples, which makes the intervals too narrow for
        running text.
    train_words : iterable of words, default=None
        The training words. Words of a type that occurs among them are scored separately from all
        others. Types are distinguished by their spelling, including case. Requires `words`.
    metric : str, or sequence of str, default=None
        The metric, or several metrics, of which the first is the main one.

        - For a classifier "accuracy" (the default), "matthews_corrcoef", "f1_macro", "f1_weighted",
          or, if its two classes include the label 1, "f1" or "accuracy_and_f1".
        - Metrics of the positive class: "recall", "precision" and "false_positive_rate" of the
          predicted labels; "roc_auc", "average_precision" and "recall_at_fpr" of the decision
          values or probabilities; "log_loss" and "brier" of the probabilities. Without a positive
          class, "log_loss" and "brier" are those of all classes, and the others are averaged over
          the problems of one class versus all others that are defined.
        - For a regressor "r2" (the default), "pearson", "spearman", "rmse", "mae", "bias", the mean
          error, or "slope", the slope of a regression of the targets on the predictions, which is 1
          if they are calibrated. All of them are computed.
    pos_label : label, default=None
        The positive class. If None, the second of two classes, and no class of more classes.
    fpr : float in [0, 1), default=0.01
        Largest false positive rate of "recall_at_fpr", the recall of the best threshold on these
        samples. See :func:`recall_at_fpr`.
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
        If lengths differ, there are no samples, the metric does not suit the estimator or the
        labels, or `train_words` is passed without `words`.

    Warns
    -----
    UnseenLabelsWarning
        If y contains labels that were not seen during training. Their samples are scored as errors.

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
    metrics = _check_estimator(estimator, metric)
    positive = _check_positive(estimator, pos_label)
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
    seed = as_seed(random_state)
    drawn = check_random_state(seed).randint(2**31 - 1)
    resampling = Resampling(int(n_bootstraps), float(confidence), drawn)
    settings = Settings(metrics, positive, check_fpr(fpr), resampling)
    score = score_labels if is_classifier(estimator) else score_numbers
    rows = _split(words, types)
    parts, found = score(estimator, X, labels, sentence_ids, settings, rows)
    return ProbeReport(
        metric=metrics[0],
        confidence=float(confidence),
        pos_label=pos_label,
        fpr=settings.fpr,
        resampling=resampling,
        random_state=seed,
        provenance=provenance_of(estimator, None),
        labels=labels.copy(),  # copied, so that later changes to y do not change the report
        words=words,
        sentence_ids=sentence_ids,
        **found,
        **_part_scores(words, types, sentence_ids, rows, parts),
    )


def _split(words: list[Any] | None, types: set[Any] | None) -> tuple[NDArray[np.intp], ...]:
    """Return the rows of words of seen types, and of all others."""
    if words is None or types is None:
        return ()
    seen = np.array([word in types for word in words], dtype=bool)
    return np.flatnonzero(seen), np.flatnonzero(~seen)


def _part_scores(
    words: list[Any] | None,
    types: set[Any] | None,
    sentences: NDArray | None,
    rows: tuple[NDArray[np.intp], ...],
    scores: list[Score | None],
) -> dict[str, Any]:
    if words is None or types is None:
        return {}
    found: dict[str, Any] = {}
    sizes = []
    for name, part, score in zip(("seen", "unseen"), rows, scores, strict=True):
        n_types = len({words[row] for row in part.tolist()})
        n_groups = len(part) if sentences is None else len(np.unique(sentences[part]))
        found[name] = PartScore(len(part), n_types, score)
        sizes.append(n_groups)
    return found | {"n_groups_of_parts": tuple(sizes)}


def _check_positive(estimator: Any, pos_label: Any) -> int | None:
    """Return the index of the positive class, or None."""
    if pos_label is None:
        return None
    if not is_classifier(estimator):
        raise ValueError(f"pos_label of a regressor must be None, got {pos_label!r}.")
    return check_target(pos_label, classes_of(estimator), name="pos_label")


def _check_estimator(estimator: Any, metric: str | Sequence[str] | None) -> tuple[str, ...]:
    """Check that an estimator is fitted and suits the metrics, and return the metrics."""
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
    kind = "classifier" if is_classifier(estimator) else "regressor"
    metrics = [known[0] if metric is None else metric] if isinstance(metric, str | None) else metric
    if not metrics:
        raise ValueError("metric is empty: expected at least one metric.")
    classes = classes_of(estimator).tolist() if kind == "classifier" else []
    for each in metrics:
        if each not in known:
            raise ValueError(f"metric of a {kind} must be one of {', '.join(known)}, got {each!r}.")
        if each in BINARY_METRICS and (len(classes) != 2 or 1 not in classes):
            raise ValueError(
                f"{each!r} requires 2 classes, of which the positive one is 1, but {name} has the "
                f"classes {classes[:_N_SHOWN]}. Use 'f1_macro' or 'f1_weighted' for other classes."
            )
    return tuple(dict.fromkeys(metrics))
