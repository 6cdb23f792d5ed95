"""Inputs and modules that cannot be read: an error says what, where, and what would work."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence

from sklearn_neurox import ActivationExtractor, ModuleActivations


class TestInputs:
    net = nn.Sequential(nn.Linear(2, 3))
    X = np.random.RandomState(0).normal(size=(4, 2)).astype(np.float32)

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
    def test_tensors(self, dtype):
        X = torch.tensor(self.X).to(dtype)
        expected = self.net(X.float()).detach().numpy()
        for given in (X, X.clone().requires_grad_()):
            read = ModuleActivations(self.net, ["0"]).fit_transform(given)
            np.testing.assert_allclose(read, expected, atol=1e-6)

    def test_arrays_that_torch_does_not_accept(self):
        expected = self.net(torch.tensor(self.X)).detach().numpy()
        for X in (self.X[::-1].copy()[::-1], self.X.astype(">f8"), self.X.astype(np.longdouble)):
            read = ModuleActivations(self.net, ["0"]).fit_transform(X)
            np.testing.assert_allclose(read, expected, atol=1e-6)

    def test_a_tensor_of_integers(self):
        net = nn.Sequential(nn.Embedding(5, 3))
        ids = torch.tensor([[0, 4], [1, 2]])
        read = ModuleActivations(net, ["0"], pooling="flatten").fit_transform(ids)
        np.testing.assert_array_equal(read, net(ids).detach().flatten(1).numpy())

    @pytest.mark.parametrize(
        ("X", "message"),
        [
            (
                torch.ones(2, 2).to_sparse(),
                "X must be dense and have values, got a tensor of layout torch.sparse_coo",
            ),
            (torch.ones(2, 2, dtype=torch.complex64), "got a complex tensor"),
            (torch.tensor([[1.0, torch.nan]], dtype=torch.bfloat16), r"first is at index \(0, 1\)"),
            (np.array([[2**64 - 1, 0]], dtype=np.uint64), "which exceeds the largest int64"),
            (torch.ones(2, 2, device="meta"), "X must be dense and have values, .* 'meta'"),
            ([[1, 2], [[3]]], "All inputs in X must have the same shape"),
            (np.ones((2, 2)) * 1j, "X must contain numbers .* dtype complex128"),
        ],
    )
    def test_bad_input(self, X, message):
        with pytest.raises(ValueError, match=message):
            ModuleActivations(self.net, ["0"]).fit(X)

    def test_weights_that_are_stored_as_integers(self):
        """The dtype of inputs is that of the floating-point weights."""

        class Quantized(nn.Module):
            def __init__(self):
                super().__init__()
                weight = torch.tensor([[2, -1]], dtype=torch.int8)
                self.weight = nn.Parameter(weight, requires_grad=False)
                self.scale = nn.Parameter(torch.tensor(0.25))

            def forward(self, X):
                return X @ (self.weight * self.scale).T

        read = ModuleActivations(nn.Sequential(Quantized()), ["0"]).fit_transform(self.X)
        np.testing.assert_allclose(read, self.X @ [[0.5], [-0.25]], atol=1e-6)


class TestLookups:
    @pytest.mark.parametrize("kind", [nn.Embedding, nn.EmbeddingBag])
    @pytest.mark.parametrize(("index", "wrong"), [(5, 5), (-1, -1), (9, 9)])
    def test_indices_past_an_embedding(self, kind, index, wrong):
        net = nn.Sequential(nn.Identity(), kind(5, 3))
        message = rf"{kind.__name__} '1' has 5 embeddings, .* but its input contains {wrong}"
        X = np.array([[0, 4], [1, index]])
        reader = ModuleActivations(net, ["1"])
        with pytest.raises(ValueError, match=message):
            reader.transform(X)
        with pytest.raises(ValueError, match=f"Sentence 1: .*{message}"):
            reader.extract(
                ["a", "b"], encode=lambda words: torch.tensor(X[[int(words == ["b"])]][:, 1:])
            )
        assert reader.transform(X[:1]).shape == (1, 3)
        assert not any(module._forward_pre_hooks for module in net.modules())


class TestModules:
    def test_a_shared_module_of_several_widths(self):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.first, self.second, self.act = nn.Linear(4, 8), nn.Linear(8, 2), nn.ReLU()

            def forward(self, X):
                return self.act(self.second(self.act(self.first(X))))

        message = (
            r"Layer 'act' ran 2 times, with outputs of the different shapes \[\(1, 8\), \(1, 2\)\]"
        )
        with pytest.raises(ValueError, match=message):
            ModuleActivations(Net(), ["act"]).fit(np.ones((3, 4)))

    @pytest.mark.parametrize("within", [False, True])
    @pytest.mark.parametrize("how", ["trace", "script"])
    def test_compiled_by_jit(self, how, within):
        net = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch.jit is deprecated
            compiled = (
                torch.jit.trace(net, torch.ones(1, 2)) if how == "trace" else torch.jit.script(net)
            )
        module, layer = (nn.Sequential(compiled), "0.1") if within else (compiled, "1")
        for run in (
            lambda reader: reader.fit(np.ones((1, 2))),
            lambda reader: reader.extract(["a"], encode=lambda words: torch.ones(1, 2)),
        ):
            with pytest.raises(ValueError, match=r"was compiled by torch\.jit, so the outputs"):
                run(ModuleActivations(module, [layer]))

    def test_lazy_weights(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            net = nn.Sequential(nn.LazyLinear(3))
        with pytest.raises(
            ValueError, match=r"weight '0\.weight' of Sequential does not have a sha"
        ):
            ModuleActivations(net, ["0"]).fit(np.ones((1, 2)))
        assert isinstance(net[0], nn.LazyLinear)

    def test_weights_without_values(self):
        net = nn.Sequential(nn.Linear(2, 3, device="meta"))
        with pytest.raises(ValueError, match=r"weight '0\.weight' .* on the device 'meta'"):
            ModuleActivations(net, ["0"]).transform(np.ones((1, 2)))

    def test_buffers_without_values(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            lazy = nn.Sequential(nn.LazyBatchNorm1d(affine=False))
        meta = nn.Sequential(nn.BatchNorm1d(2, affine=False, device="meta"))
        for net, message in (
            (lazy, r"buffer '0\.running_mean' of Sequential does not have a shape"),
            (meta, r"buffer '0\.running_mean' of Sequential is on the device 'meta'"),
        ):
            with pytest.raises(ValueError, match=message):
                ModuleActivations(net, ["0"]).fit(np.ones((3, 2)))

    def test_exported_modules(self):
        exported = torch.export.export(nn.Sequential(nn.Linear(2, 3)), (torch.ones(1, 2),))
        with pytest.raises(ValueError, match=r"was exported by torch\.export, so it cannot run"):
            ModuleActivations(exported.module(), ["0"]).fit(np.ones((1, 2)))

    def test_a_traced_module_is_not_a_model_of_transformers(self, tiny_bert):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch.jit is deprecated
            traced = torch.jit.trace(nn.Linear(2, 3), torch.ones(1, 2))
        with pytest.raises(ValueError, match=r"was compiled by torch\.jit, .* traced or scripted"):
            ActivationExtractor(traced, tiny_bert[1]).extract(["a"])

    @pytest.mark.parametrize(
        "error", [KeyError("states"), AssertionError("shape"), AttributeError("foo")], ids=repr
    )
    def test_errors_of_modules(self, error):
        class Failing(nn.Module):
            def forward(self, X):
                raise error

        reader = ModuleActivations(nn.Sequential(Failing()), ["0"])
        with pytest.raises(ValueError, match=r"does not accept inputs of shape \(2,\)"):
            reader.fit(np.ones((1, 2)))
        with pytest.raises(ValueError, match="Sentence 0: Sequential does not accept what encode"):
            reader.extract(["a"], encode=lambda words: torch.ones(1, 2))

    def test_widths_that_depend_on_the_batch(self):
        class Varying(nn.Module):
            def forward(self, X):
                return X[:, : int(X[0, 0])]

        reader = ModuleActivations(nn.Sequential(Varying()), ["0"], batch_size=1)
        with pytest.raises(ValueError, match=r"\['0'\] have 1 columns for one batch and 2 for"):
            reader.transform([[1, 0, 0], [2, 0, 0]])

    def test_missing_arguments(self):
        net = nn.Bilinear(2, 2, 3)
        with pytest.raises(
            ValueError, match=r"accept inputs of shape \(2,\) and dtype float32: Bilinear"
        ):
            ModuleActivations(nn.Sequential(net), ["0"]).fit(np.ones((1, 2)))
        with pytest.raises(ValueError, match="Sentence 0: Bilinear does not accept what encode"):
            ModuleActivations(net, [""]).extract(["a"], encode=lambda words: torch.ones(1, 2))


class Returning(nn.Module):
    def __init__(self, output):
        super().__init__()
        self.output = output

    def forward(self, X):
        return self.output


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (None, "Layer '0': expected a tensor, .* got NoneType None"),
        ((), r"got tuple \(\)"),
        ("text", "got str 'text'"),
        ({"states": [None]}, "got dict"),
        (torch.ones(1, 2) * 1j, "The output of layer '0' must contain real numbers, got a complex"),
        (
            torch.ones(1, 2).to_sparse(),
            "output of layer '0' must be dense and have values, got a tensor of layout torch.sparse",
        ),
        (
            pack_sequence([torch.ones(2, 3), torch.ones(1, 3)]),
            "'0' has an output of shape .3, 3. for a batch",
        ),
    ],
    ids=["none", "empty", "text", "nested", "complex", "sparse", "packed"],
)
def test_outputs_without_a_dense_tensor(output, message):
    reader = ModuleActivations(nn.Sequential(Returning(output)), ["0"])
    with pytest.raises(ValueError, match=message):
        reader.fit(np.ones((1, 2)))


def test_narrow_outputs():
    for dtype in (torch.bfloat16, torch.float8_e5m2):
        values = torch.tensor([[1.5, -2.0]])
        read = ModuleActivations(nn.Sequential(Returning(values.to(dtype))), ["0"])
        np.testing.assert_array_equal(read.fit_transform(np.ones((1, 2))), values.numpy())
