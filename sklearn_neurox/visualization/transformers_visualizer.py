"""A neuron of a transformer drawn over a sentence, in one call."""

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
    """An extractor that keeps the model it has loaded."""

    def _load(self) -> tuple[Any, Any]:
        if not hasattr(self, "_loaded"):
            self._loaded = super()._load()
        return self._loaded


class TransformersVisualizer:
    """Draw the activations of a neuron of a transformer over any sentence.

    The model is loaded when the first sentence is drawn, and only then. It runs as far up as the
    layer asked for. What it gave for the last sentence is kept, so that the next neuron of the
    same sentence and layer is drawn at once.

    Parameters
    ----------
    model : str, path, or torch.nn.Module
        Whatever :class:`ActivationExtractor` reads: a name, a path, "model,tokenizer", or a loaded
        model.
    tokenizer : str, path or tokenizer, default=None
        None loads the one that belongs to `model`.
    **extractor_parameters
        Further parameters of :class:`ActivationExtractor`, all but `layers`.

    Raises
    ------
    TypeError
        For a parameter that the extractor has not.

    See Also
    --------
    visualize_activations : The drawing, for activations that are there already.
    NeuronGrid : Several neurons and sentences in one table.

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
        self,
        model: str | PathLike | Any,
        tokenizer: Any = None,
        **extractor_parameters: Any,
    ):
        if "layers" in extractor_parameters:
            raise TypeError("The layer is chosen with every drawing; leave out layers.")
        self._extractor = _LoadsOnce(model, tokenizer, **extractor_parameters)
        self._widths: dict[int, int] = {}  # of the layers that have run
        self._words: tuple[str, ...] | None = None  # of the last sentence
        self._layers: dict[int, TokenActivations] = {}  # of the last sentence

    def __repr__(self) -> str:
        model = self._extractor.model
        name = repr(str(model)) if isinstance(model, str | PathLike) else type(model).__name__
        return f"TransformersVisualizer({name})"

    @property
    def model(self) -> Any:
        """The stack of layers that runs, loaded if it is not yet."""
        return self._extractor._load()[0]

    @property
    def tokenizer(self) -> Any:
        """The tokenizer, loaded if it is not yet."""
        return self._extractor._load()[1]

    def __call__(
        self, tokens: Sequence[str] | NDArray | str, layer: int, neuron: int, **options: Any
    ) -> TextDrawing:
        """Draw one neuron over one sentence.

        Parameters
        ----------
        tokens : sequence of n_tokens str, or str
            The words of the sentence, or a string whose words are parted by single spaces.
        layer : int
            0 are the embeddings, n the output of the n-th block.
        neuron : int
            Counted from 0 within the layer.
        **options
            Of :func:`visualize_activations`, such as `text_direction` or `filter_fn`.

        Returns
        -------
        svgwrite.Drawing
            Shows itself in a notebook; ``.saveas(path)`` and ``.tostring()`` export it.

        Raises
        ------
        TypeError
            If `tokens` are neither words nor a string, `layer` or `neuron` is no integer, or an
            option is unknown.
        ValueError
            If the model has no such layer or neuron, for a sentence that the extractor does not
            take, or a model that cannot be loaded.
        """
        words = _split(tokens)
        _check_index(layer, "layer")
        _check_index(neuron, "neuron")
        self._check_width(layer, neuron)
        found = self._activations(words, int(layer))
        self._check_width(layer, neuron)
        return visualize_activations(found.words, found.X[:, neuron], **options)

    def _activations(self, words: tuple[str, ...], layer: int) -> TokenActivations:
        if words != self._words:
            self._words, self._layers = words, {}
        if layer not in self._layers:
            self._extractor.set_params(layers=[layer])
            self._layers[layer] = self._extractor.extract([words])
            self._widths[layer] = self._layers[layer].X.shape[1]
        return self._layers[layer]

    def _check_width(self, layer: int, neuron: int) -> None:
        """Refuse a neuron that the layer has not, as soon as its width is known."""
        width = self._widths.get(layer)
        if width is not None and neuron >= width:
            raise ValueError(f"Layer {layer} has the neurons 0 to {width - 1}, got {neuron}.")


def _split(tokens: Any) -> tuple[str, ...]:
    if isinstance(tokens, str):
        return tuple(tokens.split(" "))
    if not isinstance(tokens, Sequence | np.ndarray):
        raise TypeError(
            f"tokens must be a list of words or a string, got {type(tokens).__name__} {tokens!r}."
        )
    return tuple(tokens.tolist() if isinstance(tokens, np.ndarray) else tokens)


def _check_index(value: Any, name: str) -> None:
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer, got {type(value).__name__} {value!r}.")
    if value < 0:
        raise ValueError(f"{name} must not be negative, got {value}.")
