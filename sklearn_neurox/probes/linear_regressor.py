"""The linear probe of numbers."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.utils import Tags

from .._labels import check_targets
from .._validation import fit_context, validate_samples
from .._weights import check_sample_weight
from ._linear_batches import RegressorBatches
from ._linear_probe import LinearProbe


class LinearProbeRegressor(RegressorBatches, RegressorMixin, LinearProbe):
    """Linear regressor that predicts a number from activations.

    It minimizes ::

        mean_i w_i * mean_j (W_j x_i + b_j - y_ij)^2 + lambda_l1 * sum|W| + lambda_l2 * P(W)

    where the bias b is not penalized. Adam changes a weight by at most about `learning_rate` per
    step. If the scale of y is far from 1, standardize y or increase `learning_rate`.

    Parameters
    ----------
    lambda_l1 : float, default=0.0
        Weight of sum|W|.
    lambda_l2 : float, default=0.0
        Weight of P(W).
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
        Verbosity level. If positive, print the objective after each epoch or iteration.

    Attributes
    ----------
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
    n_samples_seen_ : int
        Number of samples with a positive weight. Defined only after ``partial_fit`` ("owlqn").
    n_features_in_ : int
        Number of neurons seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_neurons,)
        Names of the neurons seen during ``fit``. Defined only if X has names that are all strings.

    See Also
    --------
    LinearProbeRegressorCV : Chooses the lambdas by cross-validation.
    LinearProbeClassifier : Predicts labels.

    References
    ----------
    .. [1] F. Dalvi, N. Durrani, H. Sajjad, Y. Belinkov, A. Bau and J. Glass (2019). What Is One
       Grain of Sand in the Desert? Analyzing Individual Neurons in Deep NLP Models. AAAI.

    .. [2] G. Andrew and J. Gao (2007). Scalable Training of L1-Regularized Log-Linear Models.
       ICML.

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from sklearn_neurox import LinearProbeRegressor
    >>> X, y = make_regression(500, 20, n_informative=5, random_state=0)
    >>> probe = LinearProbeRegressor(learning_rate=1.0, max_epochs=20, random_state=0)
    >>> probe.fit(X, y).score(X, y) > 0.99
    True
    """

    _loss = "squared_error"

    def __init__(
        self,
        *,
        lambda_l1: float = 0.0,
        lambda_l2: float = 0.0,
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
        self.lambda_l1 = lambda_l1
        self.lambda_l2 = lambda_l2
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

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train the probe.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations. float32 and float64 arrays are not converted. float16 arrays are converted
            to float32.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target values.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, of which only the ratios matter. A weight of 0 is equivalent to removing
            the sample.

        Returns
        -------
        self : LinearProbeRegressor
            Fitted probe.

        Raises
        ------
        ValueError
            If X or y contain NaN or infinity, training diverges, lengths differ, weights are
            negative, or the device is not available.

        Warns
        -----
        ConvergenceWarning
            If "adam" ends with a larger error than that of always predicting the mean of y, for
            example because y is far from 0, or stops while the objective still decreases nearly as
            fast as before, or if "owlqn" does not reach `tol`.
        """
        data, targets = self._check(X, y)
        return self._fit(data, targets, check_sample_weight(sample_weight, len(data)))

    def _check(self, X: ArrayLike, y: ArrayLike) -> tuple[NDArray, NDArray]:
        return self._check_numbers(X, y, reset=not self._is_warm())

    def _check_numbers(self, X: ArrayLike, y: ArrayLike, *, reset: bool) -> tuple[NDArray, NDArray]:
        data, numbers = validate_samples(self, X, y, check_targets, reset=reset)
        largest = np.finfo(np.result_type(data.dtype, np.float32)).max
        if np.abs(numbers).max() > largest:
            raise ValueError(
                f"y contains {np.abs(numbers).max():.3g}, which exceeds the range of "
                f"{data.dtype}, the dtype of X."
            )
        return data, numbers

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the coefficient of determination, R².

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target values.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, of which only the ratios matter.

        Returns
        -------
        float
            R² of the predictions, averaged over the outputs.
        """
        targets = check_targets(y)
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, len(targets))
        return super().score(X, targets, sample_weight)

    def _encode(self, y: NDArray, samples: str) -> tuple[NDArray[np.float64], dict[str, NDArray]]:
        return y.reshape(len(y), -1), {}

    def _as_coef(self, weight: NDArray, bias: NDArray, y: NDArray) -> tuple[NDArray, NDArray]:
        return (weight[0], bias[0]) if y.ndim == 1 else (weight, bias)

    def _get_weights(self) -> tuple[NDArray, NDArray]:
        return np.atleast_2d(self.coef_), np.atleast_1d(self.intercept_)

    def predict(self, X: ArrayLike) -> NDArray:
        """Predict target values.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs), as y in ``fit``
        """
        return self._outputs(X)
