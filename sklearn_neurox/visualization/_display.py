"""What all displays do, in the manner of scikit-learn's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self

from .._optional import import_optional


class Display(ABC):
    """A picture with matplotlib."""

    ax_: Any
    figure_: Any

    def plot(self, *, ax=None) -> Self:
        """Plot.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to plot; None makes a figure.

        Returns
        -------
        self : display
            With ``ax_`` and ``figure_``.
        """
        if ax is None:
            pyplot = import_optional("matplotlib.pyplot", extra="plot", purpose="Plotting")
            _, ax = pyplot.subplots(figsize=self._figsize(), layout="constrained")
        self._draw(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _figsize(self) -> tuple[float, float]:
        """Inches of a figure of its own."""
        return 6.4, 4

    @abstractmethod
    def _draw(self, ax) -> None:
        """Draw into axes."""
