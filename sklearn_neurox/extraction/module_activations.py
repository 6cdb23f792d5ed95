"""Activations of any network of torch, by forward hooks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Integral
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from ..activations.tokens import TokenActivations
from ..datasets.sentences import Sentence, check_corpus, check_word_labels
from ._loading import evaluating
from ._pickling import HashedByContent
from ._recurrence import Shapes, check_recurrence, watching_recurrence
from ._states import first_tensor


class ModuleActivations(HashedByContent, TransformerMixin, BaseEstimator):
    """Read the activations of layers of any torch module: of your own network, say.

    :meth:`transform` feeds a batch of inputs and gives one row each: a step of a Pipeline.
    :meth:`extract` feeds sentences and gives one row per word. What a layer is, you say by the
    names that ``module.named_modules()`` gives. The module is not changed: it runs in eval mode
    without gradients, and goes back to its own mode.

    Parameters
    ----------
    module : torch.nn.Module
        Takes its inputs where it is; move it to another device beforehand. The first axis of a
        batch are the inputs: recurrent layers need ``batch_first=True`` for :meth:`transform`.
    layers : list of str
        Names of the layers to read, in the order of the columns.
    pooling : {"mean", "max", "last", "flatten"}, default="mean"
        For :meth:`transform`: how an output with more than two axes becomes one row. With three
        axes, it is (inputs, positions, units), with more (inputs, channels, positions ...); the
        mean or maximum over the positions, the last of them, or all side by side.
    batch_size : int, default=256
        Inputs fed together.

    Attributes
    ----------
    widths_ : list of int
        Columns of each layer, seen in ``fit``.

    See Also
    --------
    ActivationExtractor : For the models of ``transformers``.
    LayerSelector : Tells the directions of a bidirectional layer apart.

    Notes
    -----
    A layer that runs several times, as a cell does for each position, gives (inputs, positions,
    units). Of a layer that gives a tuple, as an LSTM does, the first tensor is taken.

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

    def __init__(self, module, layers, *, pooling="mean", batch_size=256):
        self.module = module
        self.layers = layers
        self.pooling = pooling
        self.batch_size = batch_size

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.requires_fit = False
        tags.no_validation = True
        return tags

    def fit(self, X: ArrayLike, y=None):
        """Find the layers, and count their neurons on the first input.

        Parameters
        ----------
        X : array-like of shape (n_inputs, ...)
            Inputs of the module: numbers, or whole numbers such as indices of words.
        y : Ignored

        Returns
        -------
        self : ModuleActivations

        Raises
        ------
        ValueError
            If the module has no such layer, X is empty or holds NaN or infinity, or a recurrent
            layer would take inputs for positions.
        """
        self._validate_params()
        states = self._states(self._check_inputs(X)[:1])
        self.widths_ = [state.shape[1] for state in states]
        return self

    def transform(self, X: ArrayLike) -> NDArray:
        """Read the activations of a batch of inputs.

        Parameters
        ----------
        X : array-like of shape (n_inputs, ...)

        Returns
        -------
        ndarray of shape (n_inputs, n_neurons)
            Of the dtype that the module computes in.

        Raises
        ------
        ValueError
            As :meth:`fit`; also for activations that are NaN or infinite.
        """
        self._validate_params()
        inputs = self._check_inputs(X)
        rows = [
            np.hstack(self._states(inputs[batch]))
            for batch in gen_batches(len(inputs), self.batch_size)
        ]
        activations = np.concatenate(rows)
        if not np.isfinite(activations).all():
            bad = np.flatnonzero(~np.isfinite(activations).all(axis=1))[0]
            raise ValueError(f"Input {bad} has activations that are NaN or infinite.")
        return activations

    def extract(
        self,
        sentences: Sequence[Sentence],
        encode: Callable[[list[str]], Any],
        labels: Sequence[Sequence] | None = None,
    ) -> TokenActivations:
        """Read the activations of the words of a corpus.

        Parameters
        ----------
        sentences : sequence of sentences
            A sentence is a sequence of words, or a string whose words are parted by single
            spaces.
        encode : callable
            Gives the input of the module for the words of one sentence: a tensor, a tuple of
            arguments or a mapping of them.
        labels : sequence of sequences, default=None
            A label for each word of each sentence.

        Returns
        -------
        TokenActivations
            One row per word; layer k is the k-th of `layers`.

        Raises
        ------
        TypeError
            If `encode` is no function, or gives something else; as
            :meth:`ActivationExtractor.extract` for the corpus and its labels.
        ValueError
            If a layer does not give one state for each word, or layers differ in width; as
            :meth:`ActivationExtractor.extract` for the corpus and its labels.
        """
        self._validate_params()
        if not callable(encode):
            raise TypeError(
                "encode must be a function from the words of a sentence to the input of the "
                f"module, got {type(encode).__name__} {encode!r:.60}."
            )
        corpus = check_corpus(sentences)
        y = None if labels is None else check_word_labels(corpus, labels)
        rows = [self._states_of_words(words, encode(words), i) for i, words in enumerate(corpus)]
        widths = [state.shape[1] for state in rows[0]]
        if len(set(widths)) > 1:
            raise ValueError(
                f"The layers {list(self.layers)} have {widths} neurons; read layers of one width "
                "together, and others by themselves."
            )
        lengths = [len(words) for words in corpus]
        X = np.concatenate([np.hstack(states) for states in rows])
        if not np.isfinite(X).all():
            bad = np.repeat(np.arange(len(corpus)), lengths)[~np.isfinite(X).all(axis=1)][0]
            raise ValueError(f"Sentence {bad} has activations that are NaN or infinite.")
        return TokenActivations(
            X=X,
            words=np.array([word for words in corpus for word in words], dtype=object),
            sentence_ids=np.repeat(np.arange(len(corpus)), lengths),
            positions=np.concatenate([np.arange(length) for length in lengths]),
            layers=tuple(range(len(self.layers))),
            y=y,
        )

    def get_feature_names_out(self, input_features=None) -> NDArray:
        """Names of the columns: the name of the layer, and a number.

        Parameters
        ----------
        input_features : Ignored

        Returns
        -------
        ndarray of str
        """
        check_is_fitted(self, "widths_")
        return np.array(
            [
                f"{layer}_neuron_{i}"
                for layer, width in zip(self.layers, self.widths_, strict=True)
                for i in range(width)
            ],
            dtype=object,
        )

    def _check_inputs(self, X) -> Tensor:
        cells = np.asarray(X)
        if cells.ndim == 0 or not cells.size or cells.dtype.kind not in "biuf":
            raise ValueError(
                f"Expected numbers of shape (n_inputs, ...), got {cells.dtype} of {cells.shape}."
            )
        if cells.dtype.kind == "f" and not np.isfinite(cells).all():
            place = tuple(int(i) for i in np.argwhere(~np.isfinite(cells))[0])
            raise ValueError(f"Input X contains NaN or infinity; the first is at {place}.")
        parameter = next(self.module.parameters(), torch.empty(0))
        dtype = parameter.dtype if cells.dtype.kind == "f" else torch.long
        return torch.tensor(cells, dtype=dtype, device=parameter.device)

    def _states(self, inputs: Tensor) -> list[NDArray]:
        """States (n_inputs, width) of each layer."""
        caught, seen = self._feed(inputs)
        check_recurrence(seen, inputs, lambda others: self._feed(others)[1])
        states = {layer: _of_all_calls(caught[layer], layer) for layer in self.layers}
        for layer, state in states.items():
            if not state.ndim or len(state) != len(inputs):
                raise ValueError(
                    f"Layer {layer!r} gives states of shape {tuple(state.shape)} for {len(inputs)} "
                    "inputs: expected one for each input, along the first axis."
                )
        return [_to_numpy(_pool(state, self.pooling)) for state in states.values()]

    def _feed(self, inputs: Tensor) -> tuple[dict[str, list[Tensor]], Shapes]:
        """Catch what the layers give for a batch, and what recurrent ones get."""
        with self._watching() as caught, watching_recurrence(self.module) as seen:
            try:
                self.module(inputs)
            except RuntimeError as error:  # of torch, which does not say whose fault it is
                raise ValueError(
                    f"{type(self.module).__name__} does not take inputs of shape "
                    f"{tuple(inputs.shape[1:])}: {error}"
                ) from error
        return caught, seen

    def _states_of_words(self, words: list[str], inputs: Any, index: int) -> list[NDArray]:
        """States (n_words, width) of each layer on one sentence."""
        if not isinstance(inputs, Tensor | tuple | Mapping):
            raise TypeError(
                f"Sentence {index}: encode must give a tensor, a tuple of arguments or a mapping "
                f"of them, got {type(inputs).__name__} {inputs!r:.60}."
            )
        with self._watching() as caught:
            if isinstance(inputs, Mapping):
                self.module(**inputs)
            else:
                self.module(*(inputs if isinstance(inputs, tuple) else (inputs,)))
        states = []
        for layer in self.layers:
            state = _of_all_calls(caught[layer], layer)
            rows = [n for n in state.shape[:-1] if n != 1]
            if rows != ([len(words)] if len(words) > 1 else []):
                raise ValueError(
                    f"Sentence {index} has {len(words)} words, but layer {layer!r} gives states of "
                    f"shape {tuple(state.shape)}: expected one for each word."
                )
            states.append(_to_numpy(state.reshape(len(words), -1)))
        return states

    @contextmanager
    def _watching(self) -> Iterator[dict[str, list[Tensor]]]:
        """Catch what the layers give."""
        inside = dict(self.module.named_modules())
        unknown = [layer for layer in self.layers if layer not in inside]
        if unknown or not self.layers or len(set(self.layers)) < len(self.layers):
            raise ValueError(
                f"layers must be different names of modules, got {list(self.layers)}; "
                f"{type(self.module).__name__} has {[name for name in inside if name]}."
            )
        caught: dict[str, list[Tensor]] = {layer: [] for layer in self.layers}
        handles = [
            inside[layer].register_forward_hook(
                lambda module, args, output, layer=layer: caught[layer].append(
                    first_tensor(output).clone()
                )
            )
            for layer in self.layers
        ]
        try:
            with evaluating(self.module), torch.inference_mode():
                yield caught
        finally:
            for handle in handles:
                handle.remove()


def _of_all_calls(states: list[Tensor], layer: str) -> Tensor:
    """Put together what a layer gave: once, or once for each position."""
    if not states:
        raise ValueError(f"Layer {layer!r} did not run.")
    return states[0] if len(states) == 1 else torch.stack(states, dim=1)


def _to_numpy(state: Tensor) -> NDArray:
    """Bring a state to numpy, which does not know bfloat16."""
    return (state.float() if state.dtype == torch.bfloat16 else state).cpu().numpy()


def _pool(state: Tensor, how: str) -> Tensor:
    """Make one row of each input."""
    if state.ndim < 2:
        return state.reshape(len(state), 1)
    if state.ndim == 2:
        return state
    if how == "flatten":
        return state.flatten(1)
    # Positions behind the units, which come second where there is a space of positions.
    units_first = state.transpose(1, 2) if state.ndim == 3 else state.flatten(2)
    if how == "last":
        return units_first[..., -1]
    return units_first.mean(dim=2) if how == "mean" else units_first.amax(dim=2)
