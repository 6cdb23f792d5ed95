"""Maps of interchange effects by layer and position."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from .._html import element, escape, format_value, table
from .._optional import import_optional
from .._validation import validate_params
from .._wording import count
from ..activations.columns import Neurons
from ..extraction.edited_runs import EditedRuns
from ..extraction.extractor import ActivationExtractor
from ..extraction.hook_points import unit_of
from ..extraction.loaded import LoadedModel
from ..extraction.positions import Where
from ._alignment import Alignment, align, select
from ._extractors import extractor_of
from ._measuring import Measurement
from ._pairs import check_metrics, check_pairs, lengths_of, selected_pairs, tokens_at
from ._sweep import Sweep
from .outcomes import Metric, find_outcomes


@dataclass(frozen=True, eq=False, repr=False)
class PatchingMap:
    """Effects of interchanges by layer and position, as returned by :func:`patching_map`.

    Parameters
    ----------
    layers : tuple of int
    positions : tuple of int
        Positions as they were chosen: indices into the aligned positions of each text, or into
        those that `where` selects.
    tokens : tuple of str
        The token at each position: that of the texts, followed by that of the sources if these are
        different. It is empty if texts, or sources, differ.
    effects : dict of str to ndarray of shape (n_layers, n_positions, n_texts)
        Outcome with the interchange of a single position minus outcome without it, by metric.
    joint_effects : dict of str to ndarray of shape (n_layers, n_texts)
        The same for the interchange of all positions of the map at once.
    source_effects : dict of str to ndarray of shape (n_texts,), or None
        Outcome on the sources minus outcome on the texts, or None if their lengths differ.
    unedited : dict of str to ndarray of shape (n_texts,)
        Outcome on the texts.
    unit : str, default="neuron"
        Kind of the states, as in :class:`Neurons`.
    """

    layers: tuple[int, ...]
    positions: tuple[int, ...]
    tokens: tuple[str, ...]
    effects: Mapping[str, NDArray[np.float64]]
    joint_effects: Mapping[str, NDArray[np.float64]]
    source_effects: Mapping[str, NDArray[np.float64]] | None
    unedited: Mapping[str, NDArray[np.float64]]
    unit: str = "neuron"

    def mean(self, metric: str | None = None) -> NDArray[np.float64]:
        """Return the mean effect over the texts.

        Parameters
        ----------
        metric : str, default=None
            If None, use the first one.

        Returns
        -------
        ndarray of shape (n_layers, n_positions)
        """
        return self.effects[self._metric(metric)].mean(axis=2)

    def share(self, metric: str | None = None) -> NDArray[np.float64]:
        """Return the mean effect as a share of the mean difference between sources and texts.

        Parameters
        ----------
        metric : str, default=None
            If None, use the first one.

        Returns
        -------
        ndarray of shape (n_layers, n_positions)
            0 without any effect, and 1 if the outcome becomes that on the sources.

        Raises
        ------
        ValueError
            If `metric` is "loss", which is that of other tokens on the sources; if the mean outcome
            on the sources is the same; or if the lengths of texts and sources differ.
        """
        name = self._metric(metric)
        if name == "loss":
            raise ValueError(
                "The loss on a source is that of other tokens, so there are no shares of it. Use "
                "logit_difference."
            )
        if self.source_effects is None:
            raise ValueError(
                "Shares require sources of the length of their texts, because the outcome on a "
                "source is otherwise not comparable."
            )
        whole = self.source_effects[name].mean()
        if not whole:
            raise ValueError(
                f"Texts and sources have the same mean {name!r}, so there are no shares."
            )
        return self.mean(name) / whole

    def _metric(self, metric: str | None) -> str:
        if metric is None:
            return next(iter(self.effects))
        if metric not in self.effects:
            raise ValueError(f"metric must be one of {list(self.effects)}, got {metric!r}.")
        return metric

    def __repr__(self) -> str:
        n_texts = len(next(iter(self.unedited.values())))
        shape = f"{count(len(self.layers), 'layer')}, {count(len(self.positions), 'position')}"
        lines = [f"PatchingMap({shape}, {count(n_texts, 'text')})"]
        for metric in self.effects:
            means = self.mean(metric)
            row, column = np.unravel_index(np.abs(means).argmax(), means.shape)
            lines.append(
                f"  {metric}: largest mean effect {format_value(float(means[row, column]))} at "
                f"layer {self.layers[row]}, position {self.position_names[column]}"
            )
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        title = str(self).splitlines()[0]
        return "".join(self._table(metric, f"{title}: {metric}") for metric in self.effects)

    def _table(self, metric: str, caption: str) -> str:
        head = [
            element("th", escape(name), scope="col") for name in ("layer", *self.position_names)
        ]
        rows = [
            [
                element("th", str(layer), scope="row"),
                *(element("td", escape(format_value(value))) for value in values),
            ]
            for layer, values in zip(self.layers, self.mean(metric).tolist(), strict=True)
        ]
        return table(head, [rows], caption=caption)

    @property
    def position_names(self) -> list[str]:
        """The positions with their tokens, if these are the same in all texts."""
        pairs = zip(self.positions, self.tokens, strict=True)
        return [f"{position} {token}".strip() for position, token in pairs]

    def to_frame(self) -> Any:
        """Return one row per metric, layer and position.

        Returns
        -------
        pandas.DataFrame
            The index consists of "metric", "layer" and "position". The columns are "token"; the
            mean "effect"; and "joint_effect", the mean effect of all positions of the map at once.
        """
        pandas = import_optional("pandas", extra="plot", purpose="to_frame()")
        names = ["metric", "layer", "position"]
        index = pandas.MultiIndex.from_product(
            [list(self.effects), self.layers, self.positions], names=names
        )
        joint = np.concatenate([each.mean(axis=1) for each in self.joint_effects.values()])
        columns = {
            "token": np.tile(np.array(self.tokens, object), len(joint)),
            "effect": np.concatenate([self.mean(metric).ravel() for metric in self.effects]),
            "joint_effect": np.repeat(joint, len(self.positions)),
        }
        return pandas.DataFrame(columns, index=index)


@validate_params({"where": [callable, None], "n_jobs": [Integral, None]})
def patching_map(
    model: nn.Module | str | PathLike | ActivationExtractor,
    texts: Sequence[Any],
    sources: Sequence[Any],
    *,
    layers: Any = "all",
    modules: str | None = None,
    positions: Sequence[int] | None = None,
    alignment: Alignment = None,
    where: Where | Callable[..., Any] | None = None,
    metrics: Metric | Sequence[Metric] = "output",
    tokenizer: Any = None,
    n_jobs: int | None = None,
) -> PatchingMap:
    """Measure the effect of interchanging each layer and position, as in activation patching.

    The states of a source at a single position and layer are put into the text (causal tracing
    [1]_). The map shows at which positions and layers the network carries what distinguishes a
    source from its text.

    Parameters
    ----------
    model : torch.nn.Module, str, path-like or ActivationExtractor
        As in :func:`causal_effect`.
    texts : sequence of texts
        Texts whose states are replaced, as in :func:`causal_effect`.
    sources : sequence of n_texts texts
        The source of each text.
    layers : "all" or list of int, default="all"
        Layers, in ascending order. Layer 0 is the embeddings.
    modules : str, default=None
        Modules within the layers whose states are interchanged instead of the hidden states, as in
        :class:`ActivationExtractor`.
    positions : sequence of int, default=None
        Which of the aligned positions are interchanged, by their index; negative ones count from
        the end. If None, all, which requires the same number for all texts. With `where`, they are
        indices into the positions that it selects.
    alignment : {"start", "end"}, sequence of pairs, or sequence of n_texts sequences of pairs, \
default=None
        As in :func:`interchange_effect`.
    where : Where or callable, default=None
        Positions of the texts that are interchanged, as in :func:`causal_effect`. The first one
        that it selects in each text is the first column of the map, and so on, wherever it is in
        the text. If None, all that are aligned.
    metrics : str, callable, or sequence of them, default="output"
        Outcomes, as in :func:`interchange_effect`. There are no shares of "loss", because the loss
        on a source is that of other tokens.
    tokenizer : tokenizer, str or path-like, default=None
        Tokenizer of a model that is not an extractor.
    n_jobs : int, default=None
        Number of jobs to run in parallel, as in :func:`causal_effect`, which measure different
        layers.

    Returns
    -------
    PatchingMap

    Raises
    ------
    TypeError, ValueError
        As in :func:`interchange_effect`.

    See Also
    --------
    PatchingDisplay : Draws the map.
    interchange_effect : The effect at one layer, with its interval.

    Notes
    -----
    For each layer, the layers below are computed once for the sources and once for the texts, not
    once for each position.

    References
    ----------
    .. [1] K. Meng, D. Bau, A. Andonian and Y. Belinkov (2022). Locating and Editing Factual
       Associations in GPT. NeurIPS.

    Examples
    --------
    >>> from sklearn_neurox import logit_difference, patching_map
    >>> found = patching_map(
    ...     "gpt2", ["The capital of Italy is"], ["The capital of Japan is"],
    ...     metrics=logit_difference(" Tokyo", " Rome"))  # doctest: +SKIP
    >>> found.share()  # doctest: +SKIP
    """
    extractor = extractor_of(model, tokenizer)
    check_pairs(texts, sources)
    check_metrics(metrics)
    loaded = LoadedModel(extractor)
    numbers = loaded.layers(layers, modules)
    places = [_place(number, modules) for number in numbers]
    with EditedRuns(loaded, layer=places[0], where=where) as runs:
        own, others = runs.encode(texts), runs.encode(sources, mark=False)
        aligned = align(lengths_of(own), lengths_of(others), alignment)
        if where is not None:
            aligned = _selected(runs, own, aligned)
        pairs, chosen = select(aligned, positions)
        outcomes = find_outcomes(metrics, runs.tokenizer, len(own))
        Measurement(runs, outcomes).check(own)
    found = Sweep(loaded, own, others, pairs, outcomes).measure(places, n_jobs)
    names, source = [each.name for each in outcomes], found[0].source
    effects = np.stack([each.effects for each in found], axis=1)
    joint = np.stack([each.joint for each in found], axis=1)
    return PatchingMap(
        layers=numbers,
        positions=tuple(chosen.tolist()),
        tokens=tokens_at(own, others, pairs, loaded.tokenizer),
        effects=dict(zip(names, effects, strict=True)),
        joint_effects=dict(zip(names, joint, strict=True)),
        source_effects=None if source is None else dict(zip(names, source, strict=True)),
        unedited=dict(zip(names, found[0].unedited, strict=True)),
        unit=unit_of(modules),
    )


def _place(layer: int, modules: str | None) -> int | Neurons:
    # Columns of a part of a block are found by its kind, so their number does not matter.
    return layer if modules is None else Neurons((layer,), 1, unit_of(modules))


def _selected(
    runs: EditedRuns, texts: Sequence[Any], pairs: Sequence[NDArray[np.intp]]
) -> list[NDArray[np.intp]]:
    """Return the pairs of each text whose position in the text is edited."""
    found = list(pairs)
    for batch in runs.batches(list(texts)):
        runs.read_states(batch)
        for text, own in zip(batch, selected_pairs(runs, batch, pairs), strict=True):
            found[text.sentence_id] = own
    return found
