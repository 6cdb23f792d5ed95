"""The linear probe of labels."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax, softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.class_weight import compute_class_weight

from .._labels import check_class_labels, check_same_kind, encode_labels
from .._validation import fit_context, validate_samples
from .._warnings import warn
from .._weights import check_sample_weight, check_weight_ratio
from ._classifier import ProbeClassifierMixin
from ._linear_batches import ClassifierBatches
from ._linear_probe import LinearProbe
from .solvers import SOLVERS


class LinearProbeClassifier(ClassifierBatches, ProbeClassifierMixin, LinearProbe):
    """Linear classifier that predicts a property from activations.

    For one-hot classes and W of shape (n_classes, n_neurons) it minimizes ::

        mean_i w_i * cross_entropy(softmax(W x_i + b), y_i) + lambda_l1 * sum|W| + lambda_l2 * P(W)

    where the bias b is not penalized. This is the probe of Dalvi et al. [1]_, whose elastic net
    penalty selects both focused and distributed neurons. The weights are used by
    :class:`WeightMassSelector` and by the functions that compute the weight mass.

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
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, as in scikit-learn. They are multiplied by `sample_weight`.
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
    coef_ : ndarray of shape (n_classes, n_neurons), or (1, n_neurons) for two classes
        Weights, in the dtype of X. Two classes are trained as a softmax over two rows, like any
        other number of classes. In this case, ``coef_`` is the difference of the rows, as in
        scikit-learn.
    intercept_ : ndarray of shape (n_classes,) or (1,)
        Bias.
    classes_ : ndarray of shape (n_classes,)
        Sorted class labels.
    objective_ : float
        The objective on the training samples at the end, in nats.
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
    LinearProbeClassifierCV : Chooses the lambdas by cross-validation.
    LinearProbeRegressor : Predicts numbers.
    WeightMassSelector : Selects neurons by the weights of a probe.

    References
    ----------
    .. [1] F. Dalvi, N. Durrani, H. Sajjad, Y. Belinkov, A. Bau and J. Glass (2019). What Is One
       Grain of Sand in the Desert? Analyzing Individual Neurons in Deep NLP Models. AAAI.

    .. [2] G. Andrew and J. Gao (2007). Scalable Training of L1-Regularized Log-Linear Models.
       ICML.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_neurox import LinearProbeClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> probe = LinearProbeClassifier(
    ...     lambda_l1=1e-4, standardize=True, learning_rate=1e-2, random_state=0
    ... )
    >>> probe.fit(X, y).score(X, y) > 0.97
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **LinearProbe._parameter_constraints,
        "class_weight": [StrOptions({"balanced"}), dict, None],
    }
    _loss = "softmax_cross_entropy"

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
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
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
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train the probe.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations. float32 and float64 arrays are not converted. float16 arrays are converted
            to float32.
        y : array-like of shape (n_samples,)
            Labels: strings, integers or booleans.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, of which only the ratios matter. A weight of 0 is equivalent to removing
            the sample.

        Returns
        -------
        self : LinearProbeClassifier
            Fitted probe.

        Raises
        ------
        ValueError
            If X contains NaN or infinity, training diverges, lengths differ, y has a single class,
            weights are negative, or the device is not available.

        Warns
        -----
        ConvergenceWarning
            If "adam" stops while the objective still decreases nearly as fast as before, if "owlqn"
            does not reach `tol`, or if the classes are linearly separable and there is no penalty.
        """
        data, labels = self._check(X, y)
        weight = check_sample_weight(sample_weight, len(data))
        self._fit(data, labels, weight)
        self._warn_if_separated(data, labels, weight)
        return self

    def _check(self, X: ArrayLike, y: ArrayLike) -> tuple[NDArray, NDArray]:
        return validate_samples(self, X, y, check_class_labels, reset=not self._is_warm())

    def _warn_if_separated(self, X: NDArray, y: NDArray, sample_weight: NDArray | None) -> None:
        """Warn if the weights do not have a finite optimum: no penalty and no training errors."""
        is_exact = SOLVERS[self.solver].is_exact
        if not is_exact or self.lambda_l1 or self.lambda_l2 or not self.coef_.any():
            return
        predicted = self.classes_[self._as_logits(self._apply(X)).argmax(axis=1)]
        counts = slice(None) if sample_weight is None else sample_weight > 0
        if np.array_equal(predicted[counts], y[counts]):
            warn(
                "The classes of the training samples are linearly separable, and lambda_l1 = "
                "lambda_l2 = 0: the objective does not have a minimizer, because the weights grow "
                f"without bound. The fit stopped when the gradient fell below tol={self.tol:g}. "
                "Set lambda_l1 or lambda_l2 to a positive value.",
                ConvergenceWarning,
            )

    def _weigh(self, y: NDArray, sample_weight: NDArray) -> NDArray:
        classes, codes = np.unique(y, return_inverse=True)
        named = self.class_weight if isinstance(self.class_weight, dict) else classes
        for label in named:
            check_same_kind([label], classes, name="class_weight")
        missing = [label for label in classes.tolist() if label not in named]
        if missing and (unknown := [label for label in named if label not in classes.tolist()]):
            raise ValueError(
                f"class_weight contains {unknown}, which are not labels in y, but does not "
                f"contain {missing}."
            )
        for label, weight in named.items() if isinstance(named, dict) else ():
            if not isinstance(weight, Real):
                raise TypeError(
                    f"class_weight must contain numbers, but class_weight[{label!r}] = "
                    f"{weight!r:.60}."
                )
        class_weight = compute_class_weight(
            self.class_weight, classes=classes, y=y, sample_weight=sample_weight
        )
        if not (np.isfinite(class_weight) & (class_weight >= 0)).all() or not class_weight.any():
            raise ValueError(
                "class_weight must be finite, non-negative, and positive for at least one class, "
                f"got {dict(zip(classes.tolist(), class_weight.tolist(), strict=True))}."
            )
        weight = sample_weight * class_weight[codes]
        check_weight_ratio(weight, name="sample_weight times class_weight")
        return weight

    def _encode(self, y: NDArray, samples: str) -> tuple[NDArray[np.float64], dict[str, NDArray]]:
        classes, codes = encode_labels(y, by=type(self).__name__, samples=samples)
        if self._is_warm() and classes.tolist() != self.classes_.tolist():
            raise ValueError(
                "warm_start=True requires the same classes as in the last fit: expected "
                f"{self.classes_.tolist()}, got {classes.tolist()}."
            )
        return np.eye(len(classes))[codes], {"classes_": classes}

    def _as_coef(self, weight: NDArray, bias: NDArray, y: NDArray) -> tuple[NDArray, NDArray]:
        if len(weight) != 2:
            return weight, bias
        return weight[1:] - weight[:1], bias[1:] - bias[:1]

    def _get_weights(self) -> tuple[NDArray, NDArray]:
        if len(self.coef_) > 1:
            return self.coef_, self.intercept_
        halves = np.array([[-0.5], [0.5]])  # the rows of smallest norm with this difference
        return halves * self.coef_, halves[:, 0] * self.intercept_

    def decision_function(self, X: ArrayLike) -> NDArray:
        """Return the logits of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), or (n_samples,) for two classes
        """
        outputs = self._outputs(X)
        return outputs.ravel() if len(self.classes_) == 2 else outputs

    def predict(self, X: ArrayLike) -> NDArray:
        """Predict class labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        best = self._logits(X).argmax(axis=1)
        return self.classes_[best]

    def predict_proba(self, X: ArrayLike) -> NDArray:
        """Predict class probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities of the classes, in the order of ``classes_``. Rows sum to 1.
        """
        return softmax(self._logits(X), axis=1)

    def predict_log_proba(self, X: ArrayLike) -> NDArray:
        """Predict the natural logarithm of class probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        return log_softmax(self._logits(X), axis=1)

    def _logits(self, X: ArrayLike) -> NDArray:
        return self._as_logits(self._outputs(X))

    def _as_logits(self, outputs: NDArray) -> NDArray:
        return outputs if len(self.classes_) > 2 else np.hstack([np.zeros_like(outputs), outputs])
