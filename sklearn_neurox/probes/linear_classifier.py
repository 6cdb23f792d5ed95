"""The linear probe of labels: from labels to targets, and from weights to predictions."""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax, softmax
from sklearn.base import _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from .._labels import check_one_kind
from .._validation import all_or_nothing, validate_activations
from .._warnings import warn
from ._classifier import ProbeClassifierMixin
from ._linear_probe import LinearProbe


class LinearProbeClassifier(ProbeClassifierMixin, LinearProbe):
    """Linear classifier that reads a property of words out of their activations.

    With one-hot classes and W of shape (n_classes, n_neurons) it minimises ::

        mean_i w_i * cross_entropy(softmax(W x_i + b), y_i) + lambda_l1 * sum|W| + lambda_l2 * P(W)

    where the bias b is free. This is the probe of Dalvi et al. [1]_, the elastic net keeping
    both focused and distributed neurons. The weights feed :class:`WeightMassSelector` and the
    functions of ``ranking``.

    Parameters
    ----------
    lambda_l1 : float, default=0.0
        Weight of sum|W|.
    lambda_l2 : float, default=0.0
        Weight of P(W).
    l2_penalty : {"norm", "squared"}, default="norm"
        P(W): "norm" is the un-squared ||W||_F that NeuroX trains with, "squared" the ||W||_F^2
        that [1]_ writes.
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
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, as everywhere in scikit-learn. They multiply `sample_weight`.
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
    coef_ : ndarray of shape (n_classes, n_neurons), or (1, n_neurons) for two classes
        Weights, of X's dtype. Two classes are trained as a softmax over two rows, like any other
        number; ``coef_`` is then the difference of the rows, as scikit-learn has it.
    intercept_ : ndarray of shape (n_classes,) or (1,)
        Bias.
    classes_ : ndarray of shape (n_classes,)
        Labels, sorted.
    objective_ : float
        The objective on the training words at the end, in nats.
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
    LinearProbeRegressor : The same for a number per word.
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
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_neurox import LinearProbeClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> probe = LinearProbeClassifier(lambda_l1=1e-4, learning_rate=1e-2, random_state=0)
    >>> make_pipeline(StandardScaler(), probe).fit(X, y).score(X, y) > 0.97
    True
    """

    _parameter_constraints: dict = {
        **LinearProbe._parameter_constraints,
        "class_weight": [StrOptions({"balanced"}), dict, None],
    }
    _loss = "softmax_cross_entropy"

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
        class_weight=None,
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
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Train the probe.

        Parameters
        ----------
        X : array-like of shape (n_words, n_neurons)
            Activations; float32 and float64 are kept, float16 arrays are trained in float32.
        y : array-like of shape (n_words,)
            Labels: strings, integers or booleans.
        sample_weight : array-like of shape (n_words,), default=None
            Weights of the words; a weight of 0 equals a removed row.

        Returns
        -------
        self : LinearProbeClassifier

        Raises
        ------
        ValueError
            For NaN or infinity, also those that training runs into; lengths that differ, a
            single class, negative weights, or a device that is not there.
        """
        with all_or_nothing(self):
            X, y = self._check(X, y)
            self._fit(X, y, sample_weight)
            self._warn_if_separated(X, y, sample_weight)
        return self

    def _check(self, X, y):
        X, y = validate_activations(self, X, y, reset=not self._goes_on())
        check_one_kind(y, name="y")
        check_classification_targets(y)
        return X, y

    def _warn_if_separated(self, X, y, sample_weight):
        """Without penalty, the weights of a probe that makes no mistake grow without end."""
        if self.solver != "owlqn" or self.lambda_l1 or self.lambda_l2 or not self.coef_.any():
            return
        if sample_weight is not None:
            weighs = np.asarray(sample_weight) > 0
            X, y = X[weighs], y[weighs]
        best = self._as_logits(self._apply(X)).argmax(axis=1)
        if np.array_equal(self.classes_[best], y):
            warn(
                "A linear map separates the classes of the training words without a mistake, and "
                "lambda_l1 = lambda_l2 = 0: the objective has no minimiser, its weights grow "
                f"without end. The fit stopped where the gradient fell below tol={self.tol:g}; "
                "set a lambda.",
                ConvergenceWarning,
            )

    def _weigh(self, y, sample_weight):
        classes, codes = np.unique(y, return_inverse=True)
        named = self.class_weight if isinstance(self.class_weight, dict) else classes
        missing = [label for label in classes.tolist() if label not in named]
        if missing and (unknown := [label for label in named if label not in classes.tolist()]):
            raise ValueError(
                f"class_weight has {unknown}, which are no labels of y, and not {missing}."
            )
        class_weight = compute_class_weight(
            self.class_weight, classes=classes, y=y, sample_weight=sample_weight
        )
        if not (np.isfinite(class_weight) & (class_weight >= 0)).all() or not class_weight.any():
            raise ValueError(
                "class_weight must be finite, not negative, and not 0 for all classes; got "
                f"{dict(zip(classes.tolist(), class_weight.tolist(), strict=True))}."
            )
        return sample_weight * class_weight[codes]

    def _encode(self, y):
        classes, codes = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(
                f"A probe needs words of at least 2 classes, got 1 class: all {len(y)} words with "
                f"a positive weight have the label {classes.tolist()[0]!r}."
            )
        if self._goes_on() and classes.tolist() != self.classes_.tolist():
            raise ValueError(
                "warm_start=True goes on from the last fit and needs the same classes: expected "
                f"{self.classes_.tolist()}, got {classes.tolist()}."
            )
        return np.eye(len(classes))[codes], {"classes_": classes}

    def _as_coef(self, weight, bias, y):
        if len(weight) != 2:
            return weight, bias
        return weight[1:] - weight[:1], bias[1:] - bias[:1]

    def _get_coef(self):
        if len(self.coef_) > 1:
            return self.coef_, self.intercept_
        halves = np.array([[-0.5], [0.5]])  # the smallest rows with this difference
        return halves * self.coef_, halves[:, 0] * self.intercept_

    def decision_function(self, X):
        """Logits of the classes.

        Parameters
        ----------
        X : array-like of shape (n_words, n_neurons)

        Returns
        -------
        ndarray of shape (n_words, n_classes), or (n_words,) for two classes
        """
        outputs = self._outputs(X)
        return outputs.ravel() if len(self.classes_) == 2 else outputs

    def predict(self, X):
        """Most probable label of each word.

        Parameters
        ----------
        X : array-like of shape (n_words, n_neurons)

        Returns
        -------
        ndarray of shape (n_words,)
        """
        best = self._logits(X).argmax(axis=1)
        return self.classes_[best]

    def predict_proba(self, X):
        """Probability of each label.

        Parameters
        ----------
        X : array-like of shape (n_words, n_neurons)

        Returns
        -------
        ndarray of shape (n_words, n_classes)
            Rows sum to 1; columns as in ``classes_``.
        """
        return softmax(self._logits(X), axis=1)

    def predict_log_proba(self, X):
        """Natural logarithm of the probability of each label.

        Parameters
        ----------
        X : array-like of shape (n_words, n_neurons)

        Returns
        -------
        ndarray of shape (n_words, n_classes)
        """
        return log_softmax(self._logits(X), axis=1)

    def _logits(self, X):
        return self._as_logits(self._outputs(X))

    def _as_logits(self, outputs):
        return outputs if len(self.classes_) > 2 else np.hstack([np.zeros_like(outputs), outputs])
