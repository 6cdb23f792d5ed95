"""The linear probe of numbers."""

from __future__ import annotations

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils import assert_all_finite

from .._validation import all_or_nothing, validate_activations
from ._linear_probe import LinearProbe


class LinearProbeRegressor(RegressorMixin, LinearProbe):
    """Linear regressor that reads a number out of the activations of words.

    It minimises ::

        mean_i w_i * mean_j (W_j x_i + b_j - y_ij)^2 + lambda_l1 * sum|W| + lambda_l2 * P(W)

    where the bias b is free. Adam moves a weight by at most about `learning_rate` a step:
    standardise y, or raise `learning_rate`, when y is of another size than 1.

    Parameters
    ----------
    lambda_l1 : float, default=0.0
        Weight of sum|W|.
    lambda_l2 : float, default=0.0
        Weight of P(W).
    l2_penalty : {"norm", "squared"}, default="norm"
        P(W): "norm" is the un-squared ||W||_F that NeuroX trains with, "squared" is ||W||_F^2.
    solver : {"adam", "owlqn"}, default="adam"
        "adam" is mini-batch Adam with torch's defaults for `max_epochs`. With the same start,
        the same batches and no shuffling it follows NeuroX's trajectory. "owlqn" goes to the
        optimum on all words at once, by orthant-wise L-BFGS [2]_: with exact zeros, and the same
        in every run.
    max_epochs : int, default=10
        Passes over the training words ("adam").
    batch_size : int, default=32
        Words per step; the last, shorter batch of an epoch is a step too ("adam").
    learning_rate : float, default=1e-3
        Adam's step size ("adam").
    shuffle : bool, default=False
        Draw a new order of the words for each epoch; otherwise they come as in X ("adam").
    net_params : dict, default=None
        Parameters of ``skorch.NeuralNet`` that replace those of the probe's own net, such as
        ``callbacks``, ``optimizer`` or a ``module`` that derives from that of ``net_``. With any,
        skorch's stock training step is taken, which is slower ("adam").
    max_iter : int, default=1000
        Iterations at most; past them there is a ``ConvergenceWarning`` ("owlqn").
    tol : float, default=1e-5
        Largest violation of the optimality conditions to end with ("owlqn").
    warm_start : bool, default=False
        Start the next ``fit`` from ``coef_`` and ``intercept_`` instead of random weights.
    device : str or torch.device, default="auto"
        Where to train: "auto" is CUDA where there is a CUDA device, else the CPU.
    random_state : int, RandomState instance or None, default=None
        Draws the first weights, and the order of the words if `shuffle`.
    verbose : int, default=0
        Print the objective of each epoch.

    Attributes
    ----------
    coef_ : ndarray of shape (n_neurons,), or (n_outputs, n_neurons) where y has two dimensions
        Weights, of X's dtype.
    intercept_ : float, or ndarray of shape (n_outputs,)
        Bias.
    objective_ : float
        The objective on the training words at the end, in squared units of y.
    optimality_ : float
        Largest violation of the optimality conditions: how far the smallest subgradient is from
        0, by a weight per standard deviation of its neuron where that is below 1, plus by the bias
        ("owlqn").
    loss_curve_ : ndarray of shape (n_points,)
        Mean objective of each epoch while the weights move ("adam"), or the objective at the
        start and after each step ("owlqn").
    n_iter_ : int
        Epochs run, or points visited.
    net_ : skorch.NeuralNet
        The trained net, on the CPU ("adam"). Prediction does not need it, and pickles leave it
        out.
    n_features_in_ : int
        Number of neurons seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_neurons,)
        Names of the neurons, where X had any.

    See Also
    --------
    LinearProbeClassifier : The same for labels.

    References
    ----------
    .. [1] F. Dalvi, A. Nortonsmith, A. Bau, Y. Belinkov, H. Sajjad, N. Durrani and J. Glass
       (2019). NeuroX: A Toolkit for Analyzing Individual Neurons in Neural Networks. AAAI.

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
        lambda_l1=0.0,
        lambda_l2=0.0,
        l2_penalty="norm",
        solver="adam",
        max_epochs=10,
        batch_size=32,
        learning_rate=1e-3,
        shuffle=False,
        net_params=None,
        max_iter=1000,
        tol=1e-5,
        warm_start=False,
        device="auto",
        random_state=None,
        verbose=0,
    ):
        self.lambda_l1 = lambda_l1
        self.lambda_l2 = lambda_l2
        self.l2_penalty = l2_penalty
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

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Train the probe.

        Parameters
        ----------
        X : array-like of shape (n_words, n_neurons)
            Activations; float32 and float64 are kept, float16 arrays are trained in float32.
        y : array-like of shape (n_words,) or (n_words, n_outputs)
            Numbers.
        sample_weight : array-like of shape (n_words,), default=None
            Weights of the words; a weight of 0 equals a removed row.

        Returns
        -------
        self : LinearProbeRegressor

        Raises
        ------
        ValueError
            For NaN or infinity, also those that training runs into; lengths that differ,
            negative weights, or a device that is not there.

        Warns
        -----
        ConvergenceWarning
            If what Adam has reached is worse than to always say the mean of y, as where y is far
            from 0; or if owlqn has not reached `tol`.
        """
        with all_or_nothing(self):
            X, y = self._check(X, y)
            return self._fit(X, y, sample_weight)

    def _check(self, X, y):
        X, y = validate_activations(
            self, X, y, multi_output=True, y_numeric=True, reset=not self._goes_on()
        )
        if y.dtype.kind not in "buif":
            raise ValueError(
                f"A regressor needs numbers, got y of dtype {y.dtype}: {y[:3].tolist()}."
            )
        y = y.astype(np.float64)
        assert_all_finite(y, input_name="y")  # None among objects becomes NaN here only
        largest = np.finfo(np.result_type(X.dtype, np.float32)).max
        if np.abs(y).max() > largest:
            raise ValueError(f"y reaches {np.abs(y).max():.3g}, past the range of X's {X.dtype}.")
        return X, y

    def _encode(self, y):
        return y.reshape(len(y), -1), {}

    def _as_coef(self, weight, bias, y):
        return (weight[0], bias[0]) if y.ndim == 1 else (weight, bias)

    def _get_coef(self):
        return np.atleast_2d(self.coef_), np.atleast_1d(self.intercept_)

    def predict(self, X):
        """Predicted numbers.

        Parameters
        ----------
        X : array-like of shape (n_words, n_neurons)

        Returns
        -------
        ndarray of shape (n_words,) or (n_words, n_outputs), as y in ``fit``
        """
        return self._outputs(X)
