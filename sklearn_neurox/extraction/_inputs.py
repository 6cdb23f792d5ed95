"""Inputs of any network, and the networks whose modules can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from .._conversion import as_numpy

# Modules that look up rows of their weights.
LOOKUPS = (nn.Embedding, nn.EmbeddingBag)


def check_module(module: nn.Module) -> None:
    """Check that the modules of a network can be read.

    Raises
    ------
    ValueError
        If the network is compiled or exported, or does not have weights yet.
    """
    for path, each in module.named_modules():
        name = f"{type(each).__name__} {path!r}" if path else type(each).__name__
        if isinstance(each, torch.jit.ScriptModule):
            raise ValueError(
                f"{name} was compiled by torch.jit, so the outputs of the modules within it cannot "
                "be read. Pass the module that it was traced or scripted from."
            )
        if "eval" in vars(each):  # replaced by a function that raises an error
            raise ValueError(
                f"{name} was exported by torch.export, so it cannot run in eval mode. Pass the "
                "module that it was exported from."
            )
    weights = [("weight", *pair) for pair in module.named_parameters()]
    for kind, path, weight in weights + [("buffer", *pair) for pair in module.named_buffers()]:
        if is_lazy(weight):
            raise ValueError(
                f"The {kind} {path!r} of {type(module).__name__} does not have a shape, "
                "because its module is lazy. Run the module once before you extract activations."
            )
        if weight.is_meta and not any(hasattr(each, "_hf_hook") for each in module.modules()):
            raise ValueError(
                f"The {kind} {path!r} of {type(module).__name__} is on the device 'meta', so it "
                f"does not have values. Load the {kind}s before the module is run."
            )


def as_inputs(X: ArrayLike | Tensor, module: nn.Module) -> Tensor:
    """Check the inputs of a network, and convert them to a tensor in the dtype of its weights.

    Parameters
    ----------
    X : array-like or Tensor of shape (n_inputs, ...)
    module : torch.nn.Module

    Returns
    -------
    Tensor
        Floating-point numbers in the dtype of the weights, or integers.

    Raises
    ------
    ValueError
        If X is empty or does not contain finite numbers.
    """
    try:
        cells = to_numpy(X, "X") if isinstance(X, Tensor) else np.asarray(as_numpy(X, name="X"))
    except ValueError as error:
        if "inhomogeneous" not in str(error):
            raise
        raise ValueError(f"All inputs in X must have the same shape: {error}") from error
    if cells.ndim == 0 or not cells.size or cells.dtype.kind not in "biuf":
        raise ValueError(
            "X must contain numbers and have the shape (n_inputs, ...), got dtype "
            f"{cells.dtype} and shape {cells.shape}."
        )
    if cells.dtype.kind == "f" and not np.isfinite(cells).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(cells))[0])
        raise ValueError(f"X contains NaN or infinity. The first is at index {place}.")
    if cells.dtype.kind == "u" and cells.max() > np.iinfo(np.int64).max:
        raise ValueError(f"X contains {cells.max()}, which exceeds the largest int64.")
    weights = [weight for weight in module.parameters() if not weight.is_meta]
    device = weights[0].device if weights else torch.device("cpu")
    # Weights that are stored as integers are quantized: the module computes in another dtype.
    dtypes = [weight.dtype for weight in weights if weight.is_floating_point()]
    floating = dtypes[0] if dtypes else torch.float32
    is_float = cells.dtype.kind == "f"
    # torch does not accept all strides, byte orders and widths.
    native = np.ascontiguousarray(cells, dtype=np.float64 if is_float else np.int64)
    return torch.tensor(native, dtype=floating if is_float else torch.long, device=device)


def to_numpy(tensor: Tensor, name: str) -> NDArray:
    """Convert a tensor of real numbers to NumPy, as :func:`~sklearn_neurox._conversion.as_numpy`.

    Raises
    ------
    ValueError
        If it is sparse, nested, quantized, complex or without values. The message contains `name`.
    """
    if tensor.is_complex():
        raise ValueError(f"{name} must contain real numbers, got a complex tensor.")
    try:
        return as_numpy(tensor, name=name)
    except TypeError as error:
        raise ValueError(str(error)) from error


@contextmanager
def checked_lookups(module: nn.Module) -> Iterator[None]:
    """Within the context, check the indices that reach an embedding.

    An error of torch does not contain the index, and on a CUDA device it makes the process unable
    to use the device.
    """

    def check(path: str) -> Callable[[nn.Module, tuple, dict[str, Any]], None]:
        def on_input(each: Any, args: tuple, kwargs: dict[str, Any]) -> None:
            indices = args[0] if args else kwargs.get("input")
            if not isinstance(indices, Tensor) or not indices.numel():
                return
            lowest, highest = int(indices.min()), int(indices.max())
            if lowest < 0 or highest >= each.num_embeddings:
                wrong = lowest if lowest < 0 else highest
                raise ValueError(
                    f"{type(each).__name__} {path!r} has {each.num_embeddings} embeddings, "
                    f"numbered from 0, but its input contains {wrong}."
                )

        return on_input

    with ExitStack() as handles:
        for path, each in module.named_modules():
            if isinstance(each, LOOKUPS):
                handles.enter_context(each.register_forward_pre_hook(check(path), with_kwargs=True))
        yield
