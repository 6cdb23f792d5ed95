"""A grid of 5 x 5 lambdas on 3 folds, on two cores, compared with 75 separate fits.

For the other sides only a part of the 75 fits is timed and the time is scaled: 3 fits of NeuroX, 6
of GridSearchCV over skorch, and 25 (one fold) of the exact probe. All fits by Adam take the same
number of steps.
Run: python benchmarks/bench_grid.py [--repeats 5]
"""

from __future__ import annotations

import warnings

import _neurox
import numpy as np
import torch
from _data import accuracy, draw_start, floor, make_data
from _timing import command_line, interleave
from bench_adam import PenalizedNet
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from threadpoolctl import threadpool_limits
from torch import nn

from sklearn_neurox import LinearProbeClassifier, LinearProbeClassifierCV

N_THREADS, TOL = 2, 1e-4
LAMBDAS = (0, 1e-5, 1e-4, 1e-3, 1e-2)
PAIR = (1e-3, 1e-4)  # the lambdas of the three fits that are timed


def grid(X, y, **params):
    search = LinearProbeClassifierCV(cv=3, refit=False, random_state=0, device="cpu", **params)
    search.fit(X, y)
    pairs = [tuple(pair.values()) for pair in search.cv_results_["params"]]
    of_pair = search.cv_results_["mean_test_score"][pairs.index(PAIR)]
    best = tuple(search.best_params_.values())
    return f"best accuracy {search.best_score_:.4f} at {best}; {of_pair:.4f} at {PAIR}"


def three_by_neurox(X, y, n_threads=N_THREADS):
    start = draw_start(y.max() + 1, X.shape[1])
    scores = []
    torch.set_num_threads(n_threads)
    for train, test in StratifiedKFold(3).split(X, y):
        weight, bias, _ = _neurox.train(X[train], y[train], *PAIR, start=start)
        scores.append(accuracy(weight, bias, X[test], y[test]))
    torch.set_num_threads(N_THREADS)
    return f"accuracy {np.mean(scores):.4f} at {PAIR}"


class GridNet(PenalizedNet):
    """Plain skorch net with the penalties as parameters, as a grid search requires."""

    def __init__(self, *args, lambda_l1=0.0, lambda_l2=0.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.lambda_l1 = lambda_l1
        self.lambda_l2 = lambda_l2

    def get_loss(self, y_pred, y_true, X=None, training=False):
        weight = self.module_.weight
        penalty = self.lambda_l1 * weight.abs().sum() + self.lambda_l2 * weight.norm()
        return super(PenalizedNet, self).get_loss(y_pred, y_true, X, training) + penalty


def six_by_skorch(X, y):
    net = GridNet(
        nn.Linear, module__in_features=X.shape[1], module__out_features=y.max() + 1,
        criterion=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=1e-3, max_epochs=10,
        batch_size=32, train_split=None, verbose=0,
    )  # fmt: skip
    lambdas = {"lambda_l1": [PAIR[0]], "lambda_l2": [0, PAIR[1]]}
    search = GridSearchCV(net, lambdas, cv=3, refit=False, n_jobs=2).fit(X, y)
    return f"accuracy {search.cv_results_['mean_test_score'][1]:.4f} at {PAIR}"


def exact_scores(X, y, n_folds=3):
    """Return the accuracies of exact probes fitted one by one, of shape (n_folds, 5, 5)."""
    scores = np.zeros((n_folds, len(LAMBDAS), len(LAMBDAS)))
    folds = list(StratifiedKFold(3).split(X, y))[:n_folds]
    for fold, (train, test) in enumerate(folds):
        X_train, y_train = X[train], y[train]
        for i, lambda_l1 in enumerate(LAMBDAS):
            for j, lambda_l2 in enumerate(LAMBDAS):
                probe = LinearProbeClassifier(
                    lambda_l1=lambda_l1, lambda_l2=lambda_l2, solver="owlqn", tol=TOL, device="cpu"
                ).fit(X_train, y_train)
                scores[fold, i, j] = probe.score(X[test], y[test])
    return scores


def one_by_one(X, y):
    """Return a function that fits the first of three folds, and reports the scores of all three."""
    means = exact_scores(X, y).mean(axis=0)
    i, j = np.unravel_index(means.argmax(), means.shape)
    of_pair = means[LAMBDAS.index(PAIR[0]), LAMBDAS.index(PAIR[1])]
    best = (LAMBDAS[i], LAMBDAS[j])
    report = f"best accuracy {means.max():.4f} at {best}; {of_pair:.4f} at {PAIR}"

    def timed():
        exact_scores(X, y, n_folds=1)
        return report

    return timed


def compare_adam(X, y, repeats):
    floor_of_all = floor(*X.shape, y.max() + 1, passes=500)
    print(f"adam, 75 probes, 10 epochs on 2/3 of the samples; {floor_of_all} if each probe reads X")
    sides = {
        "LinearProbeClassifierCV, n_jobs=2": lambda: grid(X, y, n_jobs=2),
        "LinearProbeClassifierCV": lambda: grid(X, y),
        "75 fits by NeuroX, 2 threads": lambda: three_by_neurox(X, y),
        "75 fits by NeuroX, 1 thread": lambda: three_by_neurox(X, y, n_threads=1),
        "GridSearchCV over skorch, n_jobs=2": lambda: six_by_skorch(X, y),
    }
    scale = dict(zip(list(sides)[2:], (25, 25, 12.5), strict=True))
    interleave(sides, repeats=repeats, scale=scale)


def compare_owlqn(X, y, repeats):
    print(f"owlqn, tol={TOL:g}, the same data and grid")
    name = "75 fits of LinearProbeClassifier"
    sides = {
        "LinearProbeClassifierCV": lambda: grid(X, y, solver="owlqn", tol=TOL),
        "LinearProbeClassifierCV, n_jobs=2": lambda: grid(X, y, solver="owlqn", tol=TOL, n_jobs=2),
        name: one_by_one(X, y),
    }
    interleave(sides, repeats=repeats, scale={name: 3})


def main():
    args = command_line(__doc__).parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(N_THREADS)
    _neurox.check()
    X, y = make_data()
    print("{:,} samples x {:,} neurons, {} classes".format(*X.shape, y.max() + 1))
    compare_adam(X, y, args.repeats)
    compare_owlqn(X, y, args.repeats)


if __name__ == "__main__":
    with threadpool_limits(N_THREADS):
        main()
