"""The effect of edits of the states of a network on its output."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from numbers import Integral, Real
from os import PathLike
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval
from torch import nn

from .._validation import validate_params
from ..activations.columns import Neurons
from ..extraction.edited_runs import EditedRuns
from ..extraction.extractor import ActivationExtractor
from ..extraction.positions import Where
from ._extractors import extractor_of
from ._labels_of_texts import read_labels
from ._measuring import Measurement, read_rows
from ._recipes import Recipe, read_recipe
from ._study import Study
from .outcomes import Metric, find_outcomes, places_of
from .result import CausalEffect

PLACEBOS = ("norm", "covariance", "control_task", "largest")


@validate_params(
    {
        "n_placebos": [Interval(Integral, 1, None, closed="left")],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
        "cv": ["cv_object"],
        "where": [callable, None],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
    }
)
def causal_effect(
    model: nn.Module | str | PathLike | ActivationExtractor,
    texts: Sequence[Any],
    *,
    layer: int | str | Neurons,
    edit: Any,
    tokenizer: Any = None,
    labels: Any = None,
    groups: ArrayLike | None = None,
    ranking: Any = None,
    cv: Any = None,
    metrics: Metric | Sequence[Metric] = ("loss", "kl"),
    where: Where | Callable[..., Any] | None = None,
    unrelated: Sequence[Any] | None = None,
    placebos: str | Sequence[str] = PLACEBOS,
    n_placebos: int = 50,
    confidence_level: float = 0.95,
    random_state: int | RandomState | None = None,
    n_jobs: int | None = None,
) -> CausalEffect:
    """Measure the effect of an edit of the states of a network on its output.

    The effect on a text is an outcome, such as the loss, with the edit minus the same outcome
    without it. It is compared with the effects of *placebos*, other edits that move the states as
    far or that are chosen in the same way. Almost any change of the states has an effect, so an
    effect alone does not show that the network uses a property.

    An edit that depends on labels is made from the training texts of each fold, and its effect is
    measured on the test texts.

    Parameters
    ----------
    model : torch.nn.Module, str, path-like or ActivationExtractor
        Model of ``transformers``, or its name, which is loaded with the head that it was saved
        with. An extractor provides the model, its tokenizer and the settings for running it. Of an
        encoder-decoder, only the encoder is run.
    texts : sequence of str, of sequences of str, or of other texts
        Raw text, words, or the conversations and token indices of
        :meth:`ActivationExtractor.extract_prompts`.
    layer : int, str or Neurons
        Place of the edit, as in :func:`intervene`.
    edit : transformer or callable
        Any edit of :func:`intervene`. A fitted edit is used as it is on all texts, and should have
        been fitted on other texts. An edit that is not fitted is cloned and fitted on the training
        rows of each fold. A function is called with the rows and their labels and returns a fitted
        edit, as in ``lambda X, y: DirectionProjector(MeanDifferenceClassifier().fit(X,
        y).direction_)``.
    tokenizer : tokenizer, str or path-like, default=None
        Tokenizer of a model that is not an extractor.
    labels : array-like of shape (n_texts,), or sequence of sequences, default=None
        A label for each text, or labels for each word of each text. The rows of X that edits are
        fitted on are the rows of :class:`ActivationExtractor`, one per text or one per word. With
        `where`, the row of a text is the mean of its states at the edited positions.
    groups : array-like of shape (n_texts,), default=None
        Groups of the texts, such as conversations, which are never split between training and test,
        and are drawn as a whole for the intervals. Searches inside the edit or the ranking do not
        split them either. If None, each text is a group.
    ranking : selector, default=None
        Selector of neurons, such as :class:`WeightMassSelector`, which is fitted on the training
        rows of each fold. The neurons that it keeps are ablated by `edit`, such as
        ``NeuronAblator([], mode="mean")``, whose `neurons` are replaced.
    cv : int, splitter, iterable or None, default=None
        As in :func:`layerwise_scores`. It splits texts. Texts that are in no test set are not
        measured. Not used for a fitted edit.
    metrics : str, callable, or sequence of them, default=("loss", "kl")
        Outcomes:

        - "loss": mean cross-entropy of the next token, of a causal language model;
        - "kl": Kullback-Leibler divergence from the predictions without the edit, averaged over the
          positions of the text;
        - "output": 1 - cosine of the output of the last layer with and without the edit, pooled as
          in :meth:`ActivationExtractor.transform`. It does not require a head;
        - :func:`logit_difference` and :func:`probe_accuracy`;
        - a function of (outputs, batch) that returns one number for each text. `outputs` is what
          the model returns, and `batch` is a dict of its inputs and "text_ids", the positions of
          the texts in `texts`.
    where : Where or callable, default=None
        The positions to edit: a rule for the tokens of the texts, such as
        ``where.role("user").last()``, or a function as in :func:`intervene`. If None, all positions
        are edited, including special tokens.
    unrelated : sequence of texts, default=None
        Texts that should not depend on what is edited. The same effects on them are the damage of
        the edit. Outcomes that depend on values for each text are not measured on them.
    placebos : str or sequence of str, default=("norm", "covariance", "control_task", "largest")
        Placebos of the edit:

        - "norm": random directions, as many as the edit changes but at most half of the number of
          neurons. Each state moves as far as under the edit. If neurons are ablated, other neurons
          that are matched in number and in the size of their displacement, which requires that
          less than half of the neurons are ablated;
        - "covariance": the same for directions that are drawn from the covariance of the states;
        - "control_task": the same kind of edit made from random labels of word types, of texts, or
          of groups if the labels do not differ within groups. It is left out by default if the edit
          does not depend on labels;
        - "largest": the principal components of largest variance or, if neurons are ablated, the
          neurons of largest displacement. Each state moves as far as under the edit. It is a single
          placebo.
    n_placebos : int, default=50
        Number of draws of each placebo.
    confidence_level : float, default=0.95
        Confidence level of the intervals, which are computed by a bootstrap over groups.
    random_state : int, RandomState instance or None, default=None
        Controls the placebos and the bootstrap. Pass an int for reproducible output across multiple
        function calls.
    n_jobs : int, default=None
        Number of jobs to run in parallel, as in ``joblib.Parallel``. Edits are fitted, and
        measured on batches of texts, in any of them, and the result does not depend on `n_jobs`.
        Each process loads a model that is given by its name once; a loaded one is sent to each
        job. Threads share the model and take turns running it, so processes are faster.

    Returns
    -------
    CausalEffect

    Raises
    ------
    TypeError
        If `edit` is not a transformer, or another argument is of another type.
    NotFittedError
        If a function returns an edit that is not fitted.
    ValueError
        If the network does not have the layer or cannot provide a metric, the edit has another
        width than the states, labels are required or do not fit the texts, there are fewer groups
        than folds, or the edit does not depend on labels and `placebos` contains "control_task".
    PicklingError
        If the model, an edit, a metric or `where` cannot be sent to other processes.

    See Also
    --------
    intervene : Edits the states of a running network.
    layerwise_scores : Shows in which layer a property is encoded.

    Notes
    -----
    The layers below the edit are computed once for each batch, not once for each placebo, unless
    they have hooks or the network returns something else without them.

    References
    ----------
    .. [1] Y. Elazar, S. Ravfogel, A. Jacovi and Y. Goldberg (2021). Amnesic Probing: Behavioral
       Explanation with Amnesic Counterfactuals. TACL.

    Examples
    --------
    >>> from sklearn_neurox import LeaceEraser, causal_effect
    >>> effect = causal_effect(
    ...     "gpt2", texts, layer=6, edit=LeaceEraser(), labels=labels)  # doctest: +SKIP
    >>> effect.to_frame()  # doctest: +SKIP
    """
    recipe = read_recipe(edit, ranking, layer)
    kinds = _check_placebos(placebos, recipe)
    extractor = extractor_of(model, tokenizer)
    labeled = read_labels(texts, labels, groups, recipe)
    splits = labeled.splits(cv, recipe)
    random = check_random_state(random_state)
    seeds = dict(zip((*PLACEBOS, "bootstrap"), random.randint(2**31 - 1, size=5), strict=True))
    tasks = labeled.control_labels(
        n_placebos if "control_task" in kinds else 0, splits, seed=seeds["control_task"]
    )
    place: dict[str, Any] = {
        "layer": layer,
        "where": where,
        "read": places_of(metrics),
        "words": labeled.has_words,
    }
    with EditedRuns(extractor, **place) as runs:
        encoded = runs.encode(labeled.texts)
        others = [] if unrelated is None else runs.encode(unrelated, words=False)
        outcomes = find_outcomes(metrics, runs.tokenizer, len(encoded), labeled.by_text(encoded))
        Measurement(runs, outcomes).check(encoded, edit if recipe.is_fixed else None)
        read = read_rows(runs, encoded, states_only=recipe.is_fixed)
    # The model is not locked anymore, so that other threads can run it.
    again = partial(EditedRuns, runs.loaded, **place, bypass=runs.bypasses)
    study = Study(again, runs, encoded, read, outcomes, recipe, kinds, n_placebos, seeds, n_jobs)
    found = study.run(labeled, splits, tasks)
    damage = study.damage(others) if others else {}
    tested = np.flatnonzero(np.isfinite(found["edit"][0, 0]))
    found = {name: values[..., tested] for name, values in found.items()}
    groups = None if labeled.groups is None else labeled.groups[tested]
    names = [outcome.name for outcome in outcomes]
    return CausalEffect.from_effects(
        dict(zip(names, found["edit"][:, 0], strict=True)),
        {kind: dict(zip(names, found[kind], strict=True)) for kind in kinds},
        groups=groups,
        damage=damage,
        confidence_level=confidence_level,
        seed=seeds["bootstrap"],
        unedited=dict(zip(names, found["unedited"][:, 0], strict=True)),
        text_ids=tested,
        edit=recipe.name,
        place=runs.place.name,
    )


def _check_placebos(placebos: str | Sequence[str], recipe: Recipe) -> tuple[str, ...]:
    kinds = (placebos,) if isinstance(placebos, str) else tuple(placebos)
    unknown = [kind for kind in kinds if kind not in PLACEBOS]
    if unknown or len(set(kinds)) < len(kinds):
        raise ValueError(
            f"placebos must be distinct and among {', '.join(map(repr, PLACEBOS))}, got "
            f"{list(kinds)}."
        )
    if recipe.uses_labels or "control_task" not in kinds:
        return kinds
    if kinds != PLACEBOS:
        raise ValueError(
            f"The placebo 'control_task' requires an edit that is made from labels, but "
            f"{recipe.name} is {'fitted' if recipe.is_fixed else 'made without labels'}. Pass an "
            "edit that is not fitted, or leave out this placebo."
        )
    return tuple(kind for kind in kinds if kind != "control_task")
