"""Keyword arguments for matplotlib that users pass on.

They are checked before anything is computed or drawn, so that an error names the parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, TypeAlias

from .._html import printable
from .._optional import import_optional

Style: TypeAlias = Mapping[str, Any]  # keyword arguments for matplotlib

# Module and class of the artist that each parameter of `plot` styles.
ARTISTS: Mapping[str, str] = MappingProxyType(
    {
        "band_kw": "collections.PolyCollection",
        "bar_kw": "patches.Rectangle",
        "cut_kw": "lines.Line2D",
        "errorbar_kw": "lines.Line2D",
        "hlines_kw": "collections.LineCollection",
        "im_kw": "image.AxesImage",
        "level_kw": "lines.Line2D",
        "line_kw": "lines.Line2D",
        "text_kw": "text.Text",
    }
)
_NO_COLORS = ("auto", "face", "edge", "inherit")  # the color of another part
_BARS = "patches.Rectangle"
_OF_EACH_BAR = ("hatch", "linestyle", "linewidth")  # a value, or a list of one for each bar
# What a display draws, as opposed to how.
_DATA = (
    "X", "data", "left", "paths", "s", "segments", "text", "verts", "width", "x", "xdata", "xerr",
    "xy", "y", "ydata", "yerr",
)  # fmt: skip


def override(defaults: Style, user: Style | None, artist: str) -> dict[str, Any]:
    """Merge keyword arguments for matplotlib, with those of the user overriding the defaults.

    Parameters
    ----------
    defaults : mapping
        Default keyword arguments.
    user : mapping or None
        Keyword arguments of the user, which may be aliases, such as ``lw`` for ``linewidth``.
    artist : str
        Module and class of the styled artist, such as "lines.Line2D".

    Returns
    -------
    dict
        Characters of the user's texts that cannot be drawn are replaced.
    """
    kind = _kind(artist)
    cbook = _matplotlib("cbook")
    ours, theirs = (cbook.normalize_kwargs(each, kind) for each in (defaults, user))
    if "fmt" in theirs:  # shorthand for the three styles
        ours = {key: ours[key] for key in ours if key not in ("color", "marker", "linestyle")}
    for key, value in theirs.items():
        ours[key] = printable(value) if isinstance(value, str) else value
    return ours


def check_style(style: Style | None, name: str, artist: str) -> None:
    """Check the keyword arguments that a user passes on.

    Parameters
    ----------
    style : mapping of str to object, or None
    name : str
        Parameter of ``plot``, such as "line_kw".
    artist : str
        Module and class of the styled artist, such as "lines.Line2D".

    Raises
    ------
    TypeError
        If `style` is not a mapping of names to values, or contains an alias as well as its name, or
        contains what the display draws, such as a text or coordinates.
    ValueError
        If matplotlib does not accept a value of a property of the artist.
    """
    if style is None:
        return
    if not isinstance(style, Mapping) or not all(isinstance(key, str) for key in style):
        raise TypeError(f"{name} must be a dict of keyword arguments by name, got {style!r}.")
    try:
        properties = override({}, style, artist)
    except TypeError as error:
        raise TypeError(f"{name} is ambiguous: {error}") from error
    for key, value in properties.items():
        if key in _DATA:
            raise TypeError(f"{name} must not contain {key!r}, because the display determines it.")
        try:
            _checker(artist, key)(value)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{key} in {name} must be {_expected(key)}, got {value!r}.") from error


def _checker(artist: str, key: str) -> Callable[[Any], object]:
    """Return a function that raises an error if matplotlib does not accept a value."""
    if _is_color(key):  # some setters accept any value, which fails when it is drawn
        to_rgba_array = _matplotlib("colors").to_rgba_array
        return lambda value: _is_special(value) or to_rgba_array(value)
    check: Callable[[Any], object]
    check = getattr(_example(artist), f"set_{key}", lambda value: None)
    return partial(_check_each, check) if artist == _BARS and key in _OF_EACH_BAR else check


def _check_each(check: Callable[[Any], object], values: Any) -> None:
    """Check a value of all bars or, in a list, one value for each."""
    for value in values if isinstance(values, list) else [values]:
        check(value)


def _is_special(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value in _NO_COLORS)


def _is_color(key: str) -> bool:
    return key.endswith(("color", "colors"))


def _expected(key: str) -> str:
    if _is_color(key):
        return "a color of matplotlib"
    if key == "cmap":
        return "the name of a colormap of matplotlib, or a Colormap"
    return "a value that matplotlib accepts"


def _example(artist: str) -> Any:
    """Return an artist that is not drawn."""
    kind = _kind(artist)
    if artist == "image.AxesImage":
        return kind(_matplotlib("figure").Figure().add_subplot())
    if artist == "lines.Line2D":
        return kind([], [])
    if artist in ("collections.LineCollection", "collections.PolyCollection"):
        return kind([])
    return kind((0, 0), 1, 1) if artist == _BARS else kind()


def _kind(artist: str) -> type:
    module, name = artist.split(".")
    kind: type = getattr(_matplotlib(module), name)
    return kind


def _matplotlib(module: str) -> Any:
    return import_optional(f"matplotlib.{module}", extra="plot", purpose="Plotting")
