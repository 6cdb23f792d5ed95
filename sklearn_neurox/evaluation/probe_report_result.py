"""Report of a fitted probe: its scores with intervals, its predictions and its mistakes."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from .._bootstrap import Resampling, Score
from .._labels import check_target
from .._optional import import_optional
from .._validation import validate_params
from .._wording import count
from ._probe_report_html import report_html
from ._probe_scores import ClassScore
from ._provenance import Provenance, describe_bootstrap, name_versions
from ._ranked_metrics import DEFAULT_FPR
from .calibration import STRATEGIES, CalibrationCurve, find_bins, score_bins
from .comparison import format_score


class PartScore(NamedTuple):
    """Score on a part of the words.

    It is None if it is undefined, for example because the part is empty or, for numbers, contains
    fewer than two words.
    """

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
        Scores with their intervals: the metrics that were passed and the accuracy for a classifier,
        and all metrics of a regressor.
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
        Scores of all classes of the probe, in the order of its ``classes_``, followed by the labels
        in y that were not seen during training.
    confusion_matrix : ndarray of int of shape (n_classes, n_classes) or None
        Number of samples by true class (row) and predicted class (column).
    majority : tuple of (label, float) or None
        The most frequent label in y, and the accuracy of always predicting it. For a regressor, the
        mean of y, and the root mean squared error of always predicting it.
    seen, unseen : PartScore or None
        Scores on words whose type occurs in the training words, and on all others.
    n_groups_of_parts : tuple of two int
        Number of sentences with words of seen types, and of those with words of unseen types.
    decisions : ndarray of shape (n_samples,) or (n_samples, n_classes), or None
        Decision values or probabilities of the second of two classes, or of each of more classes,
        if a metric compares the ranks of samples. The classes are those of `per_class`, and labels
        that were not seen during training have the value -inf.
    class_probabilities : ndarray of shape (n_samples, n_classes) or None
        Probabilities of the classes of the probe, if it has ``predict_proba``.
    pos_label : label, default=None
        The positive class of the metrics that have one.
    fpr : float, default=0.01
        Largest false positive rate of "recall_at_fpr".
    resampling : Resampling or None
        Parameters of the bootstrap.
    random_state : int
        The int that draws the same resamples.
    provenance : Provenance or None
        The estimator and the versions of the packages.
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
    n_groups_of_parts: tuple[int, int] = (0, 0)
    decisions: NDArray[np.float64] | None = None
    class_probabilities: NDArray[np.float64] | None = None
    pos_label: Any = None
    fpr: float = DEFAULT_FPR
    resampling: Resampling | None = None
    random_state: int = 0
    provenance: Provenance | None = None

    @property
    def score(self) -> Score:
        """The score of `metric`, with its interval."""
        return self.scores[self.metric]

    @property
    def classes(self) -> list[Any]:
        """Labels of all classes of the probe, empty for a regressor."""
        return [each.label for each in self.per_class]

    @property
    def n_groups(self) -> int:
        """Number of sentences, or of samples if there are no sentences."""
        ids = self.sentence_ids
        return len(self.labels) if ids is None else len(np.unique(ids))

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

    def largest_errors(self, n_samples: int = 10) -> list[tuple[int, float, float]]:
        """Return the samples whose predictions by a regressor differ most from the targets.

        Parameters
        ----------
        n_samples : int, default=10
            Maximum number of samples.

        Returns
        -------
        list of (row, target, prediction)
            Ordered by decreasing absolute error.

        Raises
        ------
        ValueError
            If the probe is a classifier, for which :meth:`mistakes` lists errors.
        """
        if self.confusion_matrix is not None:
            raise ValueError(
                "largest_errors requires the report of a regressor, but this is the report of a "
                "classifier. Use mistakes()."
            )
        errors = np.abs(self.predictions - self.labels)
        rows = np.argsort(-errors, kind="stable")[:n_samples].tolist()
        return [(row, float(self.labels[row]), float(self.predictions[row])) for row in rows]

    @validate_params(
        {
            "n_bins": [Interval(Integral, 1, None, closed="left")],
            "strategy": [StrOptions(set(STRATEGIES))],
        }
    )
    def calibration_curve(
        self,
        label: Any = None,
        *,
        n_bins: int = 10,
        strategy: Literal["uniform", "quantile"] = "uniform",
    ) -> CalibrationCurve:
        """Return what is observed by what is predicted, with intervals over sentences.

        Parameters
        ----------
        label : label, default=None
            The class whose probability is compared with its frequency. If None, the positive class:
            `pos_label` or the second of two classes. It must be None for a regressor, whose
            predicted numbers are compared with the mean target.
        n_bins : int, default=10
            Number of bins.
        strategy : {"uniform", "quantile"}, default="uniform"
            Bins of equal width, or with equal numbers of samples, as in
            ``sklearn.calibration.calibration_curve``. The bins are the same in all resamples.

        Returns
        -------
        CalibrationCurve

        Raises
        ------
        ValueError
            If the probe does not have ``predict_proba``, the label is not a class, or it is missing
            and there are more than two classes.
        """
        if self.resampling is None or self.provenance is None:
            raise ValueError("Only the reports of probe_report have a calibration curve.")
        label, predicted, observed, limits = self._calibrated(label)
        bins, edges = find_bins(predicted, int(n_bins), strategy, limits)
        return CalibrationCurve(
            score_bins(bins, edges, predicted, observed, self.sentence_ids, self.resampling),
            label=label,
            confidence=self.confidence,
            n_samples=len(self.labels),
            n_groups=self.n_groups,
            is_grouped=self.sentence_ids is not None,
            n_bootstraps=self.resampling.n_bootstraps,
            random_state=self.random_state,
            versions=self.provenance.versions,
        )

    def _calibrated(self, label: Any) -> tuple[Any, NDArray, NDArray, tuple[float, float]]:
        """Return a label, the predictions, the targets, and the limits of the bins."""
        if self.confusion_matrix is None:
            if label is not None:
                raise ValueError(f"label of the report of a regressor must be None, got {label!r}.")
            limits = float(self.predictions.min()), float(self.predictions.max())
            return None, self.predictions, self.labels, limits
        if self.class_probabilities is None:
            raise ValueError(
                "A calibration curve requires a probe with predict_proba. "
                "sklearn.calibration.CalibratedClassifierCV adds it."
            )
        label = self.pos_label if label is None else label
        # Labels that were not seen during training are listed last, and have no probabilities.
        known = self.classes[: self.class_probabilities.shape[1]]
        if label is None and len(known) != 2:
            raise ValueError(f"Pass label, which must be one of the classes {known}.")
        place = 1 if label is None else check_target(label, known, name="label")
        label = known[place]
        of_label = self.class_probabilities[:, place]
        return label, of_label, (self.labels == label).astype(float), (0.0, 1.0)

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

    def summary(self) -> Any:
        """Return one row per score, for a table in a paper.

        Returns
        -------
        pandas.DataFrame
            The columns are "estimate", its interval, "lower" and "upper", and the numbers of
            samples and of groups, "n" and "n_groups". The index contains the metrics. The scores on
            seen and unseen word types have their own rows.
        """
        pandas = import_optional("pandas", extra="plot", purpose="summary()")
        rows: dict[str, tuple[Any, ...]] = {
            name: (*score, len(self.labels), self.n_groups) for name, score in self.scores.items()
        }
        parts = (("seen", self.seen), ("unseen", self.unseen))
        for (name, part), n_groups in zip(parts, self.n_groups_of_parts, strict=True):
            if part is not None and part.score is not None:
                row = (*part.score, part.n_words, n_groups)
                rows[f"{self.metric}, {name} types"] = row
        columns = ["estimate", "lower", "upper", "n", "n_groups"]
        frame = pandas.DataFrame.from_dict(rows, orient="index", columns=columns)
        return frame.astype({"lower": float, "upper": float}).rename_axis("score")

    def methods(self, *, sample: str = "sample", group: str = "group") -> str:
        """Return sentences that describe the scores in a paper, and what reproduces them.

        Parameters
        ----------
        sample, group : str
            What a sample and a group are, such as "word" and "sentence".

        Returns
        -------
        str

        Raises
        ------
        ValueError
            If the report was not computed by :func:`probe_report`.
        """
        if self.resampling is None or self.provenance is None:
            raise ValueError("Only the reports of probe_report have a methods sentence.")
        first, *others = (
            f"{self._name(name)} {format_score(score)}" for name, score in self.scores.items()
        )
        sizes = [count(self.n_groups, group)] * (self.sentence_ids is not None)
        sizes.append(count(len(self.labels), sample))
        unit = sample if self.sentence_ids is None else group
        bootstrap = describe_bootstrap(
            unit, self.resampling.n_bootstraps, self.random_state, intervals="percentile intervals"
        )
        return (
            f"{', '.join([first[0].upper() + first[1:], *others])} ({self.confidence:.0%} "
            f"intervals) on held-out data; {', '.join(sizes)}. {bootstrap} "
            f"{name_versions(self.provenance.versions)}. Estimator: {self.provenance.estimator}."
        )

    def _name(self, metric: str) -> str:
        """Return the name of a metric in a sentence."""
        if metric == "recall_at_fpr":
            return f"recall (false positive rate of at most {self.fpr:g})"
        return {"roc_auc": "AUROC", "r2": "R²"}.get(metric, metric.replace("_", " "))

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
        return report_html(self)


def _plain(value: Any) -> Any:
    """Convert a value to types that JSON supports."""
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return _plain(value.tolist()) if isinstance(value, np.ndarray | np.generic) else value
