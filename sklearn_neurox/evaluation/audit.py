"""Audit of texts and labels: leaks between the folds, and labels that the surface reveals."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from sklearn.feature_selection import chi2
from sklearn.utils import check_consistent_length
from sklearn.utils._param_validation import Interval
from sklearn.utils.multiclass import type_of_target

from .._bootstrap import Score, as_seed
from .._grouped_fits import fit_clone
from .._labels import check_labels
from .._validation import validate_params
from ._baselines import majority
from ._comparable import check_metric
from ._comparison_statistics import MIN_GROUPS
from ._folds import CV_CONSTRAINTS, Split, make_folds
from ._jobs import run_jobs
from ._layer_fits import FoldResult, score_fitted
from ._leaks import Leaks, find_copies, find_leaks
from ._make_comparison import BOOTSTRAP_CONSTRAINTS, resample_scores
from ._provenance import installed_versions
from ._responses import Response
from ._text_baselines import (
    LENGTH,
    SINGLE_TOKEN,
    TF_IDF,
    check_texts,
    count_tokens,
    text_baseline,
    text_features,
)
from .corpus_audit import CorpusAudit, LeakExample, TokenLabel
from .decision_metrics import response_of
from .held_out import HeldOutPredictions, join_folds
from .scorers import check_scorer

_N_TOKENS = 10


@validate_params(
    CV_CONSTRAINTS
    | BOOTSTRAP_CONSTRAINTS
    | {
        "metric": [str, None],
        "threshold": [Interval(Real, 0, 1, closed="right")],
        "n_examples": [Interval(Integral, 0, None, closed="left")],
    }
)
def audit_corpus(
    texts: Iterable[str],
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    cv: Any = None,
    metric: str | None = None,
    threshold: float = 0.8,
    n_examples: int = 10,
    n_bootstraps: int = 2000,
    confidence_level: float = 0.95,
    random_state: int | RandomState | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> CorpusAudit:
    """Find what makes the score of a probe on texts too high, before any network is run.

    - *Leaks* are test texts that occur in the training set of their fold, or have a near duplicate
      there. Near duplicates are found by MinHash signatures [1]_ and confirmed by the Jaccard
      similarity of their sets of character 5-grams: of all 5-grams, and of those that at most 5 %
      of the texts contain, because texts that share a template are not duplicates.
    - *Baselines* predict the labels from the length of a text, from the presence of one token, and
      from a TF-IDF table. A probe that does not exceed them does not show that a network encodes
      the labels.

    Parameters
    ----------
    texts : iterable of n_texts str
        The texts, for example prompts.
    y : array-like of shape (n_texts,)
        Labels, or floating-point numbers that are not whole.
    groups : array-like of shape (n_texts,), default=None
        Groups of the texts, which are never split between training and test.
    cv : int, splitter, iterable or None, default=None
        The folds that will be used for the probes, as in :func:`layerwise_scores`.
    metric : str, default=None
        As in :func:`compare_scores`. By default, accuracy, or "r2" for numbers.
    threshold : float, default=0.8
        Similarity from which two texts are near duplicates, in (0, 1].
    n_examples : int, default=10
        Number of examples of leaks to keep.
    n_bootstraps : int, default=2000
        Number of resamples for the intervals.
    confidence_level : float, default=0.95
        Confidence level of the intervals.
    random_state : int, RandomState instance or None, default=None
        Controls the hash functions, the resamples and the examples. Pass an int for reproducible
        output across multiple function calls.
    n_jobs : int, default=None
        Number of baselines and folds to run in parallel.
    verbose : int, default=0
        Verbosity level. If positive, show a progress bar.

    Returns
    -------
    CorpusAudit

    Raises
    ------
    TypeError
        If `texts` contains something other than strings.
    ValueError
        If lengths differ, the metric is unknown, or there are fewer than five groups.

    Warns
    -----
    UnseenLabelsWarning
        If test texts have labels that were not seen during training.

    Notes
    -----
    Of many similar texts, each is compared with up to 32 others. All near duplicates are found with
    a probability of 0.998 if their similarity is 0.8.

    References
    ----------
    .. [1] A. Broder (1997). On the resemblance and containment of documents. Compression and
       Complexity of Sequences.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurox import audit_corpus
    >>> rng = np.random.RandomState(0)
    >>> animals = ["cat", "dog", "horse", "cow", "goat", "sheep", "duck", "hen", "pig", "fox"]
    >>> texts = [f"The {each} {verb}." for each in animals for verb in ("sleeps", "runs", "eats")]
    >>> y = [text.startswith(("The c", "The d", "The h")) for text in texts]
    >>> audit = audit_corpus(texts + texts[:6], y + y[:6], cv=3, random_state=0)
    >>> audit
    CorpusAudit(36 texts, 30 distinct; in training: ...% of the test texts, ...)
    >>> audit.examples[0].similarity
    1.0
    """
    texts = check_texts(texts, name="texts")
    y, units = check_labels(y, name="y"), None
    if groups is not None:
        units = check_labels(groups, name="groups")
    check_consistent_length(texts, y, units)
    is_number = type_of_target(y) == "continuous"
    metric = check_metric(metric or ("r2" if is_number else "accuracy"))
    seed = as_seed(random_state)
    place = np.zeros((len(y), 1))
    estimator = text_baseline(TF_IDF, is_number)
    splits, *_ = make_folds(estimator, place, y, cv=cv, groups=units, scoring=None)

    counts, tokens = count_tokens(texts)
    baselines = _score_baselines(
        texts, counts, y, splits, is_number, metric, units, n_jobs, verbose
    )
    copies = find_copies(texts, threshold, seed)
    leaks = find_leaks(copies, splits)
    options = (metric, int(n_bootstraps), float(confidence_level), seed)
    held_out = baselines["majority"]
    return CorpusAudit(
        n_texts=len(texts),
        n_distinct=copies.similarity.shape[0],
        threshold=float(threshold),
        rows=held_out.rows,
        folds=held_out.folds,
        similarity=leaks.similarity,
        sources=leaks.sources,
        clusters=copies.clusters,
        n_conflicts=_count_conflicts(copies.codes, y),
        metric=metric,
        scores=_scores(baselines, *options),
        clean_scores=_clean_scores(baselines, leaks, *options),
        tokens=() if is_number else _revealing_tokens(counts, tokens, y),
        examples=_examples(texts, y, held_out.rows, leaks, int(n_examples), seed),
        confidence_level=float(confidence_level),
        n_groups=held_out.n_groups,
        is_grouped=units is not None,
        random_state=seed,
        versions=installed_versions(),
    )


def _score_baselines(
    texts: list[str],
    counts: csr_array,
    y: NDArray,
    splits: list[Split],
    is_number: bool,
    metric: str,
    groups: NDArray | None,
    n_jobs: int | None,
    verbose: int,
) -> dict[str, HeldOutPredictions]:
    """Return the held-out predictions of all baselines."""
    names = (LENGTH, SINGLE_TOKEN, TF_IDF)
    features = {name: text_features(name, texts, counts) for name in names}
    estimators = {name: text_baseline(name, is_number) for name in names}
    features["majority"] = np.zeros((len(y), 1))
    estimators["majority"] = majority(estimators[TF_IDF])
    order = ("majority", *names)
    response = response_of(metric, y)
    jobs = [
        (estimators[name], features[name], y, split, response) for name in order for split in splits
    ]
    places = [
        f"in fold {i}, for the baseline {name!r}" for name in order for i in range(len(splits))
    ]
    results = run_jobs(
        _fit_baseline, jobs, places=places, n_jobs=n_jobs, verbose=verbose, name="baselines"
    )
    return {
        name: join_folds(
            results[i * len(splits) : (i + 1) * len(splits)], splits, y, groups, response
        )
        for i, name in enumerate(order)
    }


def _fit_baseline(
    estimator: Any, X: Any, y: NDArray, split: Split, response: Response | None
) -> FoldResult:
    train, test = split
    fitted = fit_clone(estimator, X[train], y[train])
    scorer = check_scorer(fitted, None)
    return score_fitted([fitted], [X[test]], y[test], scorer, response)


def _scores(
    held_out: dict[str, HeldOutPredictions],
    metric: str,
    n_bootstraps: int,
    confidence_level: float,
    seed: int,
) -> dict[str, Score]:
    found = resample_scores(metric, list(held_out.values()), n_bootstraps, confidence_level, seed)
    return {name: found.score(i) for i, name in enumerate(held_out)}


def _clean_scores(
    held_out: dict[str, HeldOutPredictions], leaks: Leaks, *options: Any
) -> dict[str, Score]:
    """Return the scores on the texts that do not leak, if they are of enough groups."""
    clean = leaks.similarity == 0
    if not clean.any():
        return {}
    kept = {name: each.select(clean) for name, each in held_out.items()}
    if next(iter(kept.values())).n_groups < MIN_GROUPS:
        return {}
    return _scores(kept, *options)


def _count_conflicts(codes: NDArray[np.intp], y: NDArray) -> int:
    """Count the texts with a copy that has another label."""
    labels = np.unique(y, return_inverse=True)[1]
    pairs = np.unique(np.column_stack([codes, labels]), axis=0)
    n_labels = np.bincount(pairs[:, 0], minlength=codes.max() + 1)
    return int((n_labels[codes] > 1).sum())


def _revealing_tokens(counts: csr_array, tokens: NDArray, y: NDArray) -> tuple[TokenLabel, ...]:
    """Return the tokens whose presence depends most on the label, by the chi-squared statistic."""
    contains = (counts > 0).astype(np.float64)
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2 or not contains.nnz:
        return ()
    statistics = np.nan_to_num(chi2(contains, codes)[0])
    chosen = np.argsort(-statistics, kind="stable")[:_N_TOKENS]
    one_hot = csr_array((np.ones(len(codes)), (codes, np.arange(len(codes)))))
    by_label = (one_hot @ contains[:, chosen]).toarray()  # (n_classes, n_chosen)
    of_all = np.bincount(codes) / len(codes)
    found = []
    for token, counts_of_token in zip(tokens[chosen].tolist(), by_label.T, strict=True):
        n_texts = int(counts_of_token.sum())
        label = int(counts_of_token.argmax())
        share = float(counts_of_token[label] / n_texts)
        found.append(
            TokenLabel(token, classes.tolist()[label], n_texts, share, float(of_all[label]))
        )
    return tuple(found)


def _examples(
    texts: list[str], y: NDArray, rows: NDArray[np.intp], leaks: Leaks, n_examples: int, seed: int
) -> tuple[LeakExample, ...]:
    """Return random leaks, half of them near duplicates if there are as many."""
    random = np.random.RandomState(seed)
    copies = random.permutation(np.flatnonzero(leaks.similarity == 1))
    near = random.permutation(np.flatnonzero((leaks.similarity > 0) & (leaks.similarity < 1)))
    n_near = min(len(near), max(n_examples // 2, n_examples - len(copies)))
    chosen = np.concatenate([copies[: n_examples - n_near], near[:n_near]])
    labels = y.tolist()
    return tuple(
        LeakExample(row, source, similarity, texts[row], texts[source], labels[row], labels[source])
        for row, source, similarity in zip(
            rows[chosen].tolist(),
            leaks.sources[chosen].tolist(),
            leaks.similarity[chosen].tolist(),
            strict=True,
        )
    )
