"""Description length: how many bits the labels take if a probe helps to send them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import (
    _safe_indexing,
    check_array,
    check_consistent_length,
    check_random_state,
    indexable,
)
from tqdm.auto import tqdm

from .._labels import check_labels, encode_labels
from .._optional import import_optional
from .._validation import naming_the_cell, refuse_tokens
from ._folds import refuse_frozen

# Of Voita and Titov (2020).
FRACTIONS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.0625, 0.125, 0.25, 0.5, 1.0)
# How far from 1 the probabilities of a word may sum: float32, or a few classes rounded to 3 digits.
_SUM_TOLERANCE = 1e-2


@dataclass(frozen=True, eq=False, repr=False)
class Codelength:
    """Bits of the labels, sent block by block; the result of :func:`codelength`.

    Parameters
    ----------
    block_bits : ndarray of shape (n_blocks,)
        Bits of the labels of each block, given the words before it.
    sizes : ndarray of int of shape (n_blocks,)
        Number of words of each block. A block is empty, and takes 0 bits, where the words are too
        few, or the groups too large, for two fractions to differ.
    fractions : ndarray of shape (n_blocks,)
        Share of the words that each block reaches up to, as asked for.
    n_classes : int
        Number of labels that the uniform code tells apart.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurox import Codelength
    >>> result = Codelength(np.array([4.0, 1.0]), np.array([2, 3]), np.array([0.4, 1.0]), 4)
    >>> result.bits, result.uniform_bits, result.compression
    (5.0, 10.0, 2.0)
    """

    block_bits: NDArray[np.float64]
    sizes: NDArray[np.intp]
    fractions: NDArray[np.float64]
    n_classes: int

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.sizes.sum():,} labels of {self.n_classes} classes, "
            f"{self.bits:,.0f} bits, {self.uniform_bits:,.0f} by the uniform code, compression "
            f"{self.compression:.2f})"
        )

    @property
    def bits(self) -> float:
        """Bits of all labels: the online code length."""
        return float(self.block_bits.sum())

    @property
    def uniform_bits(self) -> float:
        """Bits of all labels where each takes log2(n_classes)."""
        return float(self.sizes.sum() * np.log2(self.n_classes))

    @property
    def compression(self) -> float:
        """How many times shorter than the uniform code; below 1, the probe has misled."""
        return self.uniform_bits / self.bits

    def to_frame(self) -> Any:
        """One row for each block: words trained on, words sent, their bits and uniform bits.

        Returns
        -------
        pandas.DataFrame
        """
        pandas = import_optional("pandas", extra="plot", purpose="to_frame()")
        columns = {
            "n_train": self.sizes.cumsum() - self.sizes,
            "size": self.sizes,
            "bits": self.block_bits,
            "uniform_bits": self.sizes * np.log2(self.n_classes),
        }
        return pandas.DataFrame(columns, index=pandas.Index(self.fractions, name="fraction"))


def codelength(
    estimator,
    X,
    y,
    *,
    fractions: Sequence[float] = FRACTIONS,
    groups=None,
    random_state=None,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> Codelength:
    """Online minimum description length of the labels, given the activations.

    Someone who has the activations is sent the labels. The first block goes by the uniform code,
    log2(K) bits a label for K classes; each next one by the probabilities of a probe trained on
    all words before it, -log2 p(y | x) bits. Where a property is easy to read, few words are
    enough to predict the others, and the bits are few: unlike accuracy, they count the effort too.

    Parameters
    ----------
    estimator : classifier with ``predict_proba``
        A Pipeline too. It is cloned, and trained once a block, on as few words as the first block
        has. One that is sure of what is wrong pays for it: choose its regularisation.
    X : array-like of shape (n_words, n_neurons)
        Activations; or what else the estimator takes, such as a sparse matrix, or words before a
        ``OneHotEncoder``.
    y : array-like of shape (n_words,)
        Labels. K is the number of different ones.
    fractions : sequence of float in (0, 1]
        Where blocks end, as shares of the words; ascending up to 1. The first block has at least
        one word.
    groups : array-like of shape (n_words,), default=None
        Words of a group, a sentence, are sent in the same block: the one with its first word.
    random_state : int, RandomState instance or None, default=None
        Shuffles the words, or the groups.
    n_jobs : int, default=None
        Jobs of joblib, one a block.
    verbose : int, default=0
        Show a progress bar.

    Returns
    -------
    Codelength
        With ``bits``, ``uniform_bits``, ``compression``, and the bits of each block.

    Raises
    ------
    TypeError
        If the estimator has no ``predict_proba``.
    ValueError
        If lengths differ, X has NaN or infinity, y has a single class, there is a single group,
        `fractions` do not ascend up to 1, or what the estimator gives are no probabilities.

    Notes
    -----
    A probe knows nothing of a class that comes after its training words, and some probes give a
    class the probability 0; -log2 of it is no number of bits. So what is sent by is a mixture with
    the uniform code, which counts as one word beside the m words that the probe was trained on:
    p(y | x) = (m p_probe(y | x) + 1 / K) / (m + 1). No label takes more than log2(K (m + 1)) bits,
    and the mixture costs next to nothing: less than 1.45 bits for a block as long as all those
    before it. Where the m words have one class, no probe is trained, and p_probe of it is 1.

    References
    ----------
    .. [1] E. Voita and I. Titov (2020). Information-Theoretic Probing with Minimum Description
       Length. EMNLP.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn_neurox import codelength
    >>> X, y = load_digits(return_X_y=True)
    >>> probe = GaussianNB(var_smoothing=0.1)
    >>> codelength(probe, X, y, fractions=[0.1, 0.2, 0.4, 1.0], random_state=0)
    Codelength(1,797 labels of 10 classes, ... bits, 5,970 by the uniform code, compression ...)
    """
    if not hasattr(estimator, "predict_proba"):
        raise TypeError(
            f"codelength needs the probabilities of labels, but {type(estimator).__name__} has no "
            "predict_proba."
        )
    refuse_frozen(estimator, by="codelength")
    X, y, groups = check_words_data(X, y, groups)
    classes, codes = encode_labels(y, by="codelength")
    shares = _check_fractions(fractions)
    order, breaks = _shuffle(len(y), groups, check_random_state(random_state))
    ends = _block_ends(shares, breaks)

    blocks = [(order[:start], order[start:end]) for start, end in pairwise(ends)]
    results = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_block_bits)(estimator, X, y, classes, codes, train, test) for train, test in blocks
    )
    bar = tqdm(results, total=len(blocks), unit="block", desc="codelength", disable=not verbose)
    return Codelength(
        block_bits=np.array([ends[0] * np.log2(len(classes)), *bar]),
        sizes=np.diff(ends, prepend=0),
        fractions=shares,
        n_classes=len(classes),
    )


def check_words_data(X, y, groups):
    """Check lengths, and numbers that are none; other kinds of X are the estimator's to check."""
    refuse_tokens(X)
    check_consistent_length(X, y, groups)
    if isinstance(X, np.ndarray) and X.dtype.kind == "f":
        with naming_the_cell(X):
            X = check_array(X, input_name="X")
    X, groups = indexable(X, groups)
    if groups is not None:
        groups = check_labels(groups, name="groups")
    return X, check_labels(y, name="y"), groups


def take_words(X, words):
    """Rows of X; those of float16, a format to store, in float32."""
    rows = _safe_indexing(X, words)
    return rows.astype(np.float32) if getattr(rows, "dtype", None) == np.float16 else rows


def _check_fractions(fractions) -> NDArray[np.float64]:
    fractions = np.asarray(fractions, dtype=float)
    valid = fractions.ndim == 1 and fractions.size > 0 and fractions[0] > 0 and fractions[-1] == 1
    if not valid or not (np.diff(fractions) > 0).all():
        raise ValueError(
            "fractions must be a list of numbers in (0, 1] that ascend up to 1, so that all labels "
            f"are sent; got {fractions}."
        )
    return fractions


def _shuffle(n_words, groups, generator) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Order of the words, and after how many of them a block may end."""
    if groups is None:
        return generator.permutation(n_words), np.arange(1, n_words + 1)
    names, members = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        raise ValueError(
            f"All {n_words} words are of the group {names.tolist()[0]!r}; codelength needs two "
            "groups or more, as no probe is trained on a part of one."
        )
    places = generator.permutation(len(names))
    order = np.argsort(places[members], kind="stable")
    return order, np.bincount(places[members]).cumsum()


def _block_ends(fractions, breaks) -> NDArray[np.intp]:
    """After how many words each block ends: at the first break that leaves no group cut."""
    wanted = np.maximum(1, np.rint(fractions * breaks[-1])).astype(np.intp)
    return breaks[np.searchsorted(breaks, wanted)]


def _block_bits(estimator, X, y, classes, codes, train, test) -> float:
    """Bits of the labels of the test words for one who knows the training words."""
    if not len(test):
        return 0.0
    try:
        probabilities = _label_probabilities(estimator, X, y, classes, train, test)
    except Exception as error:
        error.add_note(
            f"This was {type(estimator).__name__} in a block of codelength, trained on "
            f"{len(train)} words with {len(np.unique(codes[train]))} classes. Larger first "
            "fractions train on more."
        )
        raise
    return float(-np.log2(probabilities[np.arange(len(test)), codes[test]]).sum())


def _label_probabilities(estimator, X, y, classes, train, test) -> NDArray[np.float64]:
    """Mix probe and uniform code for each test word, (n_test, n_classes); rows sum to 1."""
    seen = np.unique(y[train])
    if len(seen) == 1:
        probabilities = np.ones((len(test), 1))
    else:
        fitted = clone(estimator).fit(take_words(X, train), y[train])
        seen = np.asarray(fitted.classes_)
        probabilities = _check_probabilities(
            fitted.predict_proba(take_words(X, test)), seen, classes, len(test)
        )
    mixture = np.zeros((len(test), len(classes)))
    mixture[:, np.searchsorted(classes, seen)] = len(train) * probabilities
    return (mixture + 1 / len(classes)) / (len(train) + 1)


def _check_probabilities(probabilities, seen, classes, n_words) -> NDArray[np.float64]:
    """Probabilities that sum to 1 beyond the rounding of float32."""
    if not np.isin(seen, classes).all():
        raise ValueError(
            "The estimator knows classes that y does not have: "
            f"{np.setdiff1d(seen, classes).tolist()}."
        )
    probabilities = np.asarray(probabilities, dtype=np.float64)
    if probabilities.shape != (n_words, len(seen)):
        raise ValueError(
            f"predict_proba must give a row of {len(seen)} probabilities for each of the {n_words} "
            f"words, got shape {probabilities.shape}."
        )
    sums = probabilities.sum(axis=1, keepdims=True)
    if not ((probabilities >= 0).all() and (np.abs(sums - 1) <= _SUM_TOLERANCE).all()):
        raise ValueError(
            "predict_proba must give probabilities that are not negative and sum to 1, got sums "
            f"from {sums.min():.3g} to {sums.max():.3g} and a smallest of "
            f"{probabilities.min():.3g}."
        )
    return probabilities / sums
