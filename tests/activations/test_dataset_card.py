"""Cards of stores for the Hugging Face Hub."""

import fnmatch
import os
import shutil

import numpy as np
import pytest

from sklearn_neurox import StoreWriter, TokenActivations, write_dataset_card
from sklearn_neurox.__main__ import main
from sklearn_neurox.activations.dataset_card import _public_name, _size_category

from .small_stores import about, content, rows, write

hub = pytest.importorskip("huggingface_hub")


@pytest.fixture
def store(tmp_path):
    return write(tmp_path / "store", split_layers=True)


def test_it_is_read_by_the_hub(store):
    before = content(store)
    path = write_dataset_card(
        store, license="cc-by-4.0", language=["en", "de"], tags=["pos", "activations"],
        title='A "title": #1 — 😀', description="From *books*.", repository="me/acts",
    )  # fmt: skip
    card = hub.DatasetCard.load(path)
    assert path == store / "README.md"
    assert card.data.license == "cc-by-4.0"
    assert card.data.language == ["en", "de"]
    assert card.data.tags == ["activations", "interpretability", "sklearn-neurox", "pos"]
    assert card.data.pretty_name == 'A "title": #1 — 😀'
    assert card.data.library_name == "sklearn_neurox"
    assert card.data.size_categories == ["n<1K"]
    assert card.data.task_categories == ["feature-extraction"]
    facts = card.data.activations
    assert facts["model"] == "bert-base-cased"
    assert facts["revision"] == "cd5ef92"
    assert (facts["layers"], facts["width"], facts["dtype"]) == ([0, 3], 4, "float32")
    assert (facts["n_rows"], facts["n_sentences"], facts["labels"]) == (8, 4, "strings")
    assert facts["split_layers"] is True
    assert "From *books*." in card.text
    assert 'snapshot_download("me/acts", repo_type="dataset")' in card.text
    assert content(store) == before | {"README.md": path.read_bytes()}
    TokenActivations.load(store, verify=True)
    for name in before.keys() - {"store.json", "progress.json"}:
        assert f"| `{name}` | {len(before[name]):,} |" in card.text


def test_without_arguments(tmp_path):
    tokens = TokenActivations.from_sentences(rows(), about()["words"], layers=["b", "a"])
    tokens.save(tmp_path / "store")
    card = hub.DatasetCard.load(write_dataset_card(tmp_path / "store"))
    assert card.data.license is None
    assert card.data.language is None
    assert card.data.pretty_name == "Activations of a model"
    assert card.data.activations["labels"] == "none"
    assert "allow_patterns" not in card.text


@pytest.mark.parametrize(
    ("labels", "kind"),
    [([True, False] * 4, "booleans"), (range(8), "integers"), ([0.5] * 8, "numbers")],
)
def test_kinds_of_labels(tmp_path, labels, kind):
    path = write(tmp_path / "store", labels=list(labels))
    assert hub.DatasetCard.load(write_dataset_card(path)).data.activations["labels"] == kind


def test_neither_texts_nor_paths_are_in_it(tmp_path):
    parameters = {
        "model": "/home/someone/models/minilm/", "revision": None, "chat_template": "secret one",
        "corpus": "secret two", "aggregation": "last",
    }  # fmt: skip
    words = [["alpha", "beta"], ["gamma"], ["delta", "epsilon", "kappa"], ["omega", "theta"]]
    labels = [f"label{i}" for i in range(8)]
    path = write(tmp_path / "store", parameters=parameters, words=words, labels=labels)
    with pytest.warns(UserWarning, match="'model' in store.json is the local path '/home/someone"):
        text = write_dataset_card(path).read_text()
    secrets = [word for sentence in words for word in sentence] + labels
    for secret in (*secrets, "/home", "someone", "secret", str(tmp_path)):
        assert secret not in text
    assert hub.DatasetCard(text).data.activations["model"] == "minilm"
    assert hub.DatasetCard(text).data.activations["aggregation"] == "last"
    with pytest.warns(UserWarning, match="local path"):
        text = write_dataset_card(path, parameters=["corpus"]).read_text()
    assert "secret two" in text
    assert "secret one" not in text


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("bert-base-cased", "bert-base-cased"),
        ("sentence-transformers/all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"),
        ("/a/b/c", "c"),
        ("./c", "c"),
        ("~/c/", "c"),
        ("../a/c", "c"),
        ("C:\\a\\c", "c"),
        ("a\\c", "c"),
        ("a/b/c", "c"),
        ("", ""),
    ],
)
def test_names_of_models(model, name):
    assert _public_name(model) == name


@pytest.mark.parametrize(
    ("n", "category"),
    [
        (1, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (99_999, "10K<n<100K"),
        (10**6, "1M<n<10M"), (10**9, "1B<n<10B"), (10**12, "n>1T"), (10**15, "n>1T"),
    ],
)  # fmt: skip
def test_categories_of_sizes(n, category):
    assert _size_category(n) == category


def test_it_is_written_again_unless_it_was_edited(store):
    first = write_dataset_card(store).read_bytes()
    second = write_dataset_card(store, license="mit").read_bytes()
    assert first != second
    assert write_dataset_card(store).read_bytes() == first
    (store / "README.md").write_bytes(first.replace(b"\n", b"\r\n"))  # by git on Windows
    assert write_dataset_card(store).read_bytes() == first
    for edited, message in (
        (
            first.replace(b"Activations", b"My activations", 1),
            "was edited after write_dataset_card",
        ),
        (first + b"More.\n", "was not written by write_dataset_card"),
        (b"# Mine\n", "was not written by write_dataset_card"),
        (b"\xff", "was not written by write_dataset_card"),
        (b"", "was not written by write_dataset_card"),
    ):
        (store / "README.md").write_bytes(edited)
        with pytest.raises(ValueError, match=f"{message}.* Pass overwrite=True to replace"):
            write_dataset_card(store)
        assert (store / "README.md").read_bytes() == edited
    assert write_dataset_card(store, overwrite=True).read_bytes() == first


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"license": "CC BY 4.0"}, ValueError, "license must be an identifier of the Hub"),
        ({"license": 4}, ValueError, "license must be an identifier of the Hub"),
        ({"language": "English"}, ValueError, "language must be codes such as 'en', got 'English'"),
        ({"language": ["en", 3]}, ValueError, "language must be codes such as 'en', got 3"),
        ({"tags": "pos"}, TypeError, "tags must be a list of strings, got 'pos'"),
        ({"tags": [""]}, ValueError, "tags must be strings of 1 to 100 characters, got ''"),
        ({"title": "a\nb"}, ValueError, "title must be a single line"),
        ({"description": ""}, TypeError, "description must be a text, got ''"),
        ({"repository": "a/b/c"}, ValueError, "repository must be a name such as 'user/name'"),
        (
            {"parameters": ["x"]},
            ValueError,
            "does not have the parameter 'x'. Its parameters are 'model'",
        ),
    ],
)
def test_bad_arguments(store, options, error, message):
    with pytest.raises(error, match=message):
        write_dataset_card(store, **options)
    assert not (store / "README.md").exists()


def test_other_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        write_dataset_card(tmp_path / "none")
    with pytest.raises(ValueError, match="is not a store"):
        write_dataset_card(tmp_path)
    with StoreWriter(tmp_path / "store", **about()) as writer:
        writer.append(rows()[:2])
    with pytest.raises(ValueError, match=r"is unfinished\. Complete it"):
        write_dataset_card(tmp_path / "store")


def test_a_store_with_many_files(tmp_path):
    words = [["a"] * 250]
    options = about(words=words, sentence_ids=[0], labels=None, max_file_size=160)
    with StoreWriter(tmp_path / "store", **options) as writer:
        writer.append(rows(250))
    text = write_dataset_card(tmp_path / "store").read_text()
    assert "| 252 files | | in `store.json` and `progress.json` |" in text
    assert "part_00000" not in text


def test_a_store_that_has_grown_has_its_files_in_the_card(store):
    with StoreWriter(store, append=True, **about(split_layers=True)) as writer:
        writer.append(rows())
    text = write_dataset_card(store).read_text()
    assert "`words.1.json`" in text
    assert "`words.json` |" not in text


def test_the_command(store, capsys):
    options = ["--license", "mit", "--language", "en,de", "--tags", "a,b", "--title", "A title"]
    assert main(["card", str(store), *options, "--repository", "me/acts"]) == 0
    assert f"saved to {store / 'README.md'}" in capsys.readouterr().out
    data = hub.DatasetCard.load(store / "README.md").data
    assert (data.license, data.language, data.pretty_name) == ("mit", ["en", "de"], "A title")
    assert data.tags[-2:] == ["a", "b"]
    (store / "README.md").write_text("mine")
    assert main(["card", str(store)]) == 1
    assert "Pass --overwrite to replace it" in capsys.readouterr().err
    assert main(["card", str(store), "--overwrite"]) == 0


# --- What the Hub does with a store -----------------------------------------------------------


def test_everything_in_a_finished_store_is_uploaded_and_needed(store):
    """There are no locks, links or leftovers, and no file that the Hub would ignore."""
    names = sorted(os.listdir(store))
    assert names == [
        "X.layer_0.npy", "X.layer_3.npy", "labels.npy", "progress.json", "sentence_ids.npy",
        "store.json", "words.json",
    ]  # fmt: skip
    for name in names:
        assert (store / name).is_file()
        assert not (store / name).is_symlink()
    kept = hub.utils.filter_repo_objects(names, ignore_patterns=hub.utils.DEFAULT_IGNORE_PATTERNS)
    assert list(kept) == names


def test_the_pattern_of_the_card_downloads_one_layer(tmp_path):
    """Layers 3 and 30 are distinguished."""
    path = write(tmp_path / "store", rows(n_columns=12), layers=(30, 3, 0), split_layers=True)
    write_dataset_card(path)
    patterns = ["[!X]*", "X.layer_3.*"]
    chosen = set(hub.utils.filter_repo_objects(os.listdir(path), allow_patterns=patterns))
    assert {name for name in chosen if name.startswith("X")} == {"X.layer_3.npy"}
    part = tmp_path / "part"
    part.mkdir()
    for name in chosen:
        shutil.copy(path / name, part / name)
    tokens = TokenActivations.load(part, layers=[3], verify=True)
    np.testing.assert_array_equal(tokens.X, rows(n_columns=12)[:, 4:8])
    text = (path / "README.md").read_text()
    assert 'allow_patterns=["[!X]*", "X.layer_30.*"]' in text
    assert not fnmatch.fnmatch("X.layer_3.npy", "X.layer_30.*")


def test_a_cache_of_links_is_read_but_not_written(store, tmp_path):
    """snapshot_download returns a folder of links into its cache."""
    cache = tmp_path / "snapshot"
    cache.mkdir()
    for name in os.listdir(store):
        (cache / name).symlink_to(store / name)
    np.testing.assert_array_equal(TokenActivations.load(cache, verify=True).X, rows())
    before = content(store)
    with pytest.raises(ValueError, match=r"are links, as in the cache of .* local_dir="):
        StoreWriter(cache, append=True, **about(split_layers=True))
    assert content(store) == before
