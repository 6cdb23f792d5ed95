"""Pictures of what a probe gets right, of selectivity, and of description length."""

from __future__ import annotations

from itertools import cycle
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from ..evaluation import (
    Codelength,
    ProbeReport,
    Selectivity,
    SelectivityCurve,
    codelength,
    probe_report,
    selectivity_curve,
    selectivity_score,
)
from ._axes import plain, plot_folds, plot_matrix, set_xticks, spread_of, style
from .displays import NamedResultsDisplay, ResultDisplay

_SCORES = ("f1", "recall", "precision")
_BESIDE = 3  # reports whose points fit beside each other; more are a matrix


class ProbeReportDisplay(NamedResultsDisplay):
    """Scores of each class, the most frequent first: of one probe, or of several side by side.

    Up to three reports are points, with the intervals of the F1; more are a matrix.

    Parameters
    ----------
    result : ProbeReport, or dict of str to ProbeReport
        Of classifiers, from :func:`probe_report`; several by the names of the experiments, such
        as layers.
    score : {"f1", "recall", "precision"}, default="f1"
        Which score. The recall is the accuracy on the words of the class.

    Raises
    ------
    TypeError
        If a result is something else.
    ValueError
        If `score` is unknown, a report has no classes, or reports have different classes.

    Attributes
    ----------
    ax_ : matplotlib Axes
        After ``plot``.
    figure_ : matplotlib Figure
        After ``plot``.

    See Also
    --------
    sklearn.metrics.ConfusionMatrixDisplay : Plots the ``confusion_matrix`` of a report.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from sklearn_neurox import ProbeReportDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> probe = RidgeClassifier().fit(X[:1200], y[:1200])
    >>> display = ProbeReportDisplay.from_estimator(probe, X[1200:], y[1200:])
    >>> display.ax_.get_yticklabels()[0].get_text()
    '3 (62)'
    """

    _compute = staticmethod(probe_report)
    _kind = ProbeReport

    def __init__(self, result, *, score: str = "f1"):
        super().__init__(result)
        self.score = score
        if score not in _SCORES:
            raise ValueError(f"score must be one of {_SCORES}, got {score!r}.")
        self._labels, self._support = _classes_of(list(self._results.values()))

    def _figsize(self) -> tuple[float, float]:
        return 6.4, 1.4 + 0.28 * len(self._labels)

    def _draw(self, ax) -> None:
        order = np.argsort(-self._support, kind="stable")
        names, reports = list(self._results), self._results.values()
        # (n_reports, n_classes, 3): value, low, high
        values = np.array([_class_values(report, self.score) for report in reports])[:, order]
        rows = [self._row(place) for place in order]
        if len(names) <= _BESIDE:
            self._draw_points(ax, names, values)
            ax.set_yticks(range(len(rows)), map(plain, rows))
        else:
            plot_matrix(ax, values[..., 0].T, rows, names, self.score.capitalize())
        ax.set_ylabel("Class (words)" if self._same_words() else "Class")
        ax.set_title("Which classes does it get right?")

    def _same_words(self) -> bool:
        """Whether the reports are of as many words of each class."""
        supports = {tuple(c.support for c in each.per_class) for each in self._results.values()}
        return len(supports) == 1

    def _row(self, place: int) -> str:
        n_words = self._support[place] // len(self._results)
        label = str(self._labels[place])
        return f"{label} ({n_words:,})" if self._same_words() else label

    def _draw_points(self, ax, names, values) -> None:
        for place, (name, (value, low, high)) in enumerate(
            zip(names, np.moveaxis(values, 2, 1), strict=True)
        ):
            shift = 0.22 * (place - (len(names) - 1) / 2)
            bars = np.maximum(0, np.array([value - low, high - value]))
            ax.errorbar(
                value,
                np.arange(len(value)) + shift,
                xerr=None if np.isnan(bars).all() else bars,
                label=plain(name),
                capsize=2,
                **{**style(place), "linestyle": "none"},
            )
        ax.set_xlabel(f"{self.score.capitalize()}{_intervals(self._results.values(), values)}")
        ax.set_ylim(values.shape[1] - 0.5, -0.5)
        ax.grid(axis="x", alpha=0.3)
        if len(names) > 1:
            ax.legend()


def _intervals(reports, values) -> str:
    """Tell what the bars are, for a label; nothing where there are none."""
    if np.isnan(values[..., 1:]).all():
        return ""
    shares = sorted({f"{report.confidence:.0%}" for report in reports})
    return f" ({' and '.join(shares)} intervals)"


def _classes_of(reports) -> tuple[list, NDArray[np.intp]]:
    """Labels that all reports share, and the number of words of each in all reports."""
    first, *others = reports
    labels = [each.label for each in first.per_class]
    if not labels:
        raise ValueError("A report of a regressor has no classes to plot.")
    for report in others:
        if [each.label for each in report.per_class] != labels:
            raise ValueError(
                f"The reports are of different classes: {labels} and "
                f"{[each.label for each in report.per_class]}."
            )
    return labels, np.sum([[c.support for c in report.per_class] for report in reports], axis=0)


def _class_values(report, name) -> list[tuple[float, float, float]]:
    """Value, low and high of a score for each class; NaN where there is none."""
    values = []
    for each in report.per_class:
        score = getattr(each, name)
        if score is None:
            score = np.nan
        values.append((score, np.nan, np.nan) if isinstance(score, Real) else score)
    return np.array(values, dtype=float).tolist()


class SelectivityDisplay(NamedResultsDisplay):
    """Score on the task and on the control task, of one experiment or of several.

    Means over the folds, with the selectivity between them.

    Parameters
    ----------
    result : Selectivity, or dict of str to Selectivity
        From :func:`selectivity_score`; several by the names of the experiments.

    Attributes
    ----------
    ax_ : matplotlib Axes
        After ``plot``.
    figure_ : matplotlib Figure
        After ``plot``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurox import Selectivity, SelectivityDisplay
    >>> table = Selectivity(np.array([0.8]), np.array([0.8]), np.array([0.2]), "accuracy")
    >>> probe = Selectivity(np.array([0.9]), np.array([0.5]), np.array([0.2]), "accuracy")
    >>> display = SelectivityDisplay.from_result({"words alone": table, "probe": probe})
    >>> [text.get_text() for text in display.ax_.texts]
    ['+0.00', '+0.40']
    """

    _compute = staticmethod(selectivity_score)
    _kind = Selectivity

    def __init__(self, result):
        super().__init__(result)
        metrics = sorted({each.metric for each in self._results.values()})
        if len(metrics) > 1:
            raise ValueError(f"The results have different scores: {', '.join(metrics)}.")

    def _figsize(self) -> tuple[float, float]:
        return 6.4, 1.9 + 0.4 * len(self._results)

    def _draw(self, ax) -> None:
        results = self._results
        rows = np.arange(len(results))
        task, control = (
            np.array([getattr(each, name).mean() for each in results.values()])
            for name in ("task", "control")
        )
        ax.hlines(rows, control, task, color="0.6", linewidth=3, zorder=1)
        for place, (label, values) in enumerate({"Task": task, "Control task": control}.items()):
            options = {**style(place), "linestyle": "none", "markersize": 8}
            ax.plot(values, rows, label=label, **options)
        for row, (one, other) in enumerate(zip(task, control, strict=True)):
            selectivity = f"{round(one - other, 2) + 0.0:+.2f}"  # no negative zero
            ax.annotate(
                selectivity.replace("-", "\N{MINUS SIGN}"), ((one + other) / 2, row), (0, 7),
                textcoords="offset points", ha="center", fontsize=9,
            )  # fmt: skip
        metric = next(iter(results.values())).metric
        ax.set(
            xlabel=f"{metric.capitalize()} (mean of the folds)",
            title="More than memory? The selectivity of each",
            ylim=(len(results) + 0.2, -0.6),  # room for the legend
        )
        ax.set_yticks(rows, [plain(name) for name in results])
        ax.legend(loc="lower center", ncols=2, fontsize="small")


class SelectivityCurveDisplay(ResultDisplay):
    """Scores on the task and the control task along a parameter, and their difference.

    Means over the folds; bars span one standard deviation to each side. The values of the
    parameter stand at equal distances.

    Parameters
    ----------
    result : SelectivityCurve
        From :func:`selectivity_curve`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        After ``plot``.
    figure_ : matplotlib Figure
        After ``plot``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sklearn_neurox import SelectivityCurveDisplay
    >>> ids = np.random.RandomState(0).randint(40, size=600)  # words, for short
    >>> display = SelectivityCurveDisplay.from_estimator(
    ...     DecisionTreeClassifier(random_state=0), ids[:, None] / 40, ids >= 20, words=ids,
    ...     param_name="max_depth", param_range=[1, 5, 20], random_state=0)
    >>> display.ax_.get_xlabel()
    'max_depth'
    """

    _compute = staticmethod(selectivity_curve)
    _kind = SelectivityCurve

    def _draw(self, ax) -> None:
        result = self.result
        curves = {
            "Task": result.task,
            "Control task": result.control,
            "Selectivity": result.selectivity,
        }
        places = np.arange(len(result.param_range))
        for place, (label, scores) in enumerate(curves.items()):
            plot_folds(ax, places, scores, label, place)
        set_xticks(ax, [_short(value) for value in result.param_range])
        ax.set(
            xlabel=result.param_name.rpartition("__")[2],  # without the step of a Pipeline
            ylabel=f"{result.metric.capitalize()} ({spread_of(result.task.shape[1])})",
            title="Which probe keeps the task and forgets the words?",
        )
        ax.legend()


def _short(value) -> str:
    return f"{value:g}" if isinstance(value, Real) and not isinstance(value, bool) else str(value)


class CodelengthDisplay(NamedResultsDisplay):
    """Bits a label of each block over the words that have been sent: of one code, or of several.

    Parameters
    ----------
    result : Codelength, or dict of str to Codelength
        From :func:`codelength`; several by the names of the experiments.

    Attributes
    ----------
    ax_ : matplotlib Axes
        After ``plot``.
    figure_ : matplotlib Figure
        After ``plot``.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn_neurox import CodelengthDisplay
    >>> display = CodelengthDisplay.from_estimator(
    ...     GaussianNB(var_smoothing=0.1), *load_digits(return_X_y=True), random_state=0)
    >>> display.ax_.get_ylabel()
    'Bits a label, of each block'
    """

    _compute = staticmethod(codelength)
    _kind = Codelength

    def _draw(self, ax) -> None:
        results = self._results
        for place, (name, result) in enumerate(results.items()):
            sent = result.sizes > 0
            ax.plot(
                result.sizes.cumsum()[sent],
                result.block_bits[sent] / result.sizes[sent],
                label=f"{plain(name)}{': ' if name else ''}compression {result.compression:.1f}",
                **style(place),
            )
        uniform = sorted({result.n_classes for result in results.values()})
        for n_classes, line in zip(uniform, cycle((":", "--", "-."))):
            label = f"Uniform code, {n_classes} labels"
            ax.axhline(np.log2(n_classes), color="0.4", linestyle=line, label=label)
        ax.set(
            xscale="log",
            xlabel="Words sent",
            ylabel="Bits a label, of each block",
            title="How soon is it learnt?",
        )
        ax.set_ylim(bottom=0)
        ax.legend()
