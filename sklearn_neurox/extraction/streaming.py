"""Fits of estimators while a model runs, without storing its activations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import is_classifier

from .._labels import check_labels
from .._results import make_splits
from ..datasets.sentences import check_corpus, is_sentence
from ._conversations import is_conversation
from ._streamed_estimators import Finished, HeldOutScore, StreamedEstimator, check_estimators
from ._streamed_labels import RowLabels
from ._streamed_texts import StreamedTexts, streamed
from ._text_encoding import check_texts_of_tokens
from ._text_rows import At, check_at, check_where
from .extractor import ActivationExtractor
from .positions import Where
from .streamed_fits import StreamedFits


def fit_stream(
    extractor: ActivationExtractor,
    texts: Sequence[Any],
    labels: Sequence[Any] | None,
    estimators: Mapping[str, tuple[int, Any]],
    *,
    at: At | None = None,
    where: Where | None = None,
    drop_label: Any = None,
    sample_weight: Sequence[Any] | None = None,
    cv: Any = None,
    groups: ArrayLike | None = None,
    score: bool = False,
) -> StreamedFits:
    """Fit estimators while a model runs, and store no activations.

    A few thousand rows are computed at a time and passed to ``partial_fit`` of each estimator. The
    result is that of ``fit`` on all rows for estimators that add sums, such as
    :class:`MeanDifferenceClassifier`, :class:`GaussianProbeClassifier`,
    :class:`LinearProbeRegressor` with ``solver="owlqn"``, :class:`ProbelessSelector`,
    :class:`LeaceEraser` and :class:`CorrelationClustering`. Any other estimator with the method
    ``partial_fit`` is trained on one part of the rows after the other.

    Parameters
    ----------
    extractor : ActivationExtractor
        Runs the model. Only the layers of the estimators are computed.
    texts : sequence
        Sentences as lists of words, with one row per word, as in
        :meth:`ActivationExtractor.extract`; or texts, that is, strings, conversations or token
        indices, with one row per token, as in :meth:`ActivationExtractor.extract_tokens`, or with
        one row per text if `at` is given.
    labels : sequence or None
        Labels of words, as lists; or, for texts, one label for each text, or lists with one label
        per token. None if the estimators do not need labels.
    estimators : dict of str to (int, estimator)
        Layer and estimator, by name. Estimators are cloned.
    at : {"last", "first", "mean"}, int, Where or callable, default=None
        The token of each text that has a row, as in :meth:`ActivationExtractor.extract_prompts`.
        If None, tokens have one row each.
    where : Where, default=None
        Rule that selects the tokens that have a row, or among which `at` selects.
    drop_label : str, int, float or bool, default=None
        Label of rows that are left out. The model reads these words and tokens, too.
    sample_weight : sequence, default=None
        A weight for each label, in lists of the same lengths.
    cv : int or splitter, default=None
        Folds of the texts for cross-validation. Each text must be held out once. If None, there is
        no cross-validation.
    groups : array-like of shape (n_texts,), default=None
        Groups of texts, which are not divided between folds. With an int as `cv`, the folds are
        those of ``GroupKFold``.
    score : bool, default=False
        Whether to score the estimators of each fold on the texts that are held out, by accuracy or
        R². The model then runs twice, because the rows are not kept.

    Returns
    -------
    StreamedFits
        The estimators, also those of the folds.

    Raises
    ------
    TypeError
        If an argument is of another type, or an estimator does not have the method ``partial_fit``.
    ValueError
        If labels, weights or groups do not match the texts, a layer does not exist, the folds are
        not a partition of the texts, or a class is missing in the training texts of a fold. Also as
        in the methods of the extractor and of the estimators.

    Warns
    -----
    UserWarning
        If an estimator of a fold cannot be computed from its rows, because these are too few.

    Notes
    -----
    The memory depends on the estimators, not on the number of rows. Sums are kept once for each
    fold rather than for each training part: at the end, those of the other folds are added. With
    five folds, estimators for 4 layers of 4,096 neurons that each keep a matrix take
    5 * 4 * 4096^2 * 8 bytes = 2.7 GB. The class :class:`GaussianProbeClassifier` keeps one matrix
    for each label. The tokens of texts are kept in a temporary file.

    With `cv`, an estimator that does not add sums is trained for each fold while the model runs, on
    the texts in the order of their folds.

    Examples
    --------
    >>> import sklearn_neurox as snx
    >>> extractor = snx.ActivationExtractor("Qwen/Qwen3-0.6B")  # doctest: +SKIP
    >>> fits = snx.fit_stream(  # doctest: +SKIP
    ...     extractor, ["Paris is in France.", "Rome is in Spain."], [True, False],
    ...     {"layer 14": (14, snx.MeanDifferenceClassifier())}, at="last")
    >>> fits.estimators["layer 14"].direction_.shape  # doctest: +SKIP
    (1, 1024)
    """
    chosen = check_estimators(estimators, score=score)
    checked, are_words = _check_texts(extractor, texts, at, where)
    row_labels = None
    if labels is not None:
        row_labels = RowLabels.of(checked, labels, sample_weight, drop_label, are_words=are_words)
    _check_options(row_labels, sample_weight, drop_label, cv, groups, score=score)
    if labels is not None and are_words and extractor.include_special_tokens:
        raise ValueError(
            "labels cannot be used with include_special_tokens=True, because special tokens do not "
            "have labels."
        )
    folds = np.zeros(len(checked), np.intp)
    if cv is not None:
        classifies = any(is_classifier(estimator) for _, estimator in chosen.values())
        folds = _folds(len(checked), row_labels, cv, groups, classifies=classifies)
    layers = {name: layer for name, (layer, _) in chosen.items()}
    fits = {
        name: StreamedEstimator(name, estimator, row_labels, int(folds.max()) + 1)
        for name, (_, estimator) in chosen.items()
    }
    with streamed(
        extractor,
        checked,
        are_words=are_words,
        layers=layers,
        at=at,
        where=where,
        n_labels=None if row_labels is None or are_words else row_labels.lengths,
    ) as stream:
        n_samples = 0
        for fold, X, y, weight in _parts(stream, row_labels, folds):
            n_samples += len(X)
            for name, fit in fits.items():
                fit.add(X[:, stream.columns(layers[name], X.shape[1])], y, weight, fold)
        if not n_samples:
            raise ValueError("No row is left: all have the label drop_label, or the weight 0.")
        # The sums of each estimator are removed before those of the next one are added.
        finished = {name: fits.pop(name).finished() for name in list(fits)}
        scores = _scores(stream, row_labels, folds, layers, finished) if score else {}
    return StreamedFits(
        layers=layers,
        estimators={name: each.whole for name, each in finished.items()},
        fold_estimators={name: each.trained for name, each in finished.items() if each.trained},
        folds=None if cv is None else folds,
        scores=scores,
        n_samples=n_samples,
    )


def _check_texts(extractor: Any, texts: Any, at: Any, where: Any) -> tuple[list[Any], bool]:
    """Return the texts as a list, and whether they are sentences of words."""
    if not isinstance(extractor, ActivationExtractor):
        raise TypeError(f"extractor must be an ActivationExtractor, got {extractor!r:.60}.")
    if isinstance(texts, Iterator):
        raise TypeError("texts must be a list, got an iterator. Call list(texts).")
    if at is not None:
        check_at(at)
    check_where(where)
    if isinstance(at, Mapping):
        raise TypeError("at must be a single token, got a dict. Call fit_stream for each of them.")
    listed = check_texts_of_tokens(texts)
    words = [index for index, text in enumerate(listed) if _is_of_words(text)]
    if not words:
        extractor._check_text_parameters()
        return listed, False
    if len(words) < len(listed):
        other = next(index for index, text in enumerate(listed) if not _is_of_words(text))
        raise TypeError(
            f"texts[{words[0]}] is a list of words, but texts[{other}] is not. Pass either "
            "sentences of words, or texts."
        )
    if at is not None or where is not None:
        raise ValueError(
            "at and where select tokens of texts, but these are lists of words, which have one row "
            "per word. Pass strings."
        )
    extractor._check_parameters()
    return check_corpus(listed), True


def _is_of_words(text: Any) -> bool:
    """Return whether a text is a list of words, unlike a conversation or token indices."""
    return not isinstance(text, str) and not is_conversation(text) and is_sentence(text)


def _check_options(
    labels: RowLabels | None,
    sample_weight: Any,
    drop_label: Any,
    cv: Any,
    groups: Any,
    *,
    score: Any,
) -> None:
    if not isinstance(score, bool | np.bool_):
        raise TypeError(f"score must be True or False, got {score!r:.60}.")
    for name, value in (("sample_weight", sample_weight), ("drop_label", drop_label)):
        if labels is None and value is not None:
            raise ValueError(f"{name} belongs to labels, so it needs labels.")
    if cv is None and groups is not None:
        raise ValueError("groups are not divided between folds, so they need cv.")
    if score and (cv is None or labels is None):
        raise ValueError("score=True scores texts that are held out, so it needs labels and cv.")


def _folds(
    n_texts: int, labels: RowLabels | None, cv: Any, groups: Any, *, classifies: bool
) -> NDArray[np.intp]:
    """Return the fold in which each text is held out."""
    if groups is not None:
        groups = check_labels(groups, name="groups")
        if len(groups) != n_texts:
            raise ValueError(f"Got {n_texts} texts, but groups of {len(groups)}.")
    y = None if labels is None else labels.per_text
    stratify = classifies and y is not None
    y = np.zeros(n_texts) if y is None else y
    splits = make_splits(np.arange(n_texts), y, cv=cv, classifier=stratify, groups=groups)
    folds = np.full(n_texts, -1, np.intp)
    for fold, (train, test) in enumerate(splits):
        is_rest = np.array_equal(np.sort(np.concatenate([train, test])), np.arange(n_texts))
        if not is_rest or (folds[test] >= 0).any():
            folds[:] = -1
            break
        folds[test] = fold
    if (folds < 0).any() or len(splits) < 2:
        raise ValueError(
            "cv must hold out each text in one fold, and train on all others, as KFold and "
            f"GroupKFold do, got {cv!r:.80}."
        )
    if labels is not None:
        labels.check_folds(folds)
    return folds


def _parts(
    stream: StreamedTexts, labels: RowLabels | None, folds: NDArray[np.intp]
) -> Iterator[tuple[int, NDArray, NDArray | None, NDArray | None]]:
    """Run the texts fold by fold, and yield the fold, rows, labels and weights of each part."""
    for fold in range(int(folds.max()) + 1):
        for rows in stream.rows(folds == fold):
            if labels is None:
                yield fold, rows.X, None, None
                continue
            places = labels.places(rows.text_ids, rows.positions)
            kept = labels.kept[places]
            if kept.any():
                yield fold, rows.X if kept.all() else rows.X[kept], *labels.take(places[kept])


def _scores(
    stream: StreamedTexts,
    labels: RowLabels | None,
    folds: NDArray[np.intp],
    layers: dict[str, int],
    finished: dict[str, Finished],
) -> dict[str, NDArray[np.float64]]:
    """Run the texts again, and score the estimators of each fold on those that are held out."""
    held_out = {
        name: [HeldOutScore(*pair) for pair in zip(each.trained, each.is_computed, strict=True)]
        for name, each in finished.items()
    }
    for fold, X, y, weight in _parts(stream, labels, folds):
        assert y is not None
        for name, scores in held_out.items():
            scores[fold].add(X[:, stream.columns(layers[name], X.shape[1])], y, weight)
    return {name: np.array([each.value() for each in scores]) for name, scores in held_out.items()}
