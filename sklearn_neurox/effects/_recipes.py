"""How an edit is made from the training rows of a fold, and how its placebos are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from .._grouped_fits import fit_clone
from .._wording import count
from ..extraction.state_edits import check_edit


class Recipe(ABC):
    """How an edit is made from rows of activations and their labels.

    Attributes
    ----------
    is_fixed : bool
        Whether the edit does not depend on rows.
    uses_labels : bool
        Whether the edit depends on labels, so that it can also be made for a control task.
    name : str
    """

    is_fixed = False

    @property
    @abstractmethod
    def name(self) -> str:
        """Name of the edit in results."""

    @property
    def uses_labels(self) -> bool:
        """Whether the edit depends on the labels."""
        return True

    @abstractmethod
    def make(self, X: Any, y: NDArray | None, place: Any, groups: NDArray | None = None) -> Any:
        """Return a fitted edit.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_neurons), or None for a fixed edit
        y : ndarray of shape (n_rows,) or None
        place : object
            Place of the edit, for messages.
        groups : ndarray of shape (n_rows,), default=None
            Groups of the rows, for the searches inside the edit or the ranking.
        """


@dataclass(frozen=True)
class FixedRecipe(Recipe):
    """A fitted edit."""

    edit: Any
    is_fixed = True

    @property
    def uses_labels(self) -> bool:
        """See :class:`Recipe`."""
        return False

    @property
    def name(self) -> str:
        """See :class:`Recipe`."""
        return type(self.edit).__name__

    def make(self, X: Any, y: NDArray | None, place: Any, groups: NDArray | None = None) -> Any:
        """See :class:`Recipe`."""
        return self.edit


@dataclass(frozen=True)
class FittedRecipe(Recipe):
    """An edit that is fitted on the training rows."""

    edit: Any

    @property
    def name(self) -> str:
        """See :class:`Recipe`."""
        return type(self.edit).__name__

    @property
    def uses_labels(self) -> bool:
        """See :class:`Recipe`."""
        return bool(get_tags(self.edit).target_tags.required)

    def make(self, X: Any, y: NDArray | None, place: Any, groups: NDArray | None = None) -> Any:
        """See :class:`Recipe`."""
        return check_edit(fit_clone(self.edit, X, y, groups), place)


@dataclass(frozen=True)
class FunctionRecipe(Recipe):
    """A function of the training rows and their labels that returns a fitted edit."""

    function: Callable[..., Any]

    @property
    def name(self) -> str:
        """See :class:`Recipe`."""
        return getattr(self.function, "__name__", type(self.function).__name__)

    def make(self, X: Any, y: NDArray | None, place: Any, groups: NDArray | None = None) -> Any:
        """See :class:`Recipe`."""
        return check_edit(self.function(X, y), place)


@dataclass(frozen=True)
class RankingRecipe(Recipe):
    """The top neurons of a ranking, which an ablator ablates."""

    ranking: Any
    ablator: Any

    @property
    def name(self) -> str:
        """See :class:`Recipe`."""
        return f"{type(self.ablator).__name__} of {type(self.ranking).__name__}"

    def make(self, X: Any, y: NDArray | None, place: Any, groups: NDArray | None = None) -> Any:
        """See :class:`Recipe`."""
        selector = fit_clone(self.ranking, X, y, groups)
        neurons = np.flatnonzero(selector.get_support())
        if len(neurons) == X.shape[1]:
            raise ValueError(
                f"{type(selector).__name__} keeps all {count(len(neurons), 'neuron')}, so there "
                "are no top neurons. Set the number of neurons that it keeps, such as n_neurons=10."
            )
        return clone(self.ablator).set_params(neurons=neurons).fit(X, y)


def read_recipe(edit: Any, ranking: Any, place: Any) -> Recipe:
    """Return how an edit is made.

    Parameters
    ----------
    edit : transformer or callable
        As in :func:`causal_effect`.
    ranking : selector or None
    place : object
        Place of the edit, for messages.

    Raises
    ------
    TypeError
        If `edit` or `ranking` are of another type.
    """
    if isinstance(edit, type) or not (hasattr(edit, "transform") or callable(edit)):
        raise TypeError(
            "edit must be a transformer, such as LeaceEraser(), or a function of the rows and "
            f"their labels that returns a fitted one, got {edit!r:.60}."
        )
    if ranking is not None:
        return _ranking_recipe(edit, ranking)
    if not hasattr(edit, "transform"):
        return FunctionRecipe(edit)
    try:
        check_is_fitted(edit)
    except NotFittedError:
        return FittedRecipe(edit)
    return FixedRecipe(check_edit(edit, place))


def _ranking_recipe(edit: Any, ranking: Any) -> RankingRecipe:
    if not hasattr(ranking, "fit") or not hasattr(ranking, "get_support"):
        raise TypeError(
            "ranking must be a selector of neurons with the methods fit and get_support, such as "
            f"WeightMassSelector, got {ranking!r:.60}."
        )
    if not hasattr(edit, "get_params") or "neurons" not in edit.get_params(deep=False):
        raise TypeError(
            "With ranking, edit must be an ablator with the parameter neurons, such as "
            f"NeuronAblator([], mode='mean'), got {edit!r:.60}."
        )
    return RankingRecipe(ranking, edit)
