"""Display of receiver operating characteristics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score, roc_curve

from ..evaluation import ProbeReport, probe_report
from ._axes import series_style
from ._display import NamedResultsDisplay
from ._drawn_text import literal
from ._style import Style, override

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MAX_CLASSES = 5  # curves of a report without a positive class


class _Curve(NamedTuple):
    name: str
    positive: NDArray[np.bool_]
    decisions: NDArray[np.float64]
    auc: str


class RocDisplay(NamedResultsDisplay[ProbeReport]):
    """Plot of the recall against the false positive rate, for one or several probes.

    The curves are those of scikit-learn's ``roc_curve``. The legend shows the areas under them,
    with intervals over sentences if "roc_auc" is one of the scores. A single report of more than
    two classes without a positive class is drawn as one curve for each of the five most frequent
    classes. If "recall_at_fpr" is one of the scores, a vertical line shows the false positive rate.

    Parameters
    ----------
    result : ProbeReport, or dict of str to ProbeReport
        Report of a classifier from :func:`probe_report` with a metric that compares the ranks of
        samples, such as "roc_auc", or a dict of reports by name of the experiment.

    Raises
    ------
    TypeError
        If a result is not a ProbeReport.
    ValueError
        If there are no reports, a report does not contain decision values, the samples of a curve
        are of a single class, or one of several reports has more than two classes and no positive
        one.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Set by ``plot``.
    figure_ : matplotlib Figure
        Set by ``plot``.

    See Also
    --------
    sklearn.metrics.RocCurveDisplay : Plots a curve without intervals.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from sklearn_neurox import RocDisplay
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> probe = RidgeClassifier().fit(X[:300], y[:300])
    >>> display = RocDisplay.from_estimator(probe, X[300:], y[300:], random_state=0)
    >>> display.ax_.get_legend().get_texts()[0].get_text()
    'AUC 0.99... [0.99..., 1.000]'
    """

    _compute = staticmethod(partial(probe_report, metric="roc_auc"))
    _kind = ProbeReport

    def __init__(self, result: ProbeReport | Mapping[str, ProbeReport]) -> None:
        super().__init__(result)
        self._curves = [
            curve
            for name, report in self._results.items()
            for curve in _curves_of(name, report, len(self._results))
        ]

    def _figsize(self) -> tuple[float, float]:
        return 5.6, 4.8

    def plot(
        self,
        *,
        ax: Axes | None = None,
        line_kw: Style | None = None,
        level_kw: Style | None = None,
        cut_kw: Style | None = None,
    ) -> Self:
        """Plot the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes object to plot on. If None, a new figure and axes are created.
        line_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.plot` for the curves.
        level_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.plot` for the diagonal, which is the
            curve of decision values that do not depend on the label.
        cut_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.axvline` for the false positive rate of
            "recall_at_fpr".

        Returns
        -------
        self : RocDisplay
            Object that stores the plotted values and the axes.
        """
        ax = self._use_axes(ax, line_kw=line_kw, level_kw=level_kw, cut_kw=cut_kw)
        diagonal = {"color": "0.6", "linestyle": ":", "linewidth": 1, "label": "_diagonal"}
        ax.plot([0, 1], [0, 1], **override(diagonal, level_kw, "lines.Line2D"))
        rates = {each.fpr for each in self._results.values() if "recall_at_fpr" in each.scores}
        for rate in sorted(rates):
            cut = {"color": "0.4", "linestyle": "--", "linewidth": 1, "label": "_fpr"}
            ax.axvline(rate, **override(cut, cut_kw, "lines.Line2D"))
        for index, curve in enumerate(self._curves):
            rate, recall, _ = roc_curve(curve.positive, curve.decisions)
            label = f"{literal(curve.name)}: {curve.auc}" if curve.name else curve.auc
            style = {**series_style(index), "marker": "", "label": label}
            ax.plot(rate, recall, **override(style, line_kw, "lines.Line2D"))
        ax.set(
            xlabel="False positive rate",
            ylabel="Recall (true positive rate)",
            title="How well do the decision values rank the samples?",
            xlim=(-0.02, 1.02),
            ylim=(-0.02, 1.02),
        )
        ax.legend(loc="lower right", fontsize="small")
        return self


def _curves_of(name: str, report: ProbeReport, n_reports: int) -> Iterator[_Curve]:
    if report.decisions is None:
        which = f" of {name!r}" if name else ""
        raise ValueError(
            f"The report{which} does not contain decision values. Call probe_report with "
            "metric='roc_auc', alone or as one of several metrics."
        )
    decisions, classes = report.decisions, report.classes
    if decisions.ndim == 1:
        second = report.pos_label is None or report.pos_label == classes[1]
        positive = report.labels == classes[1 if second else 0]
        yield _make_curve(name, report, positive, decisions if second else -decisions)
    elif report.pos_label is not None:
        place = classes.index(report.pos_label)
        yield _make_curve(name, report, report.labels == report.pos_label, decisions[:, place])
    elif n_reports > 1:
        raise ValueError(
            f"The report of {name!r} has {len(classes)} classes. Pass pos_label to probe_report, "
            "or draw a single report."
        )
    else:
        support = np.array([each.support for each in report.per_class])
        for i in np.argsort(-support, kind="stable")[:_MAX_CLASSES].tolist():
            if support[i]:
                yield _make_curve(
                    str(classes[i]), None, report.labels == classes[i], decisions[:, i]
                )


def _make_curve(
    name: str, report: ProbeReport | None, positive: NDArray[Any], decisions: NDArray
) -> _Curve:
    if positive.all() or not positive.any():
        raise ValueError("A curve requires samples of two classes, but they are all of one kind.")
    # Probabilities of classes that are missing in training are -inf, which roc_curve refuses.
    decisions = np.nan_to_num(decisions, neginf=np.finfo(np.float64).min)
    score = None if report is None else report.scores.get("roc_auc")
    auc = f"{roc_auc_score(positive, decisions):.3f}" if score is None else str(score)
    return _Curve(name, positive, decisions, f"AUC {auc}")
