"""Predictions of cross-validated probes on the samples that they were not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._optional import import_optional
from .._wording import count
from ._folds import Split
from ._layer_fits import FoldResult
from ._responses import Response


@dataclass(frozen=True, eq=False, repr=False)
class HeldOutPredictions:
    """Predictions on held-out samples, as in ``held_out`` of :class:`LayerwiseScores`.

    A sample that is in the test sets of several folds is listed once for each of them.

    Parameters
    ----------
    y : ndarray of shape (n_held_out,)
        True labels or numbers.
    rows : ndarray of int of shape (n_held_out,)
        Row of X of each held-out sample.
    folds : ndarray of int of shape (n_held_out,)
        Fold whose probes predicted the sample.
    predictions : ndarray of shape (n_layers, n_held_out)
        Predicted labels or numbers. Predictions that do not depend on the layer have one row.
    decisions : ndarray of shape (n_layers, n_held_out[, n_classes]) or None
        Decision values or probabilities of the second of two classes, or of each of more classes,
        if the scores were computed from them.
    groups : ndarray of shape (n_held_out,) or None
        Group of each held-out sample.
    classes : ndarray of shape (n_classes,) or None
        Sorted classes of `decisions`. If None, those of `y`.
    are_probabilities : bool, default=False
        Whether `decisions` are probabilities.
    """

    y: NDArray
    rows: NDArray[np.intp]
    folds: NDArray[np.intp]
    predictions: NDArray
    decisions: NDArray[np.float64] | None = None
    groups: NDArray | None = None
    classes: NDArray | None = None
    are_probabilities: bool = False

    def __repr__(self) -> str:
        n_layers, n_held_out = self.predictions.shape
        groups = "" if self.groups is None else f", {count(self.n_groups, 'group')}"
        return (
            f"HeldOutPredictions({count(n_layers, 'layer')}, "
            f"{count(n_held_out, 'sample')}{groups}, {count(self.n_folds, 'fold')})"
        )

    @property
    def n_folds(self) -> int:
        """Number of folds."""
        return int(self.folds.max()) + 1

    @property
    def n_samples(self) -> int:
        """Number of different samples."""
        return len(np.unique(self.rows))

    @property
    def n_groups(self) -> int:
        """Number of groups, or of samples if there are no groups."""
        return self.n_samples if self.groups is None else len(np.unique(self.groups))

    @property
    def known_classes(self) -> NDArray:
        """Sorted classes of the decision values."""
        return np.unique(self.y) if self.classes is None else self.classes

    def select(self, mask: NDArray[np.bool_]) -> HeldOutPredictions:
        """Return some of the held-out samples, with folds numbered from 0.

        Parameters
        ----------
        mask : ndarray of bool of shape (n_held_out,)
            Which of the held-out samples to keep.

        Returns
        -------
        HeldOutPredictions
        """
        return replace(
            self,
            y=self.y[mask],
            rows=self.rows[mask],
            folds=np.unique(self.folds[mask], return_inverse=True)[1],
            predictions=self.predictions[:, mask],
            decisions=None if self.decisions is None else self.decisions[:, mask],
            groups=None if self.groups is None else self.groups[mask],
            classes=self.classes if self.decisions is None else self.known_classes,
        )

    def to_frame(self) -> Any:
        """Return one row per held-out sample: its row, fold, group, label and predictions.

        Returns
        -------
        pandas.DataFrame
        """
        pandas = import_optional("pandas", extra="plot", purpose="to_frame()")
        columns = {"row": self.rows, "fold": self.folds, "group": self.groups, "label": self.y}
        columns |= {f"prediction {i}": each for i, each in enumerate(self.predictions)}
        return pandas.DataFrame({name: each for name, each in columns.items() if each is not None})


def join_folds(
    results: Sequence[FoldResult],
    splits: Sequence[Split],
    y: NDArray,
    groups: NDArray | None,
    response: Response | None = None,
) -> HeldOutPredictions:
    """Concatenate the predictions of all folds."""
    rows = np.concatenate([test for _, test in splits])
    lengths = [len(test) for _, test in splits]
    return HeldOutPredictions(
        y=y[rows],
        rows=rows,
        folds=np.repeat(np.arange(len(splits)), lengths),
        predictions=np.hstack([np.array(each.predictions) for each in results]),
        decisions=None
        if response is None
        else np.concatenate([np.array(each.decisions) for each in results], axis=1),
        groups=None if groups is None else groups[rows],
        classes=None if response is None else response.classes,
        are_probabilities=response is not None and response.kind == "probabilities",
    )
