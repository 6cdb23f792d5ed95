"""Texts and conversations with labels, from JSON lines and tables."""

import json

import numpy as np
import pandas
import pytest

from sklearn_neurox import read_texts
from sklearn_neurox.extraction._text_encoding import check_texts_of_tokens

CHAT = [{"role": "user", "content": "Paris?"}, {"role": "assistant", "content": "In France."}]
ROWS = [
    {"text": "Paris is in France.", "label": True, "spans": [[0, 5, "city"], [12, 18, "country"]]},
    {"text": CHAT, "label": False, "spans": [{"message": 1, "start": 3, "stop": 9, "label": "x"}]},
    {"text": "Oslo", "label": True},
]
SPANS = [(0, 0, 5, "city"), (0, 12, 18, "country"), (1, 1, 3, 9, "x")]


class Dataset:
    """What is used of the class of the package `datasets`."""

    def __init__(self, columns):
        self._columns = columns
        self.column_names = list(columns)

    def __getitem__(self, name):
        return self._columns[name]


def columns(rows):
    return {name: [row.get(name) for row in rows] for name in ("text", "label", "spans")}


def save(path, *lines):
    text = "".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", ["file", "frame", "dataset"])
def test_all_forms_are_equal(tmp_path, kind):
    source = {
        "file": lambda: save(tmp_path / "a.jsonl", *ROWS),
        "frame": lambda: pandas.DataFrame(columns(ROWS)),
        "dataset": lambda: Dataset(columns(ROWS)),
    }[kind]()
    corpus = read_texts(source)
    assert corpus.texts == [row["text"] for row in ROWS]
    assert corpus.labels == [True, False, True]
    assert corpus.spans == SPANS


def test_strings_and_conversations_without_keys(tmp_path):
    corpus = read_texts(save(tmp_path / "a.jsonl", "\ufeff", {"messages": CHAT}, CHAT, "\n"))
    assert corpus == ([CHAT, CHAT], None, None)
    assert read_texts(save(tmp_path / "a.jsonl", json.dumps("Paris"))).texts == ["Paris"]


def test_words_and_named_columns():
    table = pandas.DataFrame(
        {"tokens": [["a", "b"], np.array(["c"])], "tags": [[1, 2], [3]], "id": [0, 1]}
    )
    corpus = read_texts(table, column="tokens", label="tags")
    assert corpus == ([["a", "b"], ["c"]], [[1, 2], [3]], None)


@pytest.mark.parametrize("missing", [None, float("nan"), pandas.NA])
def test_texts_without_a_label(missing):
    table = pandas.DataFrame({"text": ["a", "b", "c"], "label": ["x", missing, "y"]}, dtype=object)
    table["spans"] = [[[0, 1, "s"]], [], [[0, 1, "t"]]]
    with pytest.raises(ValueError, match=r"1 text of 3 do not have a label .* first is row 1\."):
        read_texts(table)
    corpus = read_texts(table, drop_unlabeled=True)
    assert corpus == (["a", "c"], ["x", "y"], [(0, 0, 1, "s"), (1, 0, 1, "t")])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([{"text": "a"}, "{\n"], r"a\.jsonl, line 2: not valid JSON"),
        ([{"text": "a", "label": 1}, '{"text": "b", "text": "c"}'], "line 2: .*'text' is repeated"),
        ([{"text": "a"}, "3\n"], "line 2: expected a JSON object with the key 'text'"),
        ([{"text": "a"}, {"label": 1}], "1 text of 2 do not have a label"),
        (
            [{"text": "a", "label": 1}, {"label": 1}],
            "line 2: expected a text, .* as 'text', got None",
        ),
        ([{"text": [1, 2]}], r"line 1: expected a text, .* got \[1, 2\]"),
        ([{"text": "a"}, {"text": ["a"]}], "line 2: some texts are lists of words"),
        (
            [{"text": "a", "messages": CHAT}],
            "both 'messages' and 'text'. Pass column='messages' or",
        ),
        ([{"prompt": "a"}], r"only \['prompt'\]. Pass .* such as column='prompt'"),
        ([{"text": "a", "spans": [[0, "x"]]}], r"line 1: expected a span .* got \[0, 'x'\]"),
        ([{"text": "a", "spans": [[0, 1, None]]}], "line 1: expected a span"),
        ([{"text": "a", "spans": 3}], "line 1: expected a list"),
        (["\n"], "does not contain any texts"),
    ],
)
def test_errors_name_the_line(tmp_path, lines, message):
    with pytest.raises(ValueError, match=message):
        read_texts(save(tmp_path / "a.jsonl", *lines))


def test_other_sources(tmp_path):
    with pytest.raises(TypeError, match="source must be the path of a file of JSON lines"):
        read_texts(["a"])
    path = save(tmp_path / "a.jsonl", {"text": "a"})
    with pytest.raises(ValueError, match="does not have the column 'y'"):
        read_texts(path, label="y")


def test_tables_are_not_lists_of_their_column_names():
    with pytest.raises(
        TypeError, match=r"got a DataFrame\. Pass one of its columns, or use read_texts"
    ):
        check_texts_of_tokens(pandas.DataFrame({"text": ["a"]}))


def test_what_is_not_read():
    table = pandas.DataFrame(
        {"messages": [CHAT, CHAT], "label": [1, 0], "spans": [[[0, 0, 1, "a"]]] * 2}
    )
    corpus = read_texts(table, label="spans")
    assert corpus.labels is None
    assert corpus.spans == [(0, 0, 0, 1, "a"), (1, 0, 0, 1, "a")]
    with pytest.raises(ValueError, match=r"drop_unlabeled=True leaves out texts .*, but no labels"):
        read_texts(table, label="spans", drop_unlabeled=True)
    with pytest.warns(UserWarning, match=r"The 'tools' of The DataFrame are not read"):
        read_texts(table.assign(tools=[[{"name": "f"}]] * 2))
