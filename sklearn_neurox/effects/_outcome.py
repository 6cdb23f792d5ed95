"""The base class of outcomes: what an intervention may change, as one number per text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from torch import Tensor

from ..activations.columns import Neurons
from ..extraction.text_runs import TextRun

# Runs the network on other inputs of the same shape.
Again: TypeAlias = Callable[[Mapping[str, Tensor]], TextRun]


class Outcome(ABC):
    """A number per text, which is measured with and without an edit.

    Attributes
    ----------
    name : str
        Name in results.
    of_texts : bool
        Whether the outcome depends on values that belong to the texts, such as their labels, so
        that it cannot be measured on other texts.
    place : int, str, Neurons or None
        Layer whose states are read in addition to the output.
    """

    name: str
    of_texts: bool = False
    place: int | str | Neurons | None = None

    @abstractmethod
    def measure(self, run: TextRun, unedited: TextRun) -> Tensor:
        """Return one number per text of a run.

        Parameters
        ----------
        run : TextRun
            With the edit, or without it.
        unedited : TextRun
            The run on the same texts without the edit.

        Returns
        -------
        Tensor of shape (n_texts,)
        """

    def check(self, run: TextRun, again: Again) -> None:  # noqa: B027  -- most need no check
        """Raise a ValueError if the outcome cannot be measured.

        Parameters
        ----------
        run : TextRun
            A run on some of the texts.
        again : callable
            Runs the network on inputs of the same shape.
        """


def check_logits(run: TextRun, name: str, *, ndim: Sequence[int] = (3,)) -> None:
    """Raise a ValueError if a network does not return logits of several tokens.

    Parameters
    ----------
    run : TextRun
    name : str
        The metric that requires them, for the message.
    ndim : sequence of int, default=(3,)
        Accepted numbers of dimensions: 3 for logits at each position, 2 for those of each text.
    """
    logits = run.logits
    if logits is None:
        raise ValueError(
            f"{run.model_name} does not return logits, so the metric {name!r} cannot be measured. "
            "Use 'output', which compares the output of the last layer; probe_accuracy; a function "
            "of (outputs, batch); or a model with a head, such as AutoModelForCausalLM."
        )
    if logits.ndim not in ndim or logits.shape[-1] < 2:
        raise ValueError(
            f"The metric {name!r} requires logits of several tokens at each position, but "
            f"{run.model_name} returns logits of shape {tuple(logits.shape)}. Use "
            f"{'' if logits.shape[-1] < 2 else repr('kl') + ', '}'output' or a function of "
            "(outputs, batch)."
        )
