"""The effect of an edit, with its interval and its placebos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._bootstrap import Resampling, Score
from .._html import element, escape, format_value, table
from .._optional import import_optional
from .._wording import count

# Placebos of a single draw, which do not have a p-value.
SINGLE_DRAWS = ("largest",)
_N_BOOTSTRAPS = 1000


@dataclass(frozen=True, eq=False, repr=False)
class CausalEffect:
    """Effect of an edit on the outcomes of a network, as returned by :func:`causal_effect`.

    Parameters
    ----------
    effects : dict of str to ndarray of shape (n_texts,)
        Outcome with the edit minus outcome without it, for each metric and text.
    unedited : dict of str to ndarray of shape (n_texts,)
        Outcome without the edit.
    means : dict of str to Score
        Mean effect over the texts, with its interval.
    placebo_effects : dict of str to dict of str to ndarray of shape (n_draws, n_texts)
        Effects of each placebo, by placebo and metric.
    damage : dict of str to Score
        Mean effect of the edit on unrelated texts, of each metric that can be measured on them.
    text_ids : ndarray of shape (n_texts,)
        Positions of the measured texts in the list of all texts.
    confidence_level : float
        Confidence level of the intervals.
    edit : str, default="edit"
        Name of the edit.
    place : str, default=""
        Where the states are edited.
    """

    effects: Mapping[str, NDArray[np.float64]]
    unedited: Mapping[str, NDArray[np.float64]]
    means: Mapping[str, Score]
    placebo_effects: Mapping[str, Mapping[str, NDArray[np.float64]]]
    text_ids: NDArray[np.intp]
    damage: Mapping[str, Score] = field(default_factory=dict)
    confidence_level: float = 0.95
    edit: str = "edit"
    place: str = ""

    @classmethod
    def from_effects(
        cls,
        effects: Mapping[str, NDArray[np.float64]],
        placebo_effects: Mapping[str, Mapping[str, NDArray[np.float64]]] | None = None,
        *,
        groups: NDArray | None = None,
        damage: Mapping[str, NDArray[np.float64]] | None = None,
        confidence_level: float = 0.95,
        seed: int = 0,
        **fields: Any,
    ) -> CausalEffect:
        """Compute means and intervals from the effects on each text.

        Parameters
        ----------
        effects : dict of str to ndarray of shape (n_texts,)
            Effects by metric.
        placebo_effects : dict of str to dict of str to ndarray (n_draws, n_texts), default=None
            Effects of placebos, by placebo and metric.
        groups : ndarray of shape (n_texts,), default=None
            Groups that are drawn as a whole for the intervals. If None, each text is a group.
        damage : dict of str to ndarray of shape (n_unrelated,), default=None
            Effects on unrelated texts.
        confidence_level : float, default=0.95
        seed : int, default=0
            Seed of the bootstrap.
        **fields
            Other parameters of the class.

        Returns
        -------
        CausalEffect
        """
        resampling = Resampling(_N_BOOTSTRAPS, confidence_level, seed)
        n_texts = len(next(iter(effects.values())))
        return cls(
            effects=effects,
            unedited=fields.pop("unedited", {}),
            means={name: _mean(values, groups, resampling) for name, values in effects.items()},
            placebo_effects=placebo_effects or {},
            text_ids=fields.pop("text_ids", np.arange(n_texts)),
            damage={
                name: _mean(values, None, resampling) for name, values in (damage or {}).items()
            },
            confidence_level=confidence_level,
            **fields,
        )

    def draws(self, metric: str, placebo: str) -> NDArray[np.float64]:
        """Return the mean effect of each draw of a placebo, of shape (n_draws,)."""
        _check_key(self.placebo_effects, placebo, "placebo")
        _check_key(self.effects, metric, "metric")
        return self.placebo_effects[placebo][metric].mean(axis=1)

    def share(self, metric: str, placebo: str) -> float:
        """Return the share of the draws whose effect is at least as far from 0 as that of the edit.

        Parameters
        ----------
        metric : str
        placebo : str

        Returns
        -------
        float
        """
        return float(self._beyond(metric, placebo).mean())

    def p_value(self, metric: str, placebo: str) -> float:
        """Return (1 + draws at or beyond the effect) / (1 + draws).

        A draw is at or beyond the effect if it is at least as far from 0. The value is NaN for
        "largest", which is a single placebo rather than a random draw.

        Parameters
        ----------
        metric : str
        placebo : str

        Returns
        -------
        float
        """
        beyond = self._beyond(metric, placebo)
        return np.nan if placebo in SINGLE_DRAWS else float((1 + beyond.sum()) / (1 + len(beyond)))

    def _beyond(self, metric: str, placebo: str) -> NDArray[np.bool_]:
        draws = self.draws(metric, placebo)
        return np.abs(draws) >= abs(self.means[metric].value)

    def __repr__(self) -> str:
        place = f" at {self.place}" if self.place else ""
        lines = [f"CausalEffect({self.edit}{place}, {count(len(self.text_ids), 'text')})"]
        for metric, mean in self.means.items():
            values = [
                f"{placebo} {format_value(float(np.median(self.draws(metric, placebo))))}"
                + ("" if placebo in SINGLE_DRAWS else f" (p={self.p_value(metric, placebo):.3f})")
                for placebo in self.placebo_effects
            ]
            shown = f"; median of placebos: {', '.join(values)}" if values else ""
            lines.append(f"  {metric}: {_score(mean)}{shown}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = self._rows()
        head = [element("th", escape(name), scope="col") for name in rows[0]]
        cells = [
            [
                element("th", escape(str(row["metric"])), scope="row"),
                *(element("td", escape(_cell(row[name]))) for name in list(row)[1:]),
            ]
            for row in rows
        ]
        return table(head, [cells], caption=str(self).splitlines()[0])

    def _rows(self) -> list[dict[str, Any]]:
        tail = (1 - self.confidence_level) / 2
        rows = []
        for metric, mean in self.means.items():
            effect = {"metric": metric, "effect": mean.value, "low": mean.low, "high": mean.high}
            damage = self.damage.get(metric)
            ending = {"damage": None if damage is None else damage.value}
            rows += [
                effect | self._placebo_row(metric, placebo, tail) | ending
                for placebo in self.placebo_effects or [None]
            ]
        return rows

    def _placebo_row(self, metric: str, placebo: str | None, tail: float) -> dict[str, Any]:
        names = ("placebo", "median", "placebo_low", "placebo_high", "share", "p")
        if placebo is None:
            return dict.fromkeys(names)
        draws = self.draws(metric, placebo)
        middle, low, high = np.quantile(draws, [0.5, tail, 1 - tail]).tolist()
        p = None if placebo in SINGLE_DRAWS else self.p_value(metric, placebo)
        values = (placebo, middle, low, high, self.share(metric, placebo), p)
        return dict(zip(names, values, strict=True))

    def to_frame(self) -> Any:
        """Return one row per metric and placebo.

        Returns
        -------
        pandas.DataFrame
            The index consists of "metric" and "placebo". The columns are "effect", the mean effect
            of the edit, with the bounds "low" and "high" of its interval; "median", and the
            quantiles "placebo_low" and "placebo_high" of the draws of the placebo; "share", the
            share of the draws at or beyond the effect; "p"; and "damage", the mean effect on
            unrelated texts.
        """
        pandas = import_optional("pandas", extra="plot", purpose="to_frame()")
        frame = pandas.DataFrame(self._rows())
        numbers = [name for name in frame if name not in ("metric", "placebo")]
        return frame.astype(dict.fromkeys(numbers, float)).set_index(["metric", "placebo"])


def _mean(values: NDArray[np.float64], groups: NDArray | None, resampling: Resampling) -> Score:
    """Return the mean over texts with its interval over groups."""

    def statistics(weights: NDArray, counts: Any) -> NDArray:
        drawn = weights @ counts  # how often each text occurs in each resample
        return (drawn @ values / drawn.sum(axis=1))[:, np.newaxis]

    texts = np.arange(len(values))
    return resampling.score(values.mean(), resampling.draw(texts, groups, statistics))


def _check_key(mapping: Mapping[str, Any], key: str, name: str) -> None:
    if key not in mapping:
        raise ValueError(f"{name} must be one of {list(mapping)}, got {key!r}.")


def _score(score: Score) -> str:
    value = format_value(score.value)
    if score.low is None:
        return value
    return f"{value} [{format_value(score.low)}, {format_value(score.high)}]"


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else format_value(value)
