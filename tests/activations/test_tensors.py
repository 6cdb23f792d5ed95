"""Token activations of tensors: the same values as of arrays, or an error that names the sentence."""

import numpy as np
import pytest
import torch

from sklearn_neurox import TokenActivations

SENTENCES = ["to be", "or"]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e5m2, torch.float64])
@pytest.mark.parametrize("stacked", [False, True])
def test_values(dtype, stacked):
    parts = [torch.tensor([[0.5, 1.0], [0.0, 2.0]]), torch.tensor([[1.5, -4.0]])]
    tensors = [part.to(dtype) for part in parts]
    tokens = TokenActivations.from_sentences(
        torch.cat(parts).to(dtype) if stacked else tensors, SENTENCES
    )
    np.testing.assert_array_equal(tokens.X, torch.cat(parts).numpy())
    assert tokens.X.dtype == (np.float64 if dtype == torch.float64 else np.float32)


def test_gradients():
    tensors = [torch.ones(2, 3, requires_grad=True), torch.ones(1, 3, requires_grad=True)]
    assert TokenActivations.from_sentences(tensors, SENTENCES).X.shape == (3, 3)
    assert all(tensor.requires_grad for tensor in tensors)


@pytest.mark.parametrize(
    "bad", [torch.ones(1, 3).to_sparse(), torch.ones(1, 3, device="meta")], ids=["sparse", "meta"]
)
def test_tensors_without_dense_values(bad):
    with pytest.raises(
        TypeError, match="Sentence 1 must be dense and have values, got a tensor of layout"
    ):
        TokenActivations.from_sentences([torch.ones(2, 3), bad], SENTENCES)
