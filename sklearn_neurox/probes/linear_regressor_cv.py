"""The linear probe of numbers that chooses its lambdas by cross-validation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike

from .._validation import fit_context
from ._linear_probe_cv import LAMBDAS, LinearProbeCV
from .linear_regressor import LinearProbeRegressor


class LinearProbeRegressorCV(LinearProbeCV, LinearProbeRegressor):
    """Linear regressor that chooses lambda_l1 and lambda_l2 by cross-validation.

    On the same folds, it finds the same result as ``GridSearchCV`` over
    :class:`LinearProbeRegressor` in less time, because the probes of a grid are trained together on
    the same samples. With ``solver="owlqn"`` they read the samples only once, to compute X'X and
    X'y.

    Parameters
    ----------
    lambdas_l1, lambdas_l2 : array-like, default=(0, 1e-5, 1e-4, 1e-3, 1e-2)
        The grid: every lambda_l1 is combined with every lambda_l2.
    cv : int, splitter, iterable or None, default=None
        Folds as in ``GridSearchCV``. If `groups`, such as sentence ids, are passed to ``fit``, an
        int, or None for 5, is the number of folds of ``GroupKFold``, and the folds must not split a
        group.
    scoring : str, callable or None, default=None
        As in ``GridSearchCV``. If None, use the score of the plain probe: accuracy or R².
    refit : bool, default=True
        Whether to train on all samples with the best lambdas. Required for prediction.
    n_jobs : int, default=None
        Number of jobs to run in parallel, which share the folds and the grid, as in
        ``GridSearchCV``. A job trains up to 16 probes of a fold as one bank. The result does not
        depend on `n_jobs`.
    l2_penalty : {"norm", "squared"}, default="norm"
        P(W). "norm" is the unsquared ||W||_F, as in NeuroX, and "squared" is ||W||_F^2, as in [1]_.
    standardize : bool, default=False
        Whether to train on standardized neurons, so that the penalties apply to their weights, as
        after a ``StandardScaler`` that is fitted with the same `sample_weight`. ``coef_`` is for X
        as it is. X is not copied, and may be float16.
    solver : {"adam", "owlqn"}, default="adam"
        "adam" is mini-batch Adam with torch's default settings, for `max_epochs` epochs. With the
        same initial weights, the same batches and no shuffling, it follows the trajectory of
        NeuroX. "owlqn" is orthant-wise L-BFGS [2]_ on all samples. It reaches the optimum, sets
        weights to exactly 0, and gives the same result in every run.
    max_epochs : int, default=10
        Number of passes over the training samples ("adam").
    batch_size : int, default=32
        Number of samples per step. The last batch of an epoch may be smaller ("adam").
    learning_rate : float, default=1e-3
        Step size of Adam ("adam").
    shuffle : bool, default=False
        Whether to shuffle the samples before each epoch ("adam").
    net_params : dict, default=None
        Parameters of ``skorch.NeuralNet`` that override those of the probe's net, such as
        ``callbacks``, ``optimizer`` or a ``module`` derived from that of ``net_``. If any are
        given, skorch's own training step is used, which is slower ("adam").
    max_iter : int, default=1000
        Maximum number of iterations. If the solver does not converge, a ``ConvergenceWarning`` is
        issued ("owlqn").
    tol : float, default=1e-5
        Tolerance of the stopping criterion: maximum violation of the optimality conditions
        ("owlqn").
    warm_start : bool, default=False
        Whether to initialize the weights with ``coef_`` and ``intercept_`` of the previous fit
        instead of random weights ("adam") or W = 0 ("owlqn", which starts at W = 0 if that has the
        lower objective).
    device : str or torch.device, default="auto"
        Device to train on. If "auto", use CUDA if a CUDA device is available, and the CPU
        otherwise.
    random_state : int, RandomState instance or None, default=None
        Controls the initialization of the weights and, if `shuffle` is True, the order of the
        samples ("adam"). Pass an int for reproducible output across multiple function calls.
    verbose : int, default=0
        Verbosity level. If positive, print the scores of each fold.

    Attributes
    ----------
    lambda_l1_, lambda_l2_ : float
        The best pair.
    best_score_ : float
        Mean score of the best pair over the folds.
    best_params_ : dict
        The best pair by name.
    best_index_ : int
        Index of the best pair in ``cv_results_``.
    cv_results_ : dict of arrays
        As in ``GridSearchCV``. Times are equal shares of the total time of the grid.
    zero_shares_ : ndarray of shape (n_candidates, n_folds)
        Share of the weights that are exactly 0, for each pair on each fold.
    n_splits_ : int
        Number of folds.
    coef_ : ndarray of shape (n_neurons,), or (n_outputs, n_neurons) if y has two dimensions
        Weights, in the dtype of X.
    intercept_ : float, or ndarray of shape (n_outputs,)
        Bias.
    objective_ : float
        The objective on the training samples at the end, in squared units of y.
    optimality_ : float
        Largest violation of the optimality conditions: the distance of the smallest subgradient
        from 0. The violation of a weight is divided by the standard deviation of its neuron if that
        is below 1, and the violation of the bias is added ("owlqn").
    loss_curve_ : ndarray of shape (n_points,)
        Objective averaged over the steps of each epoch ("adam"), or objective at the start and
        after each iteration ("owlqn").
    n_iter_ : int
        Number of epochs ("adam"), or of points visited ("owlqn").
    net_ : skorch.NeuralNet
        The trained net, on the CPU. It is not required for prediction and not pickled. If
        `standardize` is True, it expects standardized neurons ("adam").
    n_features_in_ : int
        Number of neurons seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_neurons,)
        Names of the neurons seen during ``fit``. Defined only if X has names that are all strings.

    See Also
    --------
    LinearProbeRegressor : The probe for given lambdas.

    References
    ----------
    .. [1] F. Dalvi, N. Durrani, H. Sajjad, Y. Belinkov, A. Bau and J. Glass (2019). What Is One
       Grain of Sand in the Desert? Analyzing Individual Neurons in Deep NLP Models. AAAI.

    .. [2] G. Andrew and J. Gao (2007). Scalable Training of L1-Regularized Log-Linear Models.
       ICML.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.preprocessing import scale
    >>> from sklearn_neurox import LinearProbeRegressorCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = LinearProbeRegressorCV(
    ...     lambdas_l1=[0, 0.1, 1], standardize=True, solver="owlqn", cv=3
    ... )
    >>> round(search.fit(X, scale(y)).best_score_, 2)
    0.49
    """

    _parameter_constraints = LinearProbeCV._parameter_constraints
    _probe_class = LinearProbeRegressor

    def __init__(
        self,
        *,
        lambdas_l1: ArrayLike = LAMBDAS,
        lambdas_l2: ArrayLike = LAMBDAS,
        cv: Any = None,
        scoring: str | Callable[..., float] | None = None,
        refit: bool = True,
        n_jobs: int | None = None,
        l2_penalty: Literal["norm", "squared"] = "norm",
        standardize: bool = False,
        solver: str = "adam",
        max_epochs: int = 10,
        batch_size: int = 32,
        learning_rate: float = 1e-3,
        shuffle: bool = False,
        net_params: dict[str, Any] | None = None,
        max_iter: int = 1000,
        tol: float = 1e-5,
        warm_start: bool = False,
        device: str | torch.device = "auto",
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        self.lambdas_l1 = lambdas_l1
        self.lambdas_l2 = lambdas_l2
        self.cv = cv
        self.scoring = scoring
        self.refit = refit
        self.n_jobs = n_jobs
        self.l2_penalty = l2_penalty
        self.standardize = standardize
        self.solver = solver
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.shuffle = shuffle
        self.net_params = net_params
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None, **params: Any
    ) -> Self:
        """Cross-validate the grid, and train on all samples with the best lambdas.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations. float32 and float64 arrays are not converted. float16 arrays are converted
            to float32.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target values.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights in training and, as in ``GridSearchCV``, in scoring. With metadata
            routing, they are used in scoring if the scorer requests them. In training, a weight of
            0 is equivalent to removing the sample.
        **params : dict
            `groups`, which stay together. With metadata routing, everything that `cv` and `scoring`
            request.

        Returns
        -------
        self : LinearProbeRegressorCV
            Fitted probe.

        Raises
        ------
        ValueError
            As in ``LinearProbeRegressor.fit``.
        """
        return self._fit_grid(*self._check(X, y), sample_weight, params)
