"""The card of a store on the Hugging Face Hub: a README.md that describes it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from .._files import replace_file
from .._optional import import_optional
from .._warnings import warn
from ._store_description import file_name
from ._store_folder import StoreFolder
from ._store_format import PROGRESS, STORE, WORDS, Json
from ._store_layout import LAYOUT, Layout
from .dtypes import BFLOAT16

CARD = "README.md"
# Parameters of an extraction that contain neither texts nor paths, apart from the name of a model.
_PUBLIC = (
    "model", "revision", "model_class", "weights_sha256", "tokenizer_class", "unit", "rows",
    "modules", "aggregation", "max_length", "on_truncate", "split_special_tokens",
    "add_prefix_space", "batch_tokens", "autocast", "random_weights", "add_generation_prompt",
    "on_empty_word", "edited",
)  # fmt: skip
_SIZES = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T")
_KINDS = {"U": "strings", "b": "booleans", "i": "integers", "u": "integers", "f": "numbers"}
_LICENSE = re.compile(r"[a-z0-9][a-z0-9.-]*")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*|code|multilingual")
_LOCAL = re.compile(r"[/\\~.]|[A-Za-z]:|.*[/\\].*[/\\]|.*\\")
_SEAL = re.compile(r"<!-- Written by sklearn_neurox [^ ]*; SHA-256 ([0-9a-f]{64}) -->\n?")
_MAX_LISTED = 200  # files in the table of a card

_USE = """## How to load it

```python
from huggingface_hub import snapshot_download
from sklearn_neurox import TokenActivations

path = snapshot_download("{repository}", repo_type="dataset")
tokens = TokenActivations.load(path)
```
"""
_USE_LAYER = """
Each layer has its own files, so a layer can be downloaded without the others:

```python
path = snapshot_download(
    "{repository}", repo_type="dataset", allow_patterns=["[!X]*", "{pattern}"]
)
tokens = TokenActivations.load(path, layers=[{layer!r}])
```
"""


def write_dataset_card(
    store: str | PathLike,
    *,
    repository: str = "USER/NAME",
    license: str | None = None,
    language: str | Sequence[str] | None = None,
    title: str | None = None,
    description: str | None = None,
    tags: Sequence[str] = (),
    parameters: Collection[str] = (),
    overwrite: bool = False,
) -> Path:
    """Write a README.md that describes a store on the Hugging Face Hub.

    The card contains the model and its revision, how the activations were extracted, the layers,
    the number of rows, the dtype and the checksums of all files, as YAML for the Hub and as text
    for readers. Repeating the call writes it again.

    Parameters
    ----------
    store : str or path-like
        Folder of a finished store.
    repository : str, default="USER/NAME"
        Name of the repository on the Hub, for the examples of the card.
    license : str, default=None
        Identifier of the license, such as "cc-by-4.0" or "other". If None, the card does not
        mention a license.
    language : str or sequence of str, default=None
        Codes of the languages of the texts, such as "en".
    title : str, default=None
        Title of the card. If None, it contains the name of the model.
    description : str, default=None
        Markdown that follows the title, such as where the texts are from.
    tags : sequence of str, default=()
        Tags on the Hub, in addition to "activations" and "interpretability".
    parameters : collection of str, default=()
        Names of other parameters of the store to list.
    overwrite : bool, default=False
        Whether to replace a README.md that was edited, or was not written by this function.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ImportError
        If ``huggingface_hub`` is not installed.
    TypeError, ValueError
        If an argument is not valid, `store` is not a finished store, or its README.md was edited.
    FileNotFoundError
        If the folder does not exist.

    Warns
    -----
    UserWarning
        If the description of the store contains the path of a local model, which would be
        published with it.

    Notes
    -----
    The card does not contain words, labels or paths of the computer. Of a model that was loaded
    from a folder, it has only the name of the folder. The store itself contains the words of all
    rows in ``words.json``.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from sklearn_neurox import TokenActivations, write_dataset_card
    >>> tokens = TokenActivations.from_sentences(np.zeros((3, 4)), ["to be", "or"], layers=(0, 6))
    >>> with TemporaryDirectory() as folder:
    ...     tokens.save(Path(folder) / "store", split_layers=True)
    ...     card = write_dataset_card(Path(folder) / "store", license="cc0-1.0", language="en")
    ...     card.read_text().splitlines()[:4]
    ['---', 'language:', '- en', 'license: cc0-1.0']
    """
    cards = import_optional("huggingface_hub", extra="transformers", purpose="A dataset card")
    fields = _check_fields(license=license, language=language, tags=tags)
    texts = _check_texts(repository=repository, title=title, description=description)
    folder = StoreFolder(store)
    described = folder.read_description()
    progress = folder.read_file(described, PROGRESS)
    if progress["n_sentences"] < described["n_sentences"]:
        raise ValueError(f"{folder.path} is unfinished. Complete it before you describe it.")
    path = folder / CARD
    if path.exists() and not overwrite:
        _check_unedited(path)
    facts = _facts(described, parameters)
    data = cards.DatasetCardData(
        **fields,
        pretty_name=texts["title"] or f"Activations of {facts.get('model') or 'a model'}",
        size_categories=[_size_category(described["n_words"])],
        task_categories=["feature-extraction"],
        library_name="sklearn_neurox",
        viewer=False,  # the Hub cannot display arrays of NumPy
        activations=facts,
    )
    files = _checksums(folder, described, progress)
    body = _body(data.pretty_name, texts, described, facts, files)
    _warn_of_path(folder, described)
    replace_file(path, _sealed(f"---\n{data.to_yaml()}\n---\n\n{body}", described).encode())
    return path


def _check_fields(*, license: Any, language: Any, tags: Any) -> Json:
    """Check the fields that the Hub validates."""
    if license is not None and not (isinstance(license, str) and _LICENSE.fullmatch(license)):
        raise ValueError(
            f"license must be an identifier of the Hub such as 'cc-by-4.0' or 'other', got "
            f"{license!r:.60}."
        )
    codes = [language] if isinstance(language, str) else list(language or [])
    for code in codes:
        if not isinstance(code, str) or not _LANGUAGE.fullmatch(code):
            raise ValueError(f"language must be codes such as 'en', got {code!r:.60}.")
    if isinstance(tags, str):
        raise TypeError(f"tags must be a list of strings, got {tags!r:.60}.")
    for tag in tags:
        if not isinstance(tag, str) or not tag.strip() or len(tag) > 100:
            raise ValueError(f"tags must be strings of 1 to 100 characters, got {tag!r:.60}.")
    known = dict.fromkeys(["activations", "interpretability", "sklearn-neurox", *tags])
    return {"license": license, "language": codes or None, "tags": list(known)}


def _check_texts(**texts: Any) -> dict[str, Any]:
    for name, text in texts.items():
        if text is not None and (not isinstance(text, str) or not text.strip()):
            raise TypeError(f"{name} must be a text, got {text!r:.60}.")
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", texts["repository"], re.ASCII):
        raise ValueError(
            f"repository must be a name such as 'user/name', got {texts['repository']!r:.60}."
        )
    if texts["title"] is not None and "\n" in texts["title"]:
        raise ValueError(f"title must be a single line, got {texts['title']!r:.60}.")
    return texts


def _facts(store: Json, parameters: Collection[str]) -> Json:
    """Return what the card says about the activations."""
    known = store["parameters"]
    if missing := [name for name in parameters if name not in known]:
        raise ValueError(
            f"The store does not have the parameter {missing[0]!r}. Its parameters are "
            f"{', '.join(map(repr, known))}."
        )
    names = dict.fromkeys([*_PUBLIC, *parameters])
    facts = {name: known[name] for name in names if known.get(name) not in (None, "")}
    if isinstance(facts.get("model"), str) and "model" not in parameters:
        facts["model"] = _public_name(facts["model"])
    kind = "none" if store["labels"] is None else _KINDS[re.sub(r"[^a-zA-Z]", "", store["labels"])]
    return facts | {
        "layers": store["layers"],
        "width": store["width"],
        "dtype": store["dtype"],
        "n_rows": store["n_words"],
        "n_sentences": store["n_sentences"],
        "labels": kind,
        **{name: store.get(name, default) for name, default in LAYOUT.items()},
        "sklearn_neurox_version": store["version"],
        "store_sha256": store["sha256"],
    }


def _public_name(model: str) -> str:
    """Return the name of a model on the Hub, or that of the folder of a local model."""
    if not _LOCAL.match(model):
        return model
    return re.split(r"[/\\]", model.rstrip("/\\"))[-1]


def _size_category(n: int) -> str:
    """Return the category of the Hub for a number of rows."""
    bounds = [10 ** (3 + power) for power in range(len(_SIZES))]
    number = sum(n >= bound for bound in bounds)
    if number == 0:
        return f"n<{_SIZES[0]}"
    if number == len(bounds):
        return f"n>{_SIZES[-1]}"
    return f"{_SIZES[number - 1]}<n<{_SIZES[number]}"


def _checksums(folder: StoreFolder, store: Json, progress: Json) -> list[tuple[str, int, str]]:
    """Return the name, the size and the checksum of each file, as far as they are known."""
    sums = {file_name(store, name): f"SHA-256 {digest}" for name, digest in store["files"].items()}
    sums |= {name: f"CRC-32 of the rows {crc:08x}" for name, crc in progress["crc32"].items()}
    paths = {name: folder / name for name in sums}
    return [
        (name, path.stat().st_size, sums[name]) for name, path in paths.items() if path.is_file()
    ]


def _body(
    title: str,
    texts: Mapping[str, str | None],
    store: Json,
    facts: Json,
    files: Sequence[tuple[str, int, str]],
) -> str:
    layout, layer = Layout.of(store), store["layers"][0]
    use = _USE.format(repository=texts["repository"])
    if layout.split_layers:
        pattern = next(layout.files([layer])).name.partition(".part_")[0].removesuffix(".npy")
        use += _USE_LAYER.format(
            repository=texts["repository"], pattern=f"{pattern}.*", layer=layer
        )
    rows = "\n".join(f"| {name} | {_cell(value)} |" for name, value in facts.items())
    listed = "\n".join(f"| `{name}` | {size:,} | `{digest}` |" for name, size, digest in files)
    if len(files) > _MAX_LISTED:
        listed = f"| {len(files):,} files | | in `{STORE}` and `{PROGRESS}` |"
    bits = (
        "\nThe bits of bfloat16, which NumPy does not have, are stored as uint16.\n"
        if store["dtype"] == BFLOAT16
        else ""
    )
    about = f"\n{texts['description'].strip()}\n" if texts["description"] else ""
    return f"""# {title}
{about}
Activations of a neural network, one row per {facts.get("rows", "word")}, in the format of
[sklearn-neurox](https://pypi.org/project/sklearn-neurox/).
`{WORDS}` contains the texts of the rows.
{bits}
{use}
`TokenActivations.load(path, verify=True)` verifies the checksums of all rows.

## How it was made

| | |
|---|---|
{rows}

## Files

| file | bytes | checksum |
|---|---|---|
{listed}
"""


def _cell(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")


def _warn_of_path(folder: StoreFolder, store: Json) -> None:
    model = store["parameters"].get("model")
    if isinstance(model, str) and _LOCAL.match(model):
        warn(
            f"{folder.path}: the parameter 'model' in {STORE} is the local path {model!r}, which "
            "is published together with the store. Extract from a model of the Hub, or from a "
            "relative path, if the path should not be public."
        )


def _sealed(text: str, store: Json) -> str:
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"{text}\n<!-- Written by sklearn_neurox {store['version']}; SHA-256 {digest} -->\n"


def _check_unedited(path: Path) -> None:
    """Check that a card is as this module wrote it, apart from line endings."""
    text = path.read_text(encoding="utf-8", errors="replace")
    head, _, last = text.rstrip("\n").rpartition("\n")
    match = _SEAL.fullmatch(last)
    if match is None:
        raise ValueError(
            f"{path} was not written by write_dataset_card. Pass overwrite=True to replace it."
        )
    if hashlib.sha256(head.encode()).hexdigest() != match[1]:
        raise ValueError(
            f"{path} was edited after write_dataset_card wrote it. Pass overwrite=True to replace "
            "it, or keep it."
        )
