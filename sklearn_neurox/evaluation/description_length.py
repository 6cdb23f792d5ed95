"""Minimum description length: number of bits of the labels if a probe helps to encode them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods

from .._grouped_fits import fit_clone
from .._labels import check_class_labels, check_same_kind, encode_labels
from .._optional import import_optional
from .._results import check_probabilities, classes_of
from .._validation import validate_params
from ._folds import RUN_CONSTRAINTS, check_not_frozen
from ._jobs import run_jobs
from ._samples import check_samples, take_samples

# Those of Voita and Titov (2020).
FRACTIONS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.0625, 0.125, 0.25, 0.5, 1.0)


@dataclass(frozen=True, eq=False, repr=False)
class Codelength:
    """Bits of the labels, encoded block by block, as returned by :func:`codelength`.

    Parameters
    ----------
    block_bits : ndarray of shape (n_blocks,)
        Bits of the labels of each block, given all samples before it.
    sizes : ndarray of int of shape (n_blocks,)
        Number of samples in each block. A block is empty, and takes 0 bits, if there are too few
        samples, or too large groups, for two fractions to differ.
    fractions : ndarray of shape (n_blocks,)
        Fraction of the samples at which each block ends.
    n_classes : int
        Number of classes, which determines the uniform code.
    sample_bits : ndarray of shape (n_samples,) or None
        Bits of each label, in the order of y.

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
    sample_bits: NDArray[np.float64] | None = None

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
        """Bits of all labels if each takes log2(n_classes)."""
        return float(self.sizes.sum() * np.log2(self.n_classes))

    @property
    def compression(self) -> float:
        """Uniform bits divided by bits. Below 1, the probe is worse than the uniform code."""
        return self.uniform_bits / self.bits

    def to_frame(self) -> Any:
        """Return one row per block: training samples, samples, their bits and uniform bits.

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


@validate_params(RUN_CONSTRAINTS | {"estimator": [HasMethods(["fit", "predict_proba"])]})
def codelength(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    fractions: Sequence[float] | NDArray = FRACTIONS,
    groups: ArrayLike | None = None,
    random_state: int | np.random.RandomState | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> Codelength:
    """Compute the online minimum description length of the labels, given the activations [1]_.

    A sender encodes the labels for a receiver who has the activations. The first block uses the
    uniform code, log2(K) bits per label for K classes. Each following block uses the probabilities
    of a probe that was trained on all samples before it, -log2 p(y | x) bits per label. If a
    property is easy to read, a few samples suffice to predict the others, and the code is short:
    unlike accuracy, its length also measures the effort.

    Parameters
    ----------
    estimator : classifier with ``predict_proba``
        Possibly a Pipeline. It is cloned, and trained once per block, on as few samples as the
        first block contains. Confident errors are expensive, so its regularization should be chosen
        carefully.
    X : array-like of shape (n_samples, n_neurons)
        Activations, or any other input of the estimator, such as a sparse matrix, or words before
        a ``OneHotEncoder``.
    y : array-like of shape (n_samples,)
        Labels. K is the number of distinct labels.
    fractions : sequence of float in (0, 1]
        Fractions of the samples at which blocks end, increasing up to 1. The first block contains
        at least one sample.
    groups : array-like of shape (n_samples,), default=None
        Samples of a group, such as a sentence, are encoded in the same block: that of the first
        one. Searches inside the estimator use them as in :func:`layerwise_scores`.
    random_state : int, RandomState instance or None, default=None
        Controls the shuffling of the samples, or of the groups. Pass an int for reproducible output
        across multiple function calls.
    n_jobs : int, default=None
        Number of jobs to run in parallel, one for each block. None means 1 unless in a
        ``joblib.parallel_backend`` context. -1 means using all processors.
    verbose : int, default=0
        Verbosity level. If positive, show a progress bar.

    Returns
    -------
    Codelength
        With ``bits``, ``uniform_bits``, ``compression``, and the bits of each block.

    Raises
    ------
    TypeError
        If the estimator does not have ``predict_proba``.
    ValueError
        If lengths differ, X contains NaN or infinity, y has a single class, there is a single
        group, `fractions` do not increase up to 1, or the estimator does not predict
        probabilities.

    Notes
    -----
    A probe cannot predict a class that is missing in its training samples, and some probes assign
    the probability 0 to a class, whose code length would be infinite. Labels are therefore encoded
    with a mixture of the probe and the uniform code, which counts as one sample in addition to the
    m samples that the probe was trained on: p(y | x) = (m p_probe(y | x) + 1 / K) / (m + 1). No
    label takes more than log2(K (m + 1)) bits, and the mixture costs little: less than 1.45 bits
    for a block as long as all those before it. If the m samples are of one class, no probe is
    trained, and p_probe of that class is 1.

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
    check_not_frozen(estimator, by="codelength")
    X, y, groups = check_samples(X, y, groups)
    classes, codes = encode_labels(check_class_labels(y), by="codelength")
    shares = _check_fractions(fractions)
    order, breaks = _shuffle(len(y), groups, check_random_state(random_state))
    ends = _block_ends(shares, breaks)

    blocks = [(order[:start], order[start:end]) for start, end in pairwise(ends)]
    jobs = [(estimator, X, y, classes, codes, train, test, groups) for train, test in blocks]
    places = [
        f"in a block of codelength, where {type(estimator).__name__} was trained on {len(train)} "
        f"samples of {len(np.unique(codes[train]))} classes; a larger first fraction increases the "
        "number of samples"
        for train, _ in blocks
    ]
    later = run_jobs(
        _block_bits,
        jobs,
        places=places,
        n_jobs=n_jobs,
        verbose=verbose,
        name="codelength",
        unit="block",
    )
    each = [np.full(ends[0], np.log2(len(classes))), *later]
    sample_bits = np.empty(len(y))
    sample_bits[order] = np.concatenate(each)
    return Codelength(
        block_bits=np.array([bits.sum() for bits in each]),
        sizes=np.diff(ends, prepend=0),
        fractions=shares,
        n_classes=len(classes),
        sample_bits=sample_bits,
    )


def _check_fractions(fractions: ArrayLike) -> NDArray[np.float64]:
    fractions = np.asarray(fractions)
    is_list = fractions.ndim == 1 and fractions.size and fractions.dtype.kind in "iuf"
    if (
        not is_list
        or not (fractions[0] > 0 and fractions[-1] == 1)
        or not (np.diff(fractions) > 0).all()
    ):
        raise ValueError(
            "fractions must be a list of numbers in (0, 1] that increase up to 1, so that all "
            f"labels are encoded, got {fractions}."
        )
    return fractions.astype(np.float64)


def _shuffle(
    n_samples: int, groups: NDArray | None, generator: np.random.RandomState
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the order of the samples, and the numbers of samples after which a block may end."""
    if groups is None:
        return generator.permutation(n_samples), np.arange(1, n_samples + 1)
    names, members = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        raise ValueError(
            "codelength requires at least 2 groups, because no probe is trained on part of a "
            f"group, but all {n_samples} samples are in group {names.tolist()[0]!r}."
        )
    places = generator.permutation(len(names))
    order = np.argsort(places[members], kind="stable")
    return order, np.bincount(places[members]).cumsum()


def _block_ends(fractions: NDArray[np.float64], breaks: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the number of samples at the end of each block, which is at the end of a group."""
    wanted = np.maximum(1, np.rint(fractions * breaks[-1])).astype(np.intp)
    return breaks[np.searchsorted(breaks, wanted)]


def _block_bits(
    estimator: Any,
    X: Any,
    y: NDArray,
    classes: NDArray,
    codes: NDArray[np.intp],
    train: NDArray[np.intp],
    test: NDArray[np.intp],
    groups: NDArray | None = None,
) -> NDArray[np.float64]:
    """Return the bits of the label of each test sample, given the training samples."""
    if not len(test):
        return np.empty(0)
    probabilities = _label_probabilities(estimator, X, y, classes, train, test, groups)
    return -np.log2(probabilities[np.arange(len(test)), codes[test]])


def _label_probabilities(
    estimator: Any,
    X: Any,
    y: NDArray,
    classes: NDArray,
    train: NDArray[np.intp],
    test: NDArray[np.intp],
    groups: NDArray | None = None,
) -> NDArray[np.float64]:
    """Mix the probe and the uniform code: (n_test, n_classes), rows sum to 1."""
    seen = np.unique(y[train])
    if len(seen) == 1:
        probabilities = np.ones((len(test), 1))
    else:
        of_train = None if groups is None else groups[train]
        fitted = fit_clone(estimator, take_samples(X, train), y[train], of_train)
        seen = _check_classes(classes_of(fitted), classes)
        probabilities = check_probabilities(
            fitted.predict_proba(take_samples(X, test)), len(test), len(seen)
        )
    mixture = np.zeros((len(test), len(classes)))
    mixture[:, np.searchsorted(classes, seen)] = len(train) * probabilities
    return (mixture + 1 / len(classes)) / (len(train) + 1)


def _check_classes(seen: NDArray, classes: NDArray) -> NDArray:
    check_same_kind(seen, classes, name="classes_ of the estimator")
    if not np.isin(seen, classes).all():
        raise ValueError(
            "The estimator has classes that do not occur in y: "
            f"{np.setdiff1d(seen, classes).tolist()}."
        )
    return seen
