"""scikit-learn callbacks (progress bars, monitors) around a fit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sklearn.callback import CallbackContext


@contextmanager
def fit_task(
    estimator, X, y=None, *, max_subtasks: int = 0, predicts: bool = True
) -> Iterator[CallbackContext]:
    """Tell the callbacks of an estimator that its fit begins, and at the end that it is done.

    They may ask one that `predicts` for predictions then.
    """
    context = estimator._init_callback_context(max_subtasks=max_subtasks)
    context.call_on_fit_task_begin(estimator=estimator, X=X, y=y)
    yield context
    context.call_on_fit_task_end(
        estimator=estimator, X=X, y=y, reconstruction_attributes={} if predicts else None
    )


def fit_inside(context: CallbackContext, name: str, owner, estimator, X, y, **params):
    """Fit an estimator as a part of the fit of its owner, whose callbacks hear of it."""
    task = context.subcontext(name)
    with task.propagate_callback_context(estimator):
        task.call_on_fit_task_begin(estimator=owner, X=X, y=y)
        estimator.fit(X, y, **params)
        task.call_on_fit_task_end(estimator=owner, X=X, y=y)
    return estimator
