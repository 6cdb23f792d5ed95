"""Linear probes that choose their lambdas by cross-validation."""

from __future__ import annotations

import numpy as np
from sklearn.base import _fit_context

from .._validation import all_or_nothing
from ._linear_probe_cv import LinearProbeCV
from .linear_classifier import LinearProbeClassifier
from .linear_regressor import LinearProbeRegressor

LAMBDAS = (0, 1e-5, 1e-4, 1e-3, 1e-2)


class LinearProbeClassifierCV(LinearProbeCV, LinearProbeClassifier):
    """Linear classifier that chooses lambda_l1 and lambda_l2 by cross-validation.

    On the same folds it finds what ``GridSearchCV`` over :class:`LinearProbeClassifier` finds, in
    less time: probes of a grid see the same words, and train
    together.

    Parameters
    ----------
    lambdas_l1, lambdas_l2 : array-like, default=(0, 1e-5, 1e-4, 1e-3, 1e-2)
        The grid: every lambda_l1 with every lambda_l2.
    cv : int, splitter, iterable or None, default=None
        Folds as in ``GridSearchCV``. Words of a sentence belong together: a ``GroupKFold`` with
        the sentences as `groups` of ``fit``.
    scoring : str, callable or None, default=None
        As in ``GridSearchCV``; None is the accuracy.
    refit : bool, default=True
        Train on all words with the best lambdas in the end; prediction needs it.
    n_jobs : int, default=None
        Processes to divide the folds and the grid among, as in ``GridSearchCV``. None means 1:
        the whole grid of a fold trains as one bank.
    l2_penalty : {"norm", "squared"}, default="norm"
        P(W): "norm" is the un-squared ||W||_F that NeuroX trains with, "squared" the ||W||_F^2
        that Dalvi et al. (2019) write.
    solver : {"adam", "owlqn"}, default="adam"
        "adam" is mini-batch Adam with torch's defaults for `max_epochs`. With the same start,
        the same batches and no shuffling it follows NeuroX's trajectory. "owlqn" goes to the
        optimum on all words at once, by orthant-wise L-BFGS: with exact zeros, and the same
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
        Print the scores of each fold.

    Attributes
    ----------
    lambda_l1_, lambda_l2_ : float
        The best pair.
    best_score_ : float
        Its mean score over the folds.
    best_params_ : dict
        The best pair by name.
    best_index_ : int
        Its place in ``cv_results_``.
    cv_results_ : dict of arrays
        As of ``GridSearchCV``. Times are shares of what the whole grid took.
    zero_shares_ : ndarray of shape (n_candidates, n_folds)
        Share of the weights that are exactly 0, of each pair on each fold.
    n_splits_ : int
        Number of folds.
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
    LinearProbeClassifier : The probe of one pair of lambdas.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.preprocessing import scale
    >>> from sklearn_neurox import LinearProbeClassifierCV
    >>> X, y = load_digits(return_X_y=True)
    >>> lambdas = [1e-4, 1e-3, 1e-2]
    >>> search = LinearProbeClassifierCV(
    ...     lambdas_l1=lambdas, lambdas_l2=[1e-3], solver="owlqn", tol=1e-3, cv=3
    ... )
    >>> search.fit(scale(X), y).lambda_l1_
    0.001
    >>> search.cv_results_["mean_test_score"].round(2)
    array([0.93, 0.93, 0.91])
    """

    _parameter_constraints: dict = {
        **LinearProbeCV._parameter_constraints,
        "class_weight": LinearProbeClassifier._parameter_constraints["class_weight"],
    }
    _probe_class = LinearProbeClassifier

    def __init__(
        self,
        *,
        lambdas_l1=LAMBDAS,
        lambdas_l2=LAMBDAS,
        cv=None,
        scoring=None,
        refit=True,
        n_jobs=None,
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
        self.lambdas_l1 = lambdas_l1
        self.lambdas_l2 = lambdas_l2
        self.cv = cv
        self.scoring = scoring
        self.refit = refit
        self.n_jobs = n_jobs
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
    def fit(self, X, y, sample_weight=None, **params):
        """Cross-validate the grid, and train on all words with the best lambdas.

        Parameters
        ----------
        X : array-like of shape (n_words, n_neurons)
            Activations.
        y : array-like of shape (n_words,)
            Labels.
        sample_weight : array-like of shape (n_words,), default=None
            Weights of the words, in training and, as in ``GridSearchCV``, in scoring; with
            metadata routing, in scoring if the scorer asks for them. In training a weight of 0
            equals a removed row.
        **params : dict
            `groups` for `cv`; with metadata routing, all that `cv` and `scoring` ask for.

        Returns
        -------
        self : LinearProbeClassifierCV

        Raises
        ------
        ValueError
            As by ``LinearProbeClassifier.fit``, or where a fold lacks a class.
        """
        with all_or_nothing(self):
            X, y = self._check(X, y)
            return self._fit_grid(X, y, sample_weight, params)

    def _check_folds(self, y, sample_weight, splits):
        classes = np.unique(y if sample_weight is None else y[sample_weight > 0])
        for fold, (train, _) in enumerate(splits):
            rows = train if sample_weight is None else train[sample_weight[train] > 0]
            missing = np.setdiff1d(classes, y[rows])
            if len(missing):
                raise ValueError(
                    f"Fold {fold} has no training word of the class {missing.tolist()[0]!r}"
                    f"{' and others' if len(missing) > 1 else ''}. Choose another cv, or leave out "
                    "classes that are so rare."
                )


class LinearProbeRegressorCV(LinearProbeCV, LinearProbeRegressor):
    """Linear regressor that chooses lambda_l1 and lambda_l2 by cross-validation.

    On the same folds it finds what ``GridSearchCV`` over :class:`LinearProbeRegressor` finds, in
    less time: probes of a grid see the same words, and train
    together; with ``solver="owlqn"`` they need the words only once, for X'X and X'y.

    Parameters
    ----------
    lambdas_l1, lambdas_l2 : array-like, default=(0, 1e-5, 1e-4, 1e-3, 1e-2)
        The grid: every lambda_l1 with every lambda_l2.
    cv : int, splitter, iterable or None, default=None
        Folds as in ``GridSearchCV``. Words of a sentence belong together: a ``GroupKFold`` with
        the sentences as `groups` of ``fit``.
    scoring : str, callable or None, default=None
        As in ``GridSearchCV``; None is R².
    refit : bool, default=True
        Train on all words with the best lambdas in the end; prediction needs it.
    n_jobs : int, default=None
        Processes to divide the folds and the grid among, as in ``GridSearchCV``. None means 1:
        the whole grid of a fold trains as one bank.
    l2_penalty : {"norm", "squared"}, default="norm"
        P(W): "norm" is the un-squared ||W||_F that NeuroX trains with, "squared" is ||W||_F^2.
    solver : {"adam", "owlqn"}, default="adam"
        "adam" is mini-batch Adam with torch's defaults for `max_epochs`. With the same start,
        the same batches and no shuffling it follows NeuroX's trajectory. "owlqn" goes to the
        optimum on all words at once, by orthant-wise L-BFGS: with exact zeros, and the same
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
        Print the scores of each fold.

    Attributes
    ----------
    lambda_l1_, lambda_l2_ : float
        The best pair.
    best_score_ : float
        Its mean score over the folds.
    best_params_ : dict
        The best pair by name.
    best_index_ : int
        Its place in ``cv_results_``.
    cv_results_ : dict of arrays
        As of ``GridSearchCV``. Times are shares of what the whole grid took.
    zero_shares_ : ndarray of shape (n_candidates, n_folds)
        Share of the weights that are exactly 0, of each pair on each fold.
    n_splits_ : int
        Number of folds.
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
    LinearProbeRegressor : The probe of one pair of lambdas.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.preprocessing import scale
    >>> from sklearn_neurox import LinearProbeRegressorCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = LinearProbeRegressorCV(lambdas_l1=[0, 0.1, 1], solver="owlqn", cv=3)
    >>> round(search.fit(scale(X), scale(y)).best_score_, 2)
    0.49
    """

    _parameter_constraints: dict = {
        **LinearProbeCV._parameter_constraints,
    }
    _probe_class = LinearProbeRegressor

    def __init__(
        self,
        *,
        lambdas_l1=LAMBDAS,
        lambdas_l2=LAMBDAS,
        cv=None,
        scoring=None,
        refit=True,
        n_jobs=None,
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
        self.lambdas_l1 = lambdas_l1
        self.lambdas_l2 = lambdas_l2
        self.cv = cv
        self.scoring = scoring
        self.refit = refit
        self.n_jobs = n_jobs
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

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, **params):
        """Cross-validate the grid, and train on all words with the best lambdas.

        Parameters
        ----------
        X : array-like of shape (n_words, n_neurons)
            Activations.
        y : array-like of shape (n_words,) or (n_words, n_outputs)
            Numbers.
        sample_weight : array-like of shape (n_words,), default=None
            Weights of the words, in training and, as in ``GridSearchCV``, in scoring; with
            metadata routing, in scoring if the scorer asks for them. In training a weight of 0
            equals a removed row.
        **params : dict
            `groups` for `cv`; with metadata routing, all that `cv` and `scoring` ask for.

        Returns
        -------
        self : LinearProbeRegressorCV

        Raises
        ------
        ValueError
            As by ``LinearProbeRegressor.fit``.
        """
        with all_or_nothing(self):
            X, y = self._check(X, y)
            return self._fit_grid(X, y, sample_weight, params)
