"""Pairs of texts and sources: their checks and their tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._wording import count
from ..datasets.sentences import check_texts
from ..extraction.edited_runs import EditedRuns
from .outcomes import Metric, list_metrics
from .probe_accuracy import ProbeAccuracy


def check_pairs(texts: Any, sources: Any) -> None:
    """Check that there is one source for each text.

    Raises
    ------
    TypeError
        If `texts` or `sources` are not lists of texts.
    ValueError
        If their numbers differ.
    """
    own, others = check_texts(texts), check_texts(sources)
    if len(own) != len(others):
        raise ValueError(
            f"sources must contain one source for each of the {count(len(own), 'text')}, got "
            f"{len(others):,}."
        )


def check_metrics(metrics: Metric | Sequence[Metric]) -> None:
    """Raise a ValueError if a metric requires labels."""
    for metric in list_metrics(metrics):
        if isinstance(metric, ProbeAccuracy):
            raise ValueError(
                f"The metric {metric.name!r} cannot be measured for interchanges, because it "
                "requires labels of the texts. Use causal_effect, or another metric."
            )


def lengths_of(encoded: Sequence[Any]) -> list[int]:
    """Return the number of tokens of each text."""
    return [text.n_subwords for text in encoded]


def selected_pairs(
    runs: EditedRuns, batch: Sequence[Any], pairs: Sequence[NDArray[np.intp]]
) -> list[NDArray[np.intp]]:
    """Return the pairs of the texts of the last batch whose position in the text is edited.

    Raises
    ------
    ValueError
        If none of the pairs of a text is.
    """
    selected = runs.edited_positions.cpu().numpy()
    found = []
    for row, text in zip(selected, batch, strict=True):
        own = pairs[text.sentence_id]
        found.append(own[row[own[:, 0]]])
        if not len(found[-1]):
            raise ValueError(
                f"Text {text.sentence_id}: {runs.rule_name} does not select any of the aligned "
                "positions, so no state would be replaced."
            )
    return found


def tokens_at(
    own: Sequence[Any], others: Sequence[Any], pairs: Sequence[NDArray[np.intp]], tokenizer: Any
) -> tuple[str, ...]:
    """Return the token at each position, if it is the same in all texts and in all sources.

    Parameters
    ----------
    own, others : list of EncodedSentence
        The texts and their sources.
    pairs : list of ndarray of shape (n_positions, 2)
        The positions in each text and in its source.
    tokenizer : tokenizer

    Returns
    -------
    tuple of n_positions str
        Such as "Rome", "Rome/Paris" if the sources have another token than the texts, or "" if the
        texts or the sources differ.
    """
    names = []
    for position in range(len(pairs[0])):
        found: list[str] = []
        for side, texts in enumerate((own, others)):
            ids = {
                int(text.inputs["input_ids"][places[position, side]])
                for text, places in zip(texts, pairs, strict=True)
            }
            if len(ids) == 1:
                found.append(_shown(tokenizer.convert_ids_to_tokens(ids.pop())))
        names.append("/".join(dict.fromkeys(found)) if len(found) == 2 else "")
    return tuple(names)


def _shown(token: str) -> str:
    return token.replace("Ġ", "").replace("▁", "").strip()  # marks of a space before a word
