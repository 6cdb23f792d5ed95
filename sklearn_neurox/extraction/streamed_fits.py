"""Result of estimators that were fitted while a model ran."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._html import element, escape, table
from .._optional import import_optional
from .._wording import count


@dataclass(frozen=True, eq=False, repr=False)
class StreamedFits:
    """Estimators that were fitted while a model ran, as returned by :func:`fit_stream`.

    Parameters
    ----------
    layers : dict of str to int
        The layer of each estimator.
    estimators : dict of str to estimator
        Estimators that were fitted on all rows. Those that add sums keep them, so ``partial_fit``
        continues with other texts.
    fold_estimators : dict of str to tuple of n_folds estimators
        Estimators that were fitted on the rows of all folds but one. Empty without `cv`.
    folds : ndarray of int of shape (n_texts,) or None
        The fold in which each text is held out.
    scores : dict of str to ndarray of shape (n_folds,)
        Accuracy or R² of ``fold_estimators`` on the texts that are held out. Empty unless
        ``score=True``.
    n_samples : int
        Number of rows that the estimators were fitted on.
    """

    layers: dict[str, int]
    estimators: dict[str, Any]
    fold_estimators: dict[str, tuple[Any, ...]]
    folds: NDArray[np.intp] | None
    scores: dict[str, NDArray[np.float64]]
    n_samples: int

    @property
    def n_folds(self) -> int:
        """Number of folds, 0 without `cv`."""
        return 0 if self.folds is None else int(self.folds.max()) + 1

    def __repr__(self) -> str:
        scored = ", ".join(f"{name}: {each.mean():.3f}" for name, each in self.scores.items())
        return (
            f"StreamedFits({count(len(self.estimators), 'estimator')}, {self.n_samples} samples, "
            f"{count(self.n_folds, 'fold')}{', ' if scored else ''}{scored})"
        )

    def to_frame(self) -> Any:
        """Return one row per estimator.

        Returns
        -------
        pandas.DataFrame
            The columns are "layer", "estimator", "n_samples" and "n_folds" and, if there are
            scores, their mean "score" and their standard deviation "score_std" over the folds.
        """
        pandas = import_optional("pandas", extra="plot", purpose="to_frame()")
        names = list(self.estimators)
        columns: dict[str, Any] = {
            "layer": [self.layers[name] for name in names],
            "estimator": [type(self.estimators[name]).__name__ for name in names],
            "n_samples": self.n_samples,
            "n_folds": self.n_folds,
        }
        if self.scores:
            columns["score"] = [self.scores[name].mean() for name in names]
            columns["score_std"] = [self.scores[name].std() for name in names]
        return pandas.DataFrame(columns, index=pandas.Index(names, name="name"))

    def _repr_html_(self) -> str:
        titles = ["name", "layer", "estimator", *(["score"] if self.scores else [])]
        rows = []
        for name, estimator in self.estimators.items():
            cells = [name, self.layers[name], type(estimator).__name__]
            cells += [f"{self.scores[name].mean():.3f}"] if self.scores else []
            rows.append([element("td", escape(str(cell))) for cell in cells])
        heads = [element("th", escape(title), scope="col") for title in titles]
        return table(heads, [rows], caption=repr(self))
