"""Files of a divided store that are missing or damaged."""

import os
import shutil

import numpy as np
import pytest

from sklearn_neurox import StoreWriter, TokenActivations
from sklearn_neurox.activations import _store_rows

from .small_stores import DIVIDED, LAYOUTS, NAMES, about, rows, write


@pytest.fixture(params=DIVIDED)
def divided(request, tmp_path):
    return write(tmp_path / "store", **LAYOUTS[request.param]), NAMES[request.param]


def test_damage_of_each_file_is_named(divided, tmp_path):
    path, names = divided
    for name in names:
        raw = (path / name).read_bytes()
        for damaged, message in (
            (None, "it is missing"),
            (raw[:-1], f"it has {len(raw) - 1} bytes instead of {len(raw)}"),
            (raw + b" ", f"it has {len(raw) + 1} bytes instead of {len(raw)}"),
            (b"x" + raw[1:], "its header does not describe float32 of shape"),
        ):
            (path / name).unlink(missing_ok=True)
            if damaged is not None:
                (path / name).write_bytes(damaged)
            for use in (
                lambda: TokenActivations.load(path),
                lambda: TokenActivations.load(path, partial=True),
                lambda: StoreWriter(path, **about(**options_of(path))),
            ):
                with pytest.raises(ValueError, match=rf"is damaged\. {name}: {message}") as caught:
                    use()
                intact = str(caught.value).partition("Intact files: ")[2].rstrip(".").split(", ")
                assert set(intact) == set(os.listdir(path)) - {name}
        (path / name).write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
        TokenActivations.load(path)
        with pytest.raises(
            ValueError, match=rf"{name}: the checksum of its \d rows does not match"
        ):
            TokenActivations.load(path, verify=True)
        (path / name).write_bytes(raw)
    TokenActivations.load(path, verify=True)


def options_of(path):
    description = TokenActivations.describe(path)
    return {name: description[name] for name in ("split_layers", "max_file_size")}


def test_one_layer_of_a_partial_download(tmp_path):
    """The files of other layers need not be there."""
    path = write(tmp_path / "store", **LAYOUTS["layers and rows"])
    for name in TokenActivations.describe(path)["files"][0]:
        (path / name).unlink()
    tokens = TokenActivations.load(path, layers=[3], verify=True)
    np.testing.assert_array_equal(tokens.X, rows()[:, 4:])
    message = (
        r"X.layer_0.part_00000.npy: it is missing\. .*X.layer_0.part_00002.npy: it is missing\. "
        r"TokenActivations.load\(path, layers=\[3\]\) loads the intact layers\. Restore or download"
    )
    for layers in (None, [0], [0, 3]):
        with pytest.raises(ValueError, match=message):
            TokenActivations.load(path, layers=layers)


def test_a_description_alone_is_described(tmp_path):
    path = write(tmp_path / "store", **LAYOUTS["layers and rows"])
    whole = TokenActivations.describe(path)
    assert whole["files"] == {
        layer: [n for n in NAMES["layers and rows"] if f"_{layer}." in n] for layer in (0, 3)
    }
    for name in os.listdir(path):
        if name != "store.json":
            (path / name).unlink()
    assert TokenActivations.describe(path) == whole | {"n_done": None, "n_words_done": None}


def test_many_missing_files_are_counted(tmp_path):
    path = write(tmp_path / "store", max_file_size=160)
    kept = TokenActivations.describe(path)["files"][0]
    assert len(kept) == 8
    more = write(tmp_path / "more", split_layers=True, max_file_size=144)
    for name in sorted(os.listdir(more)):
        if name.startswith("X."):
            (more / name).unlink()
    with pytest.raises(ValueError, match=r"X.layer_0.part_00007.npy: it is missing\. and 8 more"):
        TokenActivations.load(more)


def test_files_that_vanish_before_they_are_mapped(tmp_path, monkeypatch):
    for number, options in enumerate((LAYOUTS["one file"], LAYOUTS["layers"])):
        path = write(tmp_path / f"store{number}", **options)
        name = TokenActivations.describe(path)["files"][3][0]
        check = _store_rows.RowFiles.check

        def vanish(*args, check=check, file=path / name):
            result = check(*args)
            file.unlink(missing_ok=True)
            return result

        for verify in (False, True):
            saved = shutil.copytree(path, tmp_path / f"copy{number}{verify}")
            with monkeypatch.context() as patch:
                patch.setattr(_store_rows.RowFiles, "check", vanish)
                with pytest.raises(ValueError, match=rf"is damaged\. {name}: it is missing"):
                    TokenActivations.load(path, verify=verify)
            shutil.rmtree(path)
            shutil.copytree(saved, path)
