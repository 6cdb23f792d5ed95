"""scikit-learn callbacks (progress bars, monitors) around a fit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from numpy.typing import ArrayLike
from sklearn.callback import CallbackContext


@contextmanager
def fit_task(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike | None = None,
    *,
    max_subtasks: int = 0,
    predicts: bool = True,
) -> Iterator[CallbackContext]:
    """Notify the callbacks of an estimator of the beginning and the end of its fit.

    Parameters
    ----------
    estimator : estimator
    X : array-like
    y : array-like, default=None
    max_subtasks : int, default=0
        Maximum number of subtasks of the fit.
    predicts : bool, default=True
        Whether callbacks may call ``predict`` on the fitted estimator.

    Yields
    ------
    CallbackContext
    """
    context = estimator._init_callback_context(max_subtasks=max_subtasks)
    context.call_on_fit_task_begin(estimator=estimator, X=X, y=y)
    yield context
    context.call_on_fit_task_end(
        estimator=estimator, X=X, y=y, reconstruction_attributes={} if predicts else None
    )


def fit_inside(
    context: CallbackContext,
    name: str,
    owner: Any,
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike | None,
    **params: Any,
) -> Any:
    """Fit an estimator as a subtask of the fit of its owner, and return it."""
    task = context.subcontext(name)
    with task.propagate_callback_context(estimator):
        task.call_on_fit_task_begin(estimator=owner, X=X, y=y)
        estimator.fit(X, y, **params)
        task.call_on_fit_task_end(estimator=owner, X=X, y=y)
    return estimator
