"""Drawings of a neuron of a transformer over a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..activations import TokenActivations
from ..extraction import ActivationExtractor
from .text import TextDrawing, visualize_activations


class _LoadsOnce(ActivationExtractor):
    """Extractor that keeps the model after loading it."""

    def _load(self) -> tuple[Any, Any]:
        if not hasattr(self, "_loaded"):
            self._loaded = super()._load()
        return self._loaded


class TransformersVisualizer:
    """Draw the activations of a neuron of a transformer over any sentence.

    The model is loaded when the first sentence is drawn. It runs only up to the requested layer.
    The activations of the last sentence are cached, so drawing another neuron of the same sentence
    and layer does not run the model again.

    Parameters
    ----------
    model : str, path-like or torch.nn.Module
        A model as in :class:`ActivationExtractor`: a name, a path, "model,tokenizer", or a loaded
        model.
    tokenizer : str, path-like or tokenizer, default=None
        Tokenizer of the model. If None, load the tokenizer that belongs to `model`.
    **extractor_parameters
        Other parameters of :class:`ActivationExtractor`, except `layers`.

    Raises
    ------
    TypeError
        If `layers` is passed, or :class:`ActivationExtractor` does not have a parameter.

    See Also
    --------
    visualize_activations : Draws activations that were already extracted.
    NeuronGrid : Shows several neurons and sentences in one table.

    Examples
    --------
    >>> from transformers import ByT5Tokenizer, T5Config, T5EncoderModel
    >>> from sklearn_neurox import TransformersVisualizer
    >>> tokenizer = ByT5Tokenizer()
    >>> config = T5Config(
    ...     vocab_size=len(tokenizer), d_model=8, d_kv=4, d_ff=16, num_layers=2, num_heads=2)
    >>> visualizer = TransformersVisualizer(T5EncoderModel(config), tokenizer)
    >>> drawing = visualizer(["The", "kettle", "sulked", "."], layer=1, neuron=7)
    >>> drawing.tostring().count("<rect")
    4
    """

    def __init__(
        self, model: str | PathLike[str] | Any, tokenizer: Any = None, **extractor_parameters: Any
    ) -> None:
        if "layers" in extractor_parameters:
            raise TypeError("layers cannot be passed. Pass layer to each call instead.")
        # Fitted, because the working directory may change before the model is loaded.
        self._extractor = _LoadsOnce(model, tokenizer, **extractor_parameters).fit()
        self._widths: dict[int, int] = {}  # number of neurons in the layers that have run
        self._sentence: tuple[str, ...] | None = None  # the last one
        self._layers: dict[int, TokenActivations] = {}  # of the last sentence

    def __repr__(self) -> str:
        model = self._extractor.model
        name = repr(str(model)) if isinstance(model, str | PathLike) else type(model).__name__
        return f"TransformersVisualizer({name})"

    @property
    def model(self) -> Any:
        """The stack of layers, which is loaded on first use."""
        return self._extractor._load()[0].stack

    @property
    def tokenizer(self) -> Any:
        """The tokenizer, which is loaded on first use."""
        return self._extractor._load()[1]

    def __call__(
        self, words: Sequence[str] | NDArray | str, layer: int, neuron: int, **options: Any
    ) -> TextDrawing:
        """Draw one neuron over one sentence.

        Parameters
        ----------
        words : sequence of n_words str, or str
            The words of the sentence, or a string of words separated by single spaces.
        layer : int
            Layer of the neuron: 0 for the embeddings, and n for the output of the n-th block.
        neuron : int
            Index of the neuron within the layer, from 0.
        **options
            Parameters of :func:`visualize_activations`, such as `text_direction` or `filter_fn`.

        Returns
        -------
        svgwrite.Drawing
            The drawing, which notebooks display. Use ``.saveas(path)`` or ``.tostring()`` to export
            it.

        Raises
        ------
        TypeError
            If `words` is neither a list of words nor a string, `layer` or `neuron` is not an
            integer, or an option is unknown.
        ValueError
            If the model does not have the layer or neuron, the extractor rejects the sentence, or
            the model cannot be loaded.
        """
        sentence = _split(words)
        _check_index(layer, "layer")
        _check_index(neuron, "neuron")
        self._check_width(layer, neuron)
        tokens = self._activations(sentence, int(layer))
        self._check_width(layer, neuron)
        return visualize_activations(tokens.words, tokens.X[:, neuron], **options)

    def _activations(self, sentence: tuple[str, ...], layer: int) -> TokenActivations:
        if sentence != self._sentence:
            self._sentence, self._layers = sentence, {}
        if layer not in self._layers:
            self._extractor.set_params(layers=[layer])
            self._layers[layer] = self._extractor.extract([sentence])
            self._widths[layer] = self._layers[layer].X.shape[1]
        return self._layers[layer]

    def _check_width(self, layer: int, neuron: int) -> None:
        """Raise an error if the layer is known not to have the neuron."""
        width = self._widths.get(layer)
        if width is not None and neuron >= width:
            raise ValueError(
                f"neuron must be from 0 to {width - 1} in layer {layer}, got {neuron}."
            )


def _split(words: Sequence[str] | NDArray | str) -> tuple[str, ...]:
    if isinstance(words, str):
        return tuple(words.split(" "))
    if not isinstance(words, Sequence | np.ndarray):
        raise TypeError(
            f"words must be a list of words or a string, got {type(words).__name__} {words!r}."
        )
    return tuple(words.tolist() if isinstance(words, np.ndarray) else words)


def _check_index(value: Any, name: str) -> None:
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer, got {type(value).__name__} {value!r}.")
    if value < 0:
        raise ValueError(f"{name} must be non-negative, got {value}.")
