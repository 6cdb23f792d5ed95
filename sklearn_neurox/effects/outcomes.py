"""Outcomes: what an intervention may change, as one number per text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import torch
from numpy.typing import NDArray
from torch import Tensor

from ..extraction.text_runs import TextRun
from ._outcome import Again, Outcome, check_logits
from .logit_difference import LogitDifference
from .probe_accuracy import ProbeAccuracy

# Called with the output of the network and the batch; returns one number per text.
OutcomeFunction: TypeAlias = Callable[[Any, Mapping[str, Tensor]], Any]
Metric: TypeAlias = str | Outcome | OutcomeFunction

_CHANGED = 1e-3  # of the standard deviation of the logits: more than rounding


def _log_probabilities(run: TextRun) -> Tensor:
    """Return log-probabilities of shape (n_texts, n_positions, n_tokens) in float32 at least."""
    logits = run.logits
    assert logits is not None
    return _log_softmax(logits)


def _log_softmax(logits: Tensor) -> Tensor:
    wide = logits.float() if logits.dtype.itemsize < 4 else logits
    return torch.log_softmax(wide, dim=-1)


@dataclass(frozen=True)
class Loss(Outcome):
    """Mean cross-entropy of the next token, of a causal language model."""

    name: str = "loss"

    def check(self, run: TextRun, again: Again) -> None:
        """See :class:`Outcome`."""
        check_logits(run, self.name)
        short = [text.sentence_id for text in run.texts if text.n_subwords < 2]
        if short:
            raise ValueError(
                f"Text {short[0]} has a single token, so it does not have a next token whose loss "
                "could be measured. Leave out the text, or use the metric 'kl'."
            )
        if not _is_causal(run, again):
            raise ValueError(
                f"{run.model_name} is not causal: its logits depend on later tokens, so the "
                "metric 'loss' is not the loss of the next token. Use 'kl', 'output', or a "
                "function of (outputs, batch), such as a loss of masked tokens."
            )

    def measure(self, run: TextRun, unedited: TextRun) -> Tensor:
        """See :class:`Outcome`."""
        scores = _log_probabilities(run)[:, :-1]
        ids = run.inputs["input_ids"].to(scores.device)
        targets = ids[:, 1:, None]
        attended = run.attended.to(scores.device)
        predicted = (attended[:, 1:] & attended[:, :-1]).to(scores.dtype)
        losses = -scores.gather(-1, targets)[..., 0]
        return (losses * predicted).sum(dim=1) / predicted.sum(dim=1)


def _is_causal(run: TextRun, again: Again) -> bool:
    """Return whether the logits of the first text do not depend on its last token."""
    length = run.texts[0].n_subwords
    ids = run.inputs["input_ids"].clone()
    others = run.inputs["input_ids"][0, :length]
    different = others[others != ids[0, length - 1]]
    ids[0, length - 1] = different[0] if len(different) else (ids[0, length - 1] + 1) % 2
    changed = again(dict(run.inputs) | {"input_ids": ids}).logits
    assert changed is not None
    assert run.logits is not None
    before, after = (logits[0, : length - 1].float() for logits in (run.logits, changed))
    return bool((before - after).abs().max() <= _CHANGED * before.std())


@dataclass(frozen=True)
class Divergence(Outcome):
    """Mean Kullback-Leibler divergence of the predictions from those without the edit.

    A head with a single distribution per text, such as one for classification, has a single
    divergence per text.
    """

    name: str = "kl"

    def check(self, run: TextRun, again: Again) -> None:
        """See :class:`Outcome`."""
        check_logits(run, self.name, ndim=(2, 3))

    def measure(self, run: TextRun, unedited: TextRun) -> Tensor:
        """See :class:`Outcome`."""
        found = []
        pairs = zip(_by_text(unedited), _by_text(run), strict=True)
        for before, after in pairs:  # one by one, so that memory is that of a single text
            before, after = (_log_softmax(each) for each in (before, after))
            found.append((before.exp() * (before - after)).sum(dim=-1).mean())
        return torch.stack(found)


def _by_text(run: TextRun) -> Iterable[Tensor]:
    """Yield the logits of each text at its own positions, of shape (n_positions, n_tokens)."""
    assert run.logits is not None
    for logits, attended in zip(run.logits, run.attended, strict=True):
        yield logits[attended.to(logits.device)] if logits.ndim == 2 else logits[None]


@dataclass(frozen=True)
class OutputChange(Outcome):
    """1 - cosine of the pooled outputs of the last layer with and without the edit."""

    name: str = "output"

    def measure(self, run: TextRun, unedited: TextRun) -> Tensor:
        """See :class:`Outcome`."""
        assert run.final is not None
        assert unedited.final is not None
        after, before = run.pooled(run.final).double(), unedited.pooled(unedited.final).double()
        if torch.equal(after, before):
            return torch.zeros(len(run.texts), device=after.device)
        return 1 - torch.nn.functional.cosine_similarity(after, before, dim=-1)


@dataclass(frozen=True)
class FunctionOutcome(Outcome):
    """An outcome that a function computes from the output of the network and the batch."""

    function: OutcomeFunction
    name: str

    def check(self, run: TextRun, again: Again) -> None:
        """See :class:`Outcome`."""
        self.measure(run, run)

    def measure(self, run: TextRun, unedited: TextRun) -> Tensor:
        """See :class:`Outcome`."""
        values = self.function(run.outputs, run.batch)
        values = torch.as_tensor(values)
        if values.shape != (len(run.texts),):
            raise ValueError(
                f"The metric {self.name!r} must return one number for each of the "
                f"{len(run.texts)} texts of a batch, got the shape {tuple(values.shape)}."
            )
        return values


# A new outcome with a name is a class and its entry here.
OUTCOMES: dict[str, type[Outcome]] = {"loss": Loss, "kl": Divergence, "output": OutputChange}


def find_outcomes(
    metrics: Metric | Sequence[Metric],
    tokenizer: Any,
    n_texts: int,
    labels: Sequence[NDArray] | None = None,
) -> list[Outcome]:
    """Return the outcomes that metrics stand for.

    Parameters
    ----------
    metrics : str, callable, or sequence of them
        Names in ``OUTCOMES``, results of :func:`logit_difference` and :func:`probe_accuracy`, or
        functions of (outputs, batch).
    tokenizer : tokenizer
        For the texts of tokens.
    n_texts : int
    labels : sequence of n_texts ndarray, default=None
        Labels of the rows of each text.

    Raises
    ------
    TypeError
        If a metric is neither a name nor callable.
    ValueError
        If a name is unknown, there are no metrics, two metrics have the same name, or tokens or
        labels do not fit the texts.
    """
    given = list_metrics(metrics)
    if not given:
        raise ValueError("metrics must contain at least one metric, such as 'output'.")
    outcomes = [_find(each, tokenizer, n_texts, labels) for each in given]
    names = [outcome.name for outcome in outcomes]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"metrics contains {name!r} twice.")
    return outcomes


def places_of(metrics: Metric | Sequence[Metric]) -> dict[str, Any]:
    """Return the places that metrics read in addition to the output, by name of the metric."""
    outcomes = [each for each in list_metrics(metrics) if isinstance(each, Outcome)]
    return {each.name: each.place for each in outcomes if each.place is not None}


def list_metrics(metrics: Any) -> list[Any]:
    """Return one or several metrics as a list."""
    is_single = isinstance(metrics, str | Outcome) or not isinstance(metrics, Iterable)
    return [metrics] if is_single else list(metrics)


def _find(metric: Any, tokenizer: Any, n_texts: int, labels: Sequence[NDArray] | None) -> Outcome:
    if isinstance(metric, str):
        if metric not in OUTCOMES:
            raise ValueError(
                f"metrics must be among {', '.join(map(repr, OUTCOMES))}, logit_difference(...), "
                f"probe_accuracy(...) or functions of (outputs, batch), got {metric!r}."
            )
        return OUTCOMES[metric]()
    if isinstance(metric, LogitDifference):
        return metric.resolve(tokenizer, n_texts)
    if isinstance(metric, ProbeAccuracy):
        if labels is None:
            raise ValueError(f"The metric {metric.name!r} requires labels.")
        return replace(metric, labels=tuple(labels))
    if isinstance(metric, Outcome):
        return metric
    if not callable(metric) or isinstance(metric, type):
        raise TypeError(
            f"A metric must be a name or a function of (outputs, batch), got {metric!r:.60}."
        )
    return FunctionOutcome(metric, getattr(metric, "__name__", type(metric).__name__))
