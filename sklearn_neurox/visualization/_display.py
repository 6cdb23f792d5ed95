"""Base classes of the displays."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from .._optional import import_optional
from ._style import ARTISTS, Style, check_style
from ._values import check_fields

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

Result = TypeVar("Result")


class Display(ABC):
    """Base class of plots with matplotlib, which follow the conventions of scikit-learn's displays.

    A display stores what it shows in ``__init__`` and draws it in ``plot``. Parameters of ``plot``
    that end in ``_kw`` are keyword arguments for matplotlib and override the default style.
    """

    ax_: Axes
    figure_: Figure | SubFigure
    _artists: ClassVar[Mapping[str, str]] = ARTISTS  # what each parameter in ``_kw`` styles

    @abstractmethod
    def plot(self, *, ax: Axes | None = None) -> Self:
        """Plot on `ax`, or on a new figure."""

    def _use_axes(self, ax: Axes | None, **style: Style | None) -> Axes:
        """Check the style of the user, and return and store the axes to plot on."""
        self._check_style(style)
        if ax is None:
            pyplot = import_optional("matplotlib.pyplot", extra="plot", purpose="Plotting")
            _, ax = pyplot.subplots(figsize=self._figsize(), layout="constrained")
        axes = import_optional("matplotlib.axes", extra="plot", purpose="Plotting")
        if not isinstance(ax, axes.Axes):
            raise TypeError(f"ax must be the Axes of a matplotlib figure, got {type(ax).__name__}.")
        self.ax_, self.figure_ = ax, ax.figure
        return ax

    def _figsize(self) -> tuple[float, float]:
        """Return the width and height of a new figure, in inches."""
        return 6.4, 4

    @classmethod
    def _check_style(cls, style: Mapping[str, Any]) -> None:
        """Check the parameters of ``plot`` that are passed on to matplotlib."""
        for name, each in style.items():
            check_style(each, name, cls._artists[name])


class BareResultDisplay(Display, Generic[Result]):
    """Base class of the displays of a result."""

    _kind: ClassVar[type]
    _finite: ClassVar[tuple[str, ...]] = ()  # fields of the result that must be finite
    _by_fold: ClassVar[tuple[str, ...]] = ()  # those with one column for each fold

    def __init__(self, result: Result) -> None:
        _check_result(result, self._kind)
        check_fields(result, self._finite)
        check_fields(result, self._by_fold, by_fold=True)
        self.result = result

    @classmethod
    def from_result(cls, result: Any, *, ax: Axes | None = None, **kwargs: Any) -> Self:
        """Plot a result.

        Parameters
        ----------
        result : result
            Result to plot, as in the parameters of the class.
        ax : matplotlib Axes, default=None
            Axes object to plot on. If None, a new figure and axes are created.
        **kwargs : dict
            Other parameters of the class, and of :meth:`plot`.

        Returns
        -------
        display
            Object that stores the result and the axes.
        """
        style = cls._pop_style(kwargs)
        return cls(result, **kwargs).plot(ax=ax, **style)

    @classmethod
    def _pop_style(cls, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Remove the parameters of ``plot`` from keyword arguments, check and return them."""
        known = inspect.signature(cls.plot).parameters
        style = {name: kwargs.pop(name) for name in list(kwargs) if name in known}
        cls._check_style(style)
        return style


class ResultDisplay(BareResultDisplay[Result]):
    """Base class of the displays of a result that is computed for an estimator."""

    _compute: ClassVar[Callable[..., Any]]

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: ArrayLike,
        y: ArrayLike,
        *,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Compute the result for an estimator and plot it.

        Parameters
        ----------
        estimator : estimator
        X : array-like of shape (n_samples, n_neurons)
            Activations.
        y : array-like of shape (n_samples,)
            Labels.
        ax : matplotlib Axes, default=None
            Axes object to plot on. If None, a new figure and axes are created.
        **kwargs : dict
            Parameters of the function that computes the result, and of :meth:`plot`.

        Returns
        -------
        display
            Object that stores the result and the axes.
        """
        style = cls._pop_style(kwargs)
        return cls(cls._compute(estimator, X, y, **kwargs)).plot(ax=ax, **style)


class NamedResultsDisplay(ResultDisplay[Result | Mapping[str, Result]]):
    """Base class of the displays of one result, or of several results by name."""

    def __init__(self, result: Result | Mapping[str, Result]) -> None:
        self.result = result
        self._results: dict[str, Result] = results_by_name(result, self._kind)
        for name, each in self._results.items():
            check_fields(each, self._finite, name=name)
            check_fields(each, self._by_fold, name=name, by_fold=True)


def _check_result(result: Any, kind: type, *, name: str = "", expected: str = "") -> None:
    if not isinstance(result, kind):
        place = f" for {name!r}" if name else ""
        article = "an" if kind.__name__[0] in "AEIOU" else "a"
        raise TypeError(
            f"Expected {article} {kind.__name__}{expected}, got {type(result).__name__}{place}."
        )


def results_by_name(results: Any, kind: type) -> dict[str, Any]:
    """Return one or several named results as a dict. The name of a single result is empty.

    Raises
    ------
    TypeError, ValueError
        If a result is not of a kind, there are no results, or names do not differ as text.
    """
    several = isinstance(results, Mapping)
    named = {str(name): result for name, result in results.items()} if several else {"": results}
    if not named:
        raise ValueError(f"Expected at least one {kind.__name__}, got an empty dict.")
    if several and len(named) < len(results):
        raise ValueError(f"Names of results must differ as text, got {list(results)}.")
    for name, result in named.items():
        _check_result(result, kind, name=name, expected=" or a dict of them by name")
    return named
