"""The private functions and attributes of other libraries that the package relies on.

Each has a test of what the package needs of it, so that a new version that changes it fails here
first. A private import or attribute without an entry in `PRIVATE` fails too.
"""

import ast
import sys
from concurrent.futures import ThreadPoolExecutor
from numbers import Integral, Real
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin

import sklearn_neurox

from .sources import tree_of

PACKAGE = Path(sklearn_neurox.__file__).parent
# Names as the package writes them: imported names, and attributes of imported modules.
PRIVATE = {
    "sklearn.base._fit_context",
    "sklearn.utils._param_validation.HasMethods",
    "sklearn.utils._param_validation.Interval",
    "sklearn.utils._param_validation.StrOptions",
    "sklearn.utils._param_validation.validate_params",
    "sklearn.utils._safe_indexing",
    "sklearn.utils.metadata_routing._raise_for_params",
    "sklearn.utils.metadata_routing._routing_enabled",
    "sklearn.utils.metaestimators._BaseComposition",
    "sklearn.utils.validation._check_feature_names_in",
    "sklearn.utils.validation._check_method_params",
    "sklearn.utils.validation._check_sample_weight",
    "torch._fused_adam_",
    "torch._log_softmax_backward_data",
    "torch.ops.aten._embedding_bag_per_sample_weights_backward",
    "torch.utils._python_dispatch.TorchDispatchMode",
}


def private_names(tree):
    """Yield the private names of other libraries that a module imports, or reads from modules."""
    modules = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level and node.module != "__future__":
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                modules[alias.asname or alias.name] = name
                if is_private(name):
                    yield name
        elif isinstance(node, ast.Import):
            for alias in node.names:
                modules[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
                if is_private(alias.name):
                    yield alias.name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
            path, base = [node.attr], node.value
            while isinstance(base, ast.Attribute):
                path.insert(0, base.attr)
                base = base.value
            if isinstance(base, ast.Name) and base.id in modules and is_private(node.attr):
                yield ".".join([modules[base.id], *path])


def is_private(name):
    return any(part.startswith("_") and not part.endswith("__") for part in name.split("."))


def test_every_private_name_is_listed():
    used = {
        name
        for path in PACKAGE.rglob("*.py")
        for name in private_names(tree_of(path))
        if name.split(".")[0] not in sys.stdlib_module_names
    }
    assert used - PRIVATE == set()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from sklearn.base import _fit_context as context", ["sklearn.base._fit_context"]),
        ("from sklearn.utils._tags import Tags", ["sklearn.utils._tags.Tags"]),
        ("import torch\ntorch._fused_adam_()", ["torch._fused_adam_"]),
        ("import torch as t\nt.nn._private.function()", ["torch.nn._private"]),
        ("import torch as t\nt.nn.functional._private()", ["torch.nn.functional._private"]),
        ("from ._module import _name\nself._name", []),
        ("import numpy as np\nnp.__version__", []),
    ],
)
def test_private_names_are_found(source, expected):
    assert list(private_names(ast.parse(source))) == expected


class TestTorch:
    def test_fused_adam_is_adam(self):
        weight = torch.randn(5, 3, dtype=torch.float64)
        parameter = torch.nn.Parameter(weight.clone())
        adam = torch.optim.Adam([parameter], lr=0.1)
        mean, square, count = (
            torch.zeros(5, 3).double(),
            torch.zeros(5, 3).double(),
            torch.zeros(()),
        )
        for step in range(3):
            parameter.grad = torch.full_like(weight, step + 1.0)
            adam.step()
            count.add_(1)
            torch._fused_adam_(
                [weight], [parameter.grad], [mean], [square], [], [count], lr=0.1, beta1=0.9,
                beta2=0.999, weight_decay=0.0, eps=1e-8, amsgrad=False, maximize=False,
            )  # fmt: skip
        torch.testing.assert_close(weight, parameter.detach())

    def test_log_softmax_backward_is_the_gradient(self):
        logits = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
        mass = torch.rand(2, 4, 3, dtype=torch.float64)
        log_proba = torch.log_softmax(logits, -2)
        (expected,) = torch.autograd.grad((log_proba * mass).sum(), logits)
        found = torch._log_softmax_backward_data(mass, log_proba.detach(), -2, torch.float64)
        torch.testing.assert_close(found, expected)

    def test_embedding_bag_backward_is_the_gradient_of_the_weights(self):
        table, slope = torch.randn(5, 6).double(), torch.randn(3, 6).double()
        indices, starts = torch.tensor([0, 3, 1, 3]), torch.tensor([0, 2, 2])  # the second is empty
        weight = torch.randn(4, dtype=torch.float64, requires_grad=True)
        sums = torch.nn.functional.embedding_bag(
            indices, table, starts, mode="sum", per_sample_weights=weight
        )
        assert not sums[1].any()
        (expected,) = torch.autograd.grad((sums * slope).sum(), weight)
        found = torch.ops.aten._embedding_bag_per_sample_weights_backward(
            slope, table, indices, starts, torch.tensor([0, 0, 2, 2]), 0
        )
        torch.testing.assert_close(found, expected)

    def test_a_dispatch_mode_sees_the_operations_of_its_thread_and_their_arguments(self):
        from torch.utils._python_dispatch import TorchDispatchMode

        seen = []

        class Mode(TorchDispatchMode):
            def __torch_dispatch__(self, func, types, args=(), kwargs=None):
                seen.append((func, [each.name for each in func._schema.arguments]))
                return func(*args, **(kwargs or {}))

        X = torch.ones(2)
        with torch.inference_mode(), Mode(), ThreadPoolExecutor(1) as pool:
            pool.submit(torch.rand, 2).result()
            torch.nn.functional.dropout(X, training=False)
        assert [names for _, names in seen] == [["input", "p", "train"]]
        assert torch.Tag.nondeterministic_seeded in seen[0][0].tags


class Estimator(ClassifierMixin, TransformerMixin, BaseEstimator):
    """Estimator that records whether parameters are validated inside its fit."""

    def __init__(self, size=1):
        self.size = size


class TestScikitLearn:
    def test_fit_context_validates_parameters(self):
        from sklearn import get_config
        from sklearn.base import _fit_context
        from sklearn.utils._param_validation import Interval

        class Fitted(Estimator):
            _parameter_constraints = {"size": [Interval(Integral, 1, None, closed="left")]}

            @_fit_context(prefer_skip_nested_validation=True)
            def fit(self, X, y=None):
                self.skips_ = get_config()["skip_parameter_validation"]
                return self

        assert Fitted().fit([[1]]).skips_
        with pytest.raises(ValueError, match="The 'size' parameter of Fitted must be an int"):
            Fitted(size=0).fit([[1]])

    def test_constraints(self):
        from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

        assert Interval(Real, 0, 1, closed="right").is_satisfied_by(1.0)
        assert not Interval(Real, 0, 1, closed="right").is_satisfied_by(0.0)
        assert HasMethods(["fit"]).is_satisfied_by(LogisticLike())
        assert not HasMethods(["fit"]).is_satisfied_by(1)
        assert not StrOptions({"a", "b"}).is_satisfied_by("c")

    def test_options_may_grow(self):
        """The registry of solvers is a constraint."""
        from sklearn.utils._param_validation import StrOptions

        registry = {"a": 1}
        options = StrOptions(registry.keys())
        assert not options.is_satisfied_by("b")
        registry["b"] = 2
        assert options.is_satisfied_by("b")
        assert str(options) == "a str among {'a', 'b'}"

    def test_validate_params(self):
        from sklearn.utils._param_validation import validate_params

        @validate_params({"n": [int]}, prefer_skip_nested_validation=True)
        def function(n):
            return n

        assert function(3) == 3
        with pytest.raises(
            ValueError, match=r"The 'n' parameter of .*function must be an instance"
        ):
            function("3")

    def test_routing_enabled(self):
        from sklearn import config_context
        from sklearn.utils.metadata_routing import _routing_enabled

        assert not _routing_enabled()
        with config_context(enable_metadata_routing=True):
            assert _routing_enabled()

    def test_raise_for_params(self):
        from sklearn import config_context
        from sklearn.utils.metadata_routing import _raise_for_params

        estimator = Estimator()
        _raise_for_params({}, estimator, "fit")
        with pytest.raises(ValueError, match=r"extra keyword arguments to Estimator\.fit"):
            _raise_for_params({"groups": [1]}, estimator, "fit")
        with config_context(enable_metadata_routing=True):
            _raise_for_params({"groups": [1]}, estimator, "fit")

    def test_safe_indexing(self):
        from sklearn.utils import _safe_indexing

        X = np.arange(6).reshape(3, 2)
        np.testing.assert_array_equal(_safe_indexing(X, [0, 2]), X[[0, 2]])
        assert _safe_indexing(["a", "b", "c"], [2, 0]) == ["c", "a"]

    def test_base_composition(self):
        from sklearn.utils.metaestimators import _BaseComposition

        class Composition(_BaseComposition):
            def __init__(self, estimators):
                self.estimators = estimators

            def get_params(self, deep=True):
                return self._get_params("estimators", deep=deep)

            def set_params(self, **params):
                return self._set_params("estimators", **params)

        composition = Composition([("a", Estimator()), ("b", Estimator(2))])
        assert composition.get_params()["b__size"] == 2
        other = Estimator(3)
        assert composition.set_params(a__size=5, b=other).estimators[0][1].size == 5
        assert composition.estimators[1][1] is other
        with pytest.raises(ValueError, match="Names provided are not unique"):
            composition._validate_names(["a", "a"])

    def test_check_feature_names_in(self):
        from sklearn.utils.validation import _check_feature_names_in

        estimator = Estimator()
        estimator.n_features_in_ = 2
        assert _check_feature_names_in(estimator).tolist() == ["x0", "x1"]
        assert _check_feature_names_in(estimator, ["a", "b"]).tolist() == ["a", "b"]
        with pytest.raises(ValueError, match="should have length equal"):
            _check_feature_names_in(estimator, ["a"])

    def test_check_method_params(self):
        from sklearn.utils.validation import _check_method_params

        params = {"sample_weight": np.arange(4.0), "name": "x"}
        found = _check_method_params(np.zeros((4, 1)), params, [1, 3])
        np.testing.assert_array_equal(found["sample_weight"], [1, 3])
        assert found["name"] == "x"

    def test_check_sample_weight(self):
        from sklearn.utils.validation import _check_sample_weight

        X = np.zeros((2, 1))
        weight = _check_sample_weight(None, X, dtype=np.float64, ensure_non_negative=True)
        np.testing.assert_array_equal(weight, [1.0, 1.0])
        assert weight.dtype == np.float64
        with pytest.raises(ValueError, match="Negative values"):
            _check_sample_weight([-1, 1], X, ensure_non_negative=True)
        with pytest.raises(ValueError, match="shape"):
            _check_sample_weight([1], X)

    def test_attributes_of_a_fit_with_callbacks(self):
        """`_validation.all_or_nothing` keeps them for the teardown of a failed fit."""
        from sklearn.base import _fit_context
        from sklearn.callback import CallbackSupportMixin, ProgressBar

        class Watched(CallbackSupportMixin, Estimator):
            _parameter_constraints = {}

            @_fit_context(prefer_skip_nested_validation=True)
            def fit(self, X, y=None):
                context = self._init_callback_context(max_subtasks=1)
                context.call_on_fit_task_begin(estimator=self, X=X, y=y)
                self.during = vars(self).copy()
                context.call_on_fit_task_end(estimator=self, X=X, y=y)
                return self

        watched = Watched().set_callbacks(ProgressBar()).fit([[1]])
        assert "_skl_callbacks" in vars(watched)
        assert {"_callback_fit_ctx", "_skl_callbacks_to_teardown"} <= watched.during.keys()
        assert not {"_callback_fit_ctx", "_skl_callbacks_to_teardown"} & vars(watched).keys()

    def test_parameters_and_requests_of_an_estimator(self):
        from sklearn import config_context
        from sklearn.metrics import accuracy_score, make_scorer

        class Weighted(Estimator):
            def score(self, X, y, sample_weight=None):
                return 0.0

        assert Estimator._get_param_names() == ["size"]
        with config_context(enable_metadata_routing=True):
            estimator = Weighted().set_score_request(sample_weight=True)
            assert hasattr(estimator, "_metadata_request")
        assert make_scorer(accuracy_score)._accept_sample_weight()


class LogisticLike:
    def fit(self):
        """Exist."""


class TestAttributes:
    """Private attributes of objects, which the scan of imports cannot find."""

    def test_hasher_of_joblib_asks_its_dispatch_table(self):
        from joblib.hashing import Hasher

        class Value:
            pass

        Hasher.dispatch[Value] = lambda hasher, value: hasher.save("the same")
        try:
            assert Hasher("md5").hash(Value()) == Hasher("md5").hash("the same")
        finally:
            del Hasher.dispatch[Value]

    def test_hooks_of_torch_modules_are_in_dicts(self):
        module = torch.nn.Linear(2, 2)
        before = module.register_forward_pre_hook(lambda module, args: None)
        after = module.register_forward_hook(lambda module, args, output: None)
        assert before.id in module._forward_pre_hooks
        assert after.id in module._forward_hooks

    def test_hooks_of_transformers_are_noted(self, tiny_bert):
        from transformers.utils import output_capturing

        model, tokenizer = tiny_bert
        model(**tokenizer("a", return_tensors="pt"), output_hidden_states=True)
        assert model._output_capturing_hooks_installed
        hooks = [hook for module in model.modules() for hook in module._forward_hooks.values()]
        assert output_capturing.__name__ in {hook.__module__ for hook in hooks}

    def test_scorers_of_scikit_learn_know_their_metric(self):
        from sklearn.metrics import accuracy_score, get_scorer

        assert get_scorer("accuracy")._score_func is accuracy_score

    def test_metadata_requests_and_callbacks_are_attributes(self):
        from sklearn import config_context
        from sklearn.callback import ProgressBar

        from sklearn_neurox import LinearProbeClassifier

        probe = LinearProbeClassifier().set_callbacks(ProgressBar())
        with config_context(enable_metadata_routing=True):
            probe.set_fit_request(sample_weight=True)
        assert {"_metadata_request", "_skl_callbacks"} <= set(vars(probe))
