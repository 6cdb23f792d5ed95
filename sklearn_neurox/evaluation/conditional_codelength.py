"""Conditional codelength: bits of the labels that activations save beyond a baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, hstack, issparse
from sklearn.utils import check_consistent_length
from sklearn.utils._param_validation import HasMethods, Interval

from .._bootstrap import Resampling, Score, as_seed, expanded_interval
from .._html import element, escape, format_value, table
from .._optional import import_optional
from .._row_copies import copy_blocks
from .._validation import check_matrix, validate_params
from .._wording import count
from ._comparison_statistics import MIN_GROUPS
from ._decision_scores import find_cells
from ._folds import RUN_CONSTRAINTS
from ._provenance import Provenance, describe_bootstrap, name_versions, provenance_of
from .comparison import format_score
from .description_length import FRACTIONS, Codelength, codelength


@dataclass(frozen=True, eq=False, repr=False)
class ConditionalCodelength:
    """Bits of the labels with and without activations, given a baseline.

    Parameters
    ----------
    baseline : Codelength
        Bits of the labels, given the baseline.
    joint : Codelength
        Bits of the labels, given the baseline and the activations, in the same blocks.
    information : Score
        Bits per label that the activations save, with an interval over groups.
    n_groups : int
        Number of groups, or of samples if there are no groups.
    is_grouped : bool
        Whether groups were resampled, rather than samples.
    confidence_level : float
        Confidence level of the interval.
    n_bootstraps, random_state : int
        Number of resamples, and the int that reproduces the order of the samples and the resamples.
    provenance : Provenance
        The estimator and the versions of the packages.
    """

    baseline: Codelength
    joint: Codelength
    information: Score
    n_groups: int
    is_grouped: bool
    confidence_level: float
    n_bootstraps: int
    random_state: int
    provenance: Provenance

    def __repr__(self) -> str:
        return (
            f"ConditionalCodelength({self.n_samples:,} labels, {self.baseline.bits:,.0f} bits "
            f"given the baseline, {self.joint.bits:,.0f} with the activations, information "
            f"{self.information} bits per label)"
        )

    @property
    def n_samples(self) -> int:
        """Number of labels."""
        return int(self.baseline.sizes.sum())

    @property
    def share(self) -> float:
        """Share of the bits given the baseline that the activations save."""
        return 1 - self.joint.bits / self.baseline.bits

    def _rows(self) -> Mapping[str, Score]:
        return {
            "baseline": Score(self.baseline.bits / self.n_samples, None, None),
            "joint": Score(self.joint.bits / self.n_samples, None, None),
            "information": self.information,
        }

    def to_frame(self) -> Any:
        """Return the bits per label given the baseline, with the activations, and the difference.

        Returns
        -------
        pandas.DataFrame
            The columns are "estimate", its interval, "lower" and "upper", "n" and "n_groups".
        """
        pandas = import_optional("pandas", extra="plot", purpose="to_frame()")
        rows = {
            name: (*score, self.n_samples, self.n_groups) for name, score in self._rows().items()
        }
        columns = ["estimate", "lower", "upper", "n", "n_groups"]
        frame = pandas.DataFrame.from_dict(rows, orient="index", columns=columns)
        return frame.astype({"lower": float, "upper": float}).rename_axis("bits per label")

    def methods(self, *, sample: str = "sample", group: str = "group") -> str:
        """Return sentences that describe the result in a paper.

        Parameters
        ----------
        sample, group : str
            What a sample and a group are, such as "word" and "sentence".

        Returns
        -------
        str
        """
        rows = self._rows()
        unit = group if self.is_grouped else sample
        sizes = [count(self.n_groups, group)] * self.is_grouped + [count(self.n_samples, sample)]
        return (
            f"The online code takes {format_score(rows['baseline'])} bits per label given the "
            f"baseline, and {format_score(rows['joint'])} given the baseline and the activations. "
            f"Conditional information: {format_score(self.information)} bits per label "
            f"({self.confidence_level:.0%} interval); {', '.join(sizes)}. "
            f"{describe_bootstrap(unit, self.n_bootstraps, self.random_state)} "
            f"{name_versions(self.provenance.versions)}. "
            f"Estimator: {self.provenance.estimator}."
        )

    def _repr_html_(self) -> str:
        heads = [element("th", name, scope="col") for name in ("bits per label", "score")]
        rows = [
            [element("td", escape(format_value(cell))) for cell in (name, str(score))]
            for name, score in self._rows().items()
        ]
        return table(heads, [rows], caption=escape(repr(self)))


@validate_params(
    RUN_CONSTRAINTS
    | {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "n_bootstraps": [Interval(Integral, 1, None, closed="left")],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
    }
)
def conditional_codelength(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    given: Any,
    fractions: Sequence[float] | NDArray = FRACTIONS,
    groups: ArrayLike | None = None,
    n_bootstraps: int = 2000,
    confidence_level: float = 0.95,
    random_state: int | np.random.RandomState | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> ConditionalCodelength:
    """Compute how many bits of the labels the activations save beyond a baseline.

    A layer encodes a property beyond its input if a probe that has both is better than one that has
    the input only. Conditional probing [1]_ compares a probe on the baseline and the activations
    with a probe on the baseline. The difference of their entropies estimates the V-information of
    the activations about the labels, given the baseline: what a probe of this family can use. Here,
    the entropies are those of the online codes of :func:`codelength`, which include the effort of
    learning: activations that are easier to read than the baseline save bits, even if they contain
    the same information.

    Parameters
    ----------
    estimator : classifier with ``predict_proba``
        Possibly a Pipeline. It is cloned, and trained on the baseline alone and on the columns of
        the baseline followed by those of X. Penalties should be as suitable for both as possible.
    X : array-like or sparse matrix of shape (n_samples, n_neurons)
        Activations.
    y : array-like of shape (n_samples,)
        Labels.
    given : array-like or sparse matrix of shape (n_samples, n_baseline)
        The baseline, such as the embeddings, another layer, or one-hot encoded words.
    fractions, groups
        As in :func:`codelength`.
    n_bootstraps : int, default=2000
        Number of resamples of the groups, or of the samples if there are no groups.
    confidence_level : float, default=0.95
        Confidence level of the interval.
    random_state : int, RandomState instance or None, default=None
        Controls the order of the samples, which is the same in both codes, and the resamples. Pass
        an int for reproducible output across multiple function calls.
    n_jobs, verbose
        As in :func:`codelength`.

    Returns
    -------
    ConditionalCodelength

    Raises
    ------
    TypeError, ValueError
        As in :func:`codelength`, and if `given` is not a finite matrix of n_samples rows.

    Notes
    -----
    The information may be negative: additional neurons can prevent a probe from learning. The
    probes are fixed in the resamples, so the interval describes the sample of labels. With fewer
    than five groups, there is no interval.

    References
    ----------
    .. [1] J. Hewitt, K. Ethayarajh, P. Liang and C. D. Manning (2021). Conditional Probing:
       Measuring Usable Information Beyond a Baseline. EMNLP.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_neurox import conditional_codelength
    >>> rng = np.random.RandomState(0)
    >>> embeddings, other = rng.normal(size=(2, 600, 3))
    >>> y = embeddings[:, 0] + other[:, 0] > 0
    >>> probe = LogisticRegression()
    >>> conditional_codelength(probe, other, y, given=embeddings, random_state=0)
    ConditionalCodelength(600 labels, ... information 0.4... [0.4..., 0.5...] bits per label)
    >>> conditional_codelength(probe, 2 * embeddings, y, given=embeddings, random_state=0)
    ConditionalCodelength(600 labels, ... information -0.0... [-0.0..., 0.0...] bits per label)
    """
    activations = check_matrix(X, accept_sparse="csr")
    baseline = check_matrix(given, name="given", accept_sparse="csr")
    check_consistent_length(activations, baseline, y)
    seed = as_seed(random_state)
    options: dict[str, Any] = {
        "fractions": fractions,
        "groups": groups,
        "random_state": seed,
        "n_jobs": n_jobs,
        "verbose": verbose,
    }
    of_baseline = codelength(estimator, baseline, y, **options)
    of_both = codelength(estimator, _beside(baseline, activations), y, **options)
    assert of_baseline.sample_bits is not None
    assert of_both.sample_bits is not None
    units = None if groups is None else np.unique(groups, return_inverse=True)[1].ravel()
    n_groups = activations.shape[0] if units is None else int(units.max()) + 1
    resampling = Resampling(int(n_bootstraps), float(confidence_level), seed)
    return ConditionalCodelength(
        baseline=of_baseline,
        joint=of_both,
        information=_mean(
            of_baseline.sample_bits - of_both.sample_bits, units, n_groups, resampling
        ),
        n_groups=n_groups,
        is_grouped=groups is not None,
        confidence_level=float(confidence_level),
        n_bootstraps=int(n_bootstraps),
        random_state=seed,
        provenance=provenance_of(estimator, None),
    )


def _beside(baseline: Any, activations: Any) -> Any:
    if issparse(baseline) or issparse(activations):
        return hstack([baseline, activations], format="csr")
    return copy_blocks([[baseline], [activations]])


def _mean(
    values: NDArray[np.float64], units: NDArray | None, n_groups: int, resampling: Resampling
) -> Score:
    """Return a mean with its expanded interval over groups."""
    cells, rows = find_cells([values])
    features = np.column_stack([values[rows], np.ones(len(rows))])

    def statistics(weights: NDArray, counts: csr_array) -> NDArray:
        total, n = (weights @ (counts @ features)).T
        return (total / n)[:, np.newaxis]

    drawn = resampling.draw(cells, units, statistics)
    if drawn is None or n_groups < MIN_GROUPS:
        return Score(float(values.mean()), None, None)
    return Score(
        float(values.mean()), *expanded_interval(drawn[:, 0], resampling.confidence, n_groups)
    )
