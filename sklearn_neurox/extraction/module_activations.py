"""Activations of any torch network, one row per input or per word."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Integral
from typing import Any, Literal, Self, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags, gen_batches
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from .._device import full_precision
from ..activations.columns import Neurons
from ..activations.tokens import TokenActivations, pack_sentences
from ..datasets.sentences import Sentence, check_corpus, check_word_labels
from ._inputs import check_module, checked_lookups, to_numpy
from ._isolation import ChangedWeightError, isolated
from ._locks import alone_with
from ._module_inputs import Batch, batches_of
from ._pickling import HashedByContent
from ._recurrence import check_recurrence
from .hook_points import hooked, module_points

# Runs the module and returns the output of each layer.
Run: TypeAlias = Callable[..., dict[str, Tensor]]
# Errors of modules whose inputs are not as they expect.
_OF_FORWARD = (RuntimeError, LookupError, AssertionError, AttributeError, ArithmeticError)


class ModuleActivations(HashedByContent, TransformerMixin, BaseEstimator):
    """Extract the activations of layers of any torch module.

    :meth:`transform` runs the module on a batch of inputs and returns one row per input, as a step
    of a Pipeline. :meth:`extract` runs it on sentences and returns one row per word. Layers are
    specified by their paths in ``module.named_modules()``. The module runs in eval mode without
    gradients and without ``torch.autocast``. Every batch starts from the state that the module has
    before, which is restored afterwards: modes, buffers, and attributes of modules that are
    tensors, NumPy arrays, containers or generators of random numbers.

    Parameters
    ----------
    module : torch.nn.Module
        The module, which is run on its current device. The first axis of a batch must be that of
        the inputs: recurrent layers require ``batch_first=True`` for :meth:`transform`.
    layers : list of str
        Paths of the layers, in the order of the columns.
    pooling : {"mean", "max", "last", "flatten"}, default="mean"
        For :meth:`transform`: how an output with more than two axes becomes one row. Three axes are
        (inputs, positions, neurons), and more are (inputs, channels, positions, ...). The row is
        the mean or maximum over the positions, the last position, or all positions concatenated.
    batch_size : int, default=256
        Number of inputs in a batch.

    Attributes
    ----------
    widths_ : list of int
        Number of columns of each layer.

    See Also
    --------
    ActivationExtractor : Activations of the models of ``transformers``.
    LayerSelector : Selects a layer, or one direction of a bidirectional layer.

    Notes
    -----
    A layer that runs several times, such as a cell that runs at each position, has an output of
    shape (inputs, positions, neurons). If the output of a layer is a tuple, as for an LSTM, its
    first tensor is used.

    A module that changes its weights in place while it runs is rejected, because its activations
    depend on earlier calls; the changes are not undone. Embeddings with `max_norm` and RWKV are
    accepted, because their weights are restored. Changes through ``weight.data`` are not noticed.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from sklearn_neurox import ModuleActivations
    >>> network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    >>> X = np.random.RandomState(0).normal(size=(5, 4))
    >>> reader = ModuleActivations(network, ["1"])
    >>> reader.fit_transform(X).shape
    (5, 8)
    >>> reader.get_feature_names_out()[0]
    '1_neuron_0'
    """

    _parameter_constraints: dict = {
        "module": [nn.Module],
        "layers": [list, tuple],
        "pooling": [StrOptions({"mean", "max", "last", "flatten"})],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
    }

    _by_content = ("module",)

    def __init__(
        self,
        module: nn.Module,
        layers: Sequence[str],
        *,
        pooling: Literal["mean", "max", "last", "flatten"] = "mean",
        batch_size: int = 256,
    ):
        self.module = module
        self.layers = layers
        self.pooling = pooling
        self.batch_size = batch_size

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.requires_fit = False
        tags.no_validation = True
        return tags

    def fit(self, X: Any, y: object = None) -> Self:
        """Find the layers, and count their neurons on the first input.

        Parameters
        ----------
        X : array-like of shape (n_inputs, ...), list of sequences, or mapping
            Inputs of the module, as in :meth:`transform`: floating-point numbers, or integers such
            as word indices.
        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : ModuleActivations
            Fitted extractor.

        Raises
        ------
        ValueError
            If the module does not have one of the layers or changes its weights while it runs, X is
            empty or contains NaN or infinity, or a recurrent layer would treat inputs as positions.
        """
        with alone_with(self.module):
            first, *_ = self._check_inputs(X)
            with self._reading() as run:
                self.widths_ = [state.shape[1] for state in self._rows(run, first[:1])]
        return self

    def transform(self, X: Any) -> NDArray:
        """Run the module on inputs and return one row per input.

        Parameters
        ----------
        X : array-like of shape (n_inputs, ...), list of sequences, or mapping
            Inputs of the module: one array, a list of sequences of different lengths, or a mapping
            of its keyword arguments, such as the result of a tokenizer. Padding that
            ``attention_mask`` marks at the beginning or end of an input is removed, and inputs of
            equal length share a batch, so the row of an input is that of the input alone.

        Returns
        -------
        ndarray of shape (n_inputs, n_neurons)
            Activations in the dtype in which the module computes.

        Raises
        ------
        ValueError
            As in :meth:`fit`, and if an activation is NaN or infinite.
        """
        with alone_with(self.module):
            batches = [
                inputs[rows]
                for inputs in self._check_inputs(X)
                for rows in gen_batches(len(inputs), self.batch_size)
            ]
            with self._reading() as run:
                rows = [np.hstack(self._rows(run, batch)) for batch in batches]
        widths = list(dict.fromkeys(batch.shape[1] for batch in rows))
        if len(widths) > 1:
            raise ValueError(
                f"The layers {list(self.layers)} have {widths[0]} columns for one batch and "
                f"{widths[1]} for another. Expected the same number for all inputs."
            )
        activations = np.concatenate(rows)
        order = np.concatenate([batch.places for batch in batches])
        if (order[1:] < order[:-1]).any():  # inputs of equal length share a batch
            activations = activations[np.argsort(order)]
        if not np.isfinite(activations).all():
            bad = np.flatnonzero(~np.isfinite(activations).all(axis=1))[0]
            raise ValueError(f"Input {bad} has activations that are NaN or infinite.")
        return activations

    def extract(
        self,
        sentences: Sequence[Sentence],
        labels: Sequence[Sequence[Any]] | None = None,
        *,
        encode: Callable[[list[str]], Any],
    ) -> TokenActivations:
        """Run the module on the words of a corpus and return one row per word.

        Parameters
        ----------
        sentences : sequence of sentences
            A sentence is a sequence of words, or a string of words separated by single spaces.
        labels : sequence of sequences, default=None
            A label for each word of each sentence.
        encode : callable
            Function that returns the input of the module for the words of a sentence: a tensor, a
            tuple of arguments or a mapping of keyword arguments.

        Returns
        -------
        TokenActivations
            One row per word, in the order of the corpus. Layers are numbered from 0 in the order of
            `layers`.

        Raises
        ------
        TypeError
            If `encode` is not a function or returns anything else, or the corpus or its labels are
            invalid, as in :meth:`ActivationExtractor.extract`.
        ValueError
            If the output of a layer does not have one state per word, layers have different widths,
            the module changes its weights while it runs, or the corpus or its labels are invalid,
            as in :meth:`ActivationExtractor.extract`.
        """
        self._validate_params()
        if not callable(encode):
            raise TypeError(
                "encode must be a function from the words of a sentence to the input of the "
                f"module, got {type(encode).__name__} {encode!r:.60}."
            )
        corpus = check_corpus(sentences)
        y = None if labels is None else check_word_labels(corpus, labels)
        with alone_with(self.module):
            check_module(self.module)
            with self._reading() as run:
                rows = [
                    self._rows_of_words(run, words, encode(words), i)
                    for i, words in enumerate(corpus)
                ]
        widths = [state.shape[1] for state in rows[0]]
        if len(set(widths)) > 1:
            raise ValueError(
                f"The layers {list(self.layers)} have different widths, {widths}. Extract layers "
                "of different widths separately."
            )
        X = np.concatenate([np.hstack(states) for states in rows])
        if not np.isfinite(X).all():
            sentence_ids = np.repeat(np.arange(len(corpus)), [len(words) for words in corpus])
            bad = sentence_ids[~np.isfinite(X).all(axis=1)][0]
            raise ValueError(f"Sentence {bad} has activations that are NaN or infinite.")
        return pack_sentences(X, corpus, layers=range(len(self.layers)), y=y)

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Return the names of the columns: the path of the layer and the index of the neuron.

        Parameters
        ----------
        input_features : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        ndarray of str
        """
        check_is_fitted(self, "widths_")
        return Neurons(tuple(self.layers), tuple(self.widths_)).names

    def _check_inputs(self, X: Any) -> list[Batch]:
        self._validate_params()
        check_module(self.module)
        batches = batches_of(X, self.module)
        check_recurrence(self.module, batches[0], self._feed_alone)
        return batches

    def _feed_alone(self, inputs: Batch) -> None:
        # Hooks of the caller were registered before, so they are not undone.
        with isolated(self.module, full_precision(), checked_lookups(self.module)) as call:
            self._feed(call, inputs)

    def _rows(self, run: Run, inputs: Batch) -> list[NDArray]:
        """Return the states of each layer, of shape (n_inputs, width)."""
        states = self._feed(run, inputs)
        for layer, state in states.items():
            if not state.ndim or len(state) != len(inputs):
                raise ValueError(
                    f"Layer {layer!r} has an output of shape {tuple(state.shape)} for a batch of "
                    f"shape {inputs.shape}. Expected one state per input along the first "
                    "axis."
                )
        return [
            to_numpy(_pool(state, self.pooling), f"The output of layer {layer!r}")
            for layer, state in states.items()
        ]

    def _feed(self, call: Callable[..., Any], inputs: Batch) -> Any:
        try:
            return inputs.feed(call)
        # The errors of torch do not mention the input. A TypeError is about missing arguments.
        except (*_OF_FORWARD, TypeError) as error:
            raise ValueError(
                f"{type(self.module).__name__} does not accept inputs of shape "
                f"{inputs.shape[1:]} and dtype {_name(inputs.dtype)}: {error}"
            ) from error

    def _rows_of_words(self, run: Run, words: list[str], inputs: Any, index: int) -> list[NDArray]:
        """Return the states of each layer on one sentence, of shape (n_words, width)."""
        if not isinstance(inputs, Tensor | tuple | Mapping):
            raise TypeError(
                f"Sentence {index}: encode must return a tensor, a tuple of arguments or a mapping "
                f"of keyword arguments, got {type(inputs).__name__} {inputs!r:.60}."
            )
        arguments = inputs if isinstance(inputs, tuple) else (inputs,)
        try:
            read = run(**inputs) if isinstance(inputs, Mapping) else run(*arguments)
        except ChangedWeightError:
            raise
        except (*_OF_FORWARD, TypeError, ValueError) as error:
            raise ValueError(
                f"Sentence {index}: {type(self.module).__name__} does not accept what encode "
                f"returns: {error}"
            ) from error
        rows = []
        for layer, state in read.items():
            axes = [n for n in state.shape[:-1] if n != 1]
            if axes != ([len(words)] if len(words) > 1 else []):
                raise ValueError(
                    f"Sentence {index} has {len(words)} words, but layer {layer!r} has an output "
                    f"of shape {tuple(state.shape)}. Expected one state per word."
                )
            state = state.reshape(len(words), -1)
            rows.append(to_numpy(state, f"The output of layer {layer!r}"))
        return rows

    @contextmanager
    def _reading(self) -> Iterator[Run]:
        """Yield a function that runs the module and returns the outputs of the layers."""
        points = module_points(self.module, self.layers)
        read: dict[str, list[Tensor]] = {layer: [] for layer in points}
        hooks = hooked(points, lambda layer, state: read[layer].append(state.clone()))

        def reset() -> None:
            for states in read.values():
                states.clear()

        settings = (full_precision(), hooks, checked_lookups(self.module))
        with isolated(self.module, *settings, reset=reset) as call:

            def run(*args: Any, **kwargs: Any) -> dict[str, Tensor]:
                call(*args, **kwargs)
                return {layer: _over_calls(states, layer) for layer, states in read.items()}

            yield run


def _over_calls(states: list[Tensor], layer: str) -> Tensor:
    """Return the output of a layer that ran once, or stack its outputs at all positions."""
    if not states:
        raise ValueError(f"Layer {layer!r} did not run.")
    shapes = list(dict.fromkeys(tuple(state.shape) for state in states))
    if len(shapes) > 1:
        raise ValueError(
            f"Layer {layer!r} ran {len(states)} times, with outputs of the different shapes "
            f"{shapes}. Expected one shape, as for a cell that runs at each position. Use a "
            "separate module at each place of the network."
        )
    return states[0] if len(states) == 1 else torch.stack(states, dim=1)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _pool(state: Tensor, pooling: str) -> Tensor:
    """Return one row per input."""
    if state.ndim < 2:
        return state.reshape(len(state), 1)
    if state.ndim == 2:
        return state
    if pooling == "flatten":
        return state.flatten(1)
    # Move positions to the last axis. With more than three axes, channels already come second.
    neurons_first = state.transpose(1, 2) if state.ndim == 3 else state.flatten(2)
    if pooling == "last":
        return neurons_first[..., -1]
    if pooling == "max":
        return neurons_first.amax(dim=2)
    # The result is float32 in NumPy, so the mean is not rounded to bfloat16.
    wide = torch.float32 if state.dtype == torch.bfloat16 else None
    return neurons_first.mean(dim=2, dtype=wide)
