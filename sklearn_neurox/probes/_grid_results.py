"""Results of a search over the penalties, with the names that GridSearchCV gives them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from .._rare_labels import of_defined_folds

GRID = ("lambda_l1", "lambda_l2")


def summarize(
    candidates: list[dict[str, float]], scores: NDArray, times: NDArray
) -> dict[str, Any]:
    """Return the fitted attributes of GridSearchCV.

    Parameters
    ----------
    candidates : list of dict
    scores : ndarray of shape (n_folds, n_candidates)
    times : ndarray of shape (n_folds, 2)
        Seconds to train and to score the whole grid. An equal share is assigned to each candidate.
    """
    # A fold in which the score is undefined for all candidates does not count.
    defined = of_defined_folds(scores.T).T
    means = defined.mean(axis=0)
    results: dict[str, Any] = {}
    for kind, seconds in zip(("fit", "score"), times.T / len(candidates), strict=True):
        results[f"mean_{kind}_time"] = np.full(len(candidates), seconds.mean())
        results[f"std_{kind}_time"] = np.full(len(candidates), seconds.std())
    for name in GRID:
        results[f"param_{name}"] = np.ma.MaskedArray(
            [candidate[name] for candidate in candidates], mask=False
        )
    results["params"] = candidates
    results |= {f"split{fold}_test_score": fold_scores for fold, fold_scores in enumerate(scores)}
    results |= {"mean_test_score": means, "std_test_score": defined.std(axis=0)}
    last = 0.0 if np.isnan(means).all() else np.nanmin(means) - 1
    ranked = rankdata(-np.nan_to_num(means, nan=last), method="min").astype(np.int32)
    results["rank_test_score"] = ranked
    best = int(ranked.argmin())
    return {
        "cv_results_": results,
        "best_index_": best,
        "best_params_": candidates[best],
        "best_score_": float(means[best]),
        "lambda_l1_": candidates[best]["lambda_l1"],
        "lambda_l2_": candidates[best]["lambda_l2"],
        "n_splits_": len(scores),
    }
