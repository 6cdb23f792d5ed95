"""CoNLL-U according to Universal Dependencies, and pairs of text files with matching lines."""

from itertools import product
from pathlib import Path

import pytest

from sklearn_neurox.datasets._conllu import CONLLU_COLUMNS
from sklearn_neurox.datasets.corpora import (
    read_conllu,
    read_labeled_sentences,
    read_parallel,
    read_sentences,
)
from sklearn_neurox.datasets.sentences import check_corpus

LINES = """\
# sent_id = 1
# text = I can't.
1\tI\tI\tPRON\t_\t_\t_\t_\t_\t_
2-3\tcan't\t_\t_\t_\t_\t_\t_\t_\t_
2\tca\tcan\tAUX\t_\t_\t_\t_\t_\t_
3\tn't\tnot\tPART\t_\t_\t_\t_\t_\t_
3.1\tswim\tswim\tVERB\t_\t_\t_\t_\t_\t_
4\t.\t.\tPUNCT\t_\t_\t_\t_\t_\t_

# sent_id = 2
1\tÇa\tça\tPRON\t_\t_\t_\t_\t_\t_
"""


@pytest.mark.parametrize("ending", ["", "\n", "\n\n"])
def test_syntactic_words(tmp_path, ending):
    path = tmp_path / "a.conllu"
    path.write_text(LINES.rstrip("\n") + ending, encoding="utf-8")
    sentences, tags = read_conllu(path)
    assert sentences == [["I", "ca", "n't", "."], ["Ça"]]
    assert tags == [["PRON", "AUX", "PART", "PUNCT"], ["PRON"]]
    assert read_conllu(path, "lemma")[1][0] == ["I", "can", "not", "."]


def test_byte_order_mark_and_windows_lines(tmp_path):
    path = tmp_path / "a.conllu"
    for text in (LINES, LINES.split("\n", 2)[2]):  # with and without comments before the first word
        path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
        assert read_conllu(path)[0] == [["I", "ca", "n't", "."], ["Ça"]]


WORD = "{}\t{}\t_\tNOUN\t_\t_\t_\t_\t_\t_\n"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("1", "a"), ("O2", "b")], "line 2: expected an id such as 3, 3-4 or 3.1 .* got 'O2'"),
        ([("1", "a"), ("", "b")], "line 2: expected an id"),
        ([("²", "a")], "line 1: expected an id"),
        ([("1", "a"), ("3", "b")], "line 2: expected word 2 of the sentence, got id 3"),
        ([("1", "a"), ("1", "b")], "line 2: expected word 2 of the sentence, got id 1"),
        ([("1", "")], "line 1: the second column, the word, is empty"),
        ([("1", "a"), ("02", "b")], "line 2: expected an id such as .* got '02'"),
        ([("1" * 5000, "a")], "line 1: expected an id such as .* got '1{29}[.]$"),
        ([("1-" + "2" * 5000, "a")], "line 1: expected an id such as"),
        ([("123456789", "a")], "line 1: expected word 1 of the sentence, got id 123456789"),
        ([("2-3", "ab"), ("1", "a")], "line 1: expected word 1 of the sentence, got id 2-3"),
        ([("1-0", "a")], "line 1: expected an id such as 3, 3-4 or 3.1 .* got '1-0'"),
        (
            [("1", "a"), ("2-1", "ab")],
            "line 2: expected a range of words after word 0, such as 2-3",
        ),
        ([("1-2", "ab"), ("1-3", "abc")], "line 2: expected a range of words after word 2"),
        (
            [("1-2", "ab"), ("1", "a"), ("2-3", "bc")],
            "line 3: expected a range of words after word 2",
        ),
        (
            [("1-2", "ab"), ("1", "a")],
            "line 3: the sentence ends after word 1, but a multi-word token ends with word 2",
        ),
        ([("1-2", "ab")], "line 2: the sentence ends after word 0"),
    ],
)
def test_no_word_is_lost(tmp_path, rows, message):
    path = tmp_path / "a.conllu"
    path.write_text("".join(WORD.format(*row) for row in rows), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_conllu(path)


CELLS = ["1", "a", "b", "NOUN", "NN", "Number=Sing", "0", "root", "0:root", "SpaceAfter=No"]
BAD_CELLS = {"": "is empty", "x ": "white space", "\u00a0x": "white space", " ": "white space"}


@pytest.mark.parametrize("column", CONLLU_COLUMNS[2:])
@pytest.mark.parametrize("value", BAD_CELLS, ids=ascii)
def test_every_column_is_checked(tmp_path, column, value):
    """Whichever column is read: an empty label would be a class of its own."""
    cells = dict(zip(CONLLU_COLUMNS, CELLS, strict=True)) | {column: value}
    path = tmp_path / "a.conllu"
    path.write_text("\t".join(CELLS) + "\n\n" + "\t".join(cells.values()) + "\n", encoding="utf-8")
    with pytest.raises(
        ValueError, match=rf"a.conllu, line 3: .*column {column} .*{BAD_CELLS[value]}"
    ):
        read_conllu(path)


@pytest.mark.parametrize("column", CONLLU_COLUMNS[1:])
def test_columns_with_spaces_inside(tmp_path, column):
    """Universal Dependencies allows them in three columns."""
    cells = dict(zip(CONLLU_COLUMNS, CELLS, strict=True)) | {column: "x y"}
    path = tmp_path / "a.conllu"
    path.write_text("\t".join(cells.values()) + "\n", encoding="utf-8")
    if column in ("form", "lemma", "misc"):
        assert read_conllu(path, column)[1] == [["x y"]]
    else:
        with pytest.raises(
            ValueError, match=f"column {column} without white space in it, got 'x y'"
        ):
            read_conllu(path)


@pytest.mark.parametrize("row", [1, 2, 3])
def test_lines_that_are_not_words_are_checked(tmp_path, row):
    """Also those of ranges and empty nodes."""
    lines = [["1-1", *CELLS[1:]], CELLS, ["1.1", *CELLS[1:]]]
    lines[row - 1] = [*lines[row - 1][:3], "", *CELLS[4:]]
    path = tmp_path / "a.conllu"
    path.write_text("".join("\t".join(line) + "\n" for line in lines))
    with pytest.raises(ValueError, match=f"line {row}: the column upos is empty"):
        read_conllu(path)


def test_another_encoding(tmp_path):
    path = tmp_path / "a.conllu"
    path.write_bytes((WORD.format(1, "a") + WORD.format(2, "ö")).encode("latin-1"))
    with pytest.raises(ValueError, match="line 2: the line is not valid UTF-8"):
        read_conllu(path)


def test_errors(tmp_path):
    path = tmp_path / "a.conllu"
    path.write_text(LINES.replace("\tcan\tAUX", "\tAUX"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"a\.conllu, line 5: expected 10 columns .* got 9"):
        read_conllu(path)
    with pytest.raises(ValueError, match=r"column must be one of .* got 'tag'"):
        read_conllu(path, "tag")
    path.write_text("\n# nothing\n\n")
    with pytest.raises(ValueError, match="does not contain any sentences"):
        read_conllu(path)


def test_every_column_is_unchanged(tmp_path):
    path = tmp_path / "a.conllu"
    cells = [
        "1",
        "Katzen",
        "Katze",
        "NOUN",
        "NN",
        "Number=Plur|Case=Acc",
        "0",
        "root",
        "0:root",
        "_",
    ]
    path.write_bytes(("\t".join(cells) + "\n").encode())
    assert {name: read_conllu(path, name)[1] for name in CONLLU_COLUMNS} == {
        name: [[cell]] for name, cell in zip(CONLLU_COLUMNS, cells, strict=True)
    }


def test_comments_may_be_anywhere_and_are_not_words(tmp_path):
    path = tmp_path / "a.conllu"
    path.write_bytes(f"# newdoc\n{WORD.format(1, '#')}# text = #\n{WORD.format(2, 'b')}".encode())
    assert read_conllu(path)[0] == [["#", "b"]]


def test_multi_word_tokens_and_empty_nodes_at_the_edges(tmp_path):
    """An empty node may precede the first word, and a range may span the sentence."""
    ids = [
        ("0.1", "_"),
        ("1-2", "vámonos"),
        ("1", "vamos"),
        ("2", "nos"),
        ("2.1", "x"),
        ("2.2", "y"),
    ]
    path = tmp_path / "a.conllu"
    path.write_bytes("".join(WORD.format(*row) for row in ids).encode())
    assert read_conllu(path, "id") == ([["vamos", "nos"]], [["1", "2"]])


# Words without white space that a careless reader splits, trims or normalizes.
UNUSUAL = {
    "zero-width joiner and non-joiner": "می\u200cخواهم",
    "zero-width space": "\u200ba\u200b",
    "a byte-order mark inside": "a\ufeffb",
    "right-to-left with marks": "\u200fשָׁלוֹם\u200f",
    "an emoji family": "👨\u200d👩\u200d👧\u200d👦",
    "a flag and a skin tone": "🏴\U000e0067\U000e0062\U000e007f👍🏽",
    "a decomposed letter": "e\u0301te\u0301",
    "a combining mark alone": "\u0301",
}
unusual = pytest.mark.parametrize("word", UNUSUAL.values(), ids=UNUSUAL.keys())


@unusual
def test_unusual_words_of_conllu(tmp_path, word):
    path = tmp_path / "a.conllu"
    path.write_bytes((WORD.format(1, word) + WORD.format(2, "b")).encode())
    assert read_conllu(path)[0] == [[word, "b"]]


@pytest.mark.parametrize(
    "form", ["100 000", "100\u00a0000", "giáo viên", "a\u2028b", "a\x85b", "a\x0bb", "a\u3000b"]
)
def test_white_space_in_a_form(tmp_path, form):
    """Universal Dependencies allows it, but only single spaces are valid within a word."""
    path = tmp_path / "a.conllu"
    path.write_bytes((WORD.format(1, "a") + WORD.format(2, form)).encode())
    sentences, _ = read_conllu(path)
    assert sentences == [["a", form]]
    if " " in form or "\u00a0" in form:
        assert check_corpus(sentences) == sentences
        sentences = [list(words) for words in sentences]
    with pytest.raises(ValueError, match="Sentence 0, word 1: expected a word without white space"):
        check_corpus(sentences)


SPACED = """\
# text = Il n'est pas venu «du tout».
1\tIl\til\tPRON\t_\tNumber=Sing|Person=3\t_\t_\t_\t_
2\tn'\tne\tADV\t_\t_\t_\t_\t_\tSpaceAfter=No
3\test\têtre\tAUX\t_\tNumber=Sing\t_\t_\t_\tGloss=be|SpaceAfter=Yes
4\tvenu\tvenir\tVERB\t_\tVerbForm=Part\t_\t_\t_\t_
5\t«\t«\tPUNCT\t_\t_\t_\t_\t_\tSpaceAfter=No
6-7\tdu\t_\t_\t_\t_\t_\t_\t_\tSpaceAfter=No
6\tde\tde\tADP\t_\t_\t_\t_\t_\t_
7\tle\tle\tDET\t_\tNumber=Sing\t_\t_\t_\t_
8-9\tcan't\t_\t_\t_\t_\t_\t_\t_\t_
8\tca\tcan\tAUX\t_\t_\t_\t_\t_\t_
9\tn't\tnot\tPART\t_\t_\t_\t_\t_\t_
10\t».\t»\tPUNCT\t_\t_\t_\t_\t_\tSpaceAfter=No
"""


def test_spaces_and_features(tmp_path):
    path = tmp_path / "a.conllu"
    path.write_text(SPACED, encoding="utf-8")
    (words,), (numbers,) = read_conllu(path, "feats:Number")
    # "du" is not its parts "de" and "le", and "can't" is "ca" and "n't".
    assert words.text == "Il n'est venu «de lecan't »."
    assert numbers == ["Sing", "_", "Sing", "_", "_", "_", "Sing", "_", "_", "_"]
    assert read_conllu(path, "misc:Gloss")[1][0][2] == "be"
    with pytest.raises(ValueError, match="no word has the feature 'feats:Tense'"):
        read_conllu(path, "feats:Tense")
    for column in ("feats:", "upos:Number", ":"):
        with pytest.raises(ValueError, match="or a feature such as 'feats:Number'"):
            read_conllu(path, column)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Return a function that writes one or two files and returns their names."""
    monkeypatch.chdir(tmp_path)

    def write(*contents):
        names = ["words.txt", "tags.txt"][: len(contents)]
        for name, content in zip(names, contents, strict=True):
            (tmp_path / name).write_bytes(
                content if isinstance(content, bytes) else content.encode()
            )
        return names

    return write


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_two_files(files, bom, end, last):
    words = end.join(["The kettle sulked .", "Ça va"]) + end * last
    tags = end.join(["DET NOUN VERB PUNCT", "PRON VERB"]) + end * (not last)
    names = files(bom + words.encode(), bom + tags.encode())
    sentences = [["The", "kettle", "sulked", "."], ["Ça", "va"]]
    labels = [["DET", "NOUN", "VERB", "PUNCT"], ["PRON", "VERB"]]
    assert read_parallel(*names) == (sentences, labels)
    assert read_sentences(names[0]) == sentences
    assert read_parallel(*map(Path, names)) == (sentences, labels)


@unusual
def test_unusual_words_and_labels(files, word):
    names = files(f"{word} b\nc", f"B {word}\nC")
    assert read_parallel(*names) == ([[word, "b"], ["c"]], [["B", word], ["C"]])
    assert read_labeled_sentences(*files(f"{word} b\nc", f"{word}\nC")) == (
        [[word, "b"], ["c"]],
        [word, "C"],
    )


def test_a_label_for_each_sentence(files):
    names = files("The kettle sulked .\nGood !\n", "bad\ngood\n")
    assert read_labeled_sentences(*names) == (
        [["The", "kettle", "sulked", "."], ["Good", "!"]],
        ["bad", "good"],
    )
    with pytest.raises(
        ValueError,
        match=r"tags\.txt, line 1: the number of labels must be 4, one per word, got 1: 'bad' ",
    ):
        read_parallel(*names)


# Lines that are not valid, and their error messages; {noun} is "word" or "label".
FAULTS = {
    "": "the line is empty",
    " ": "the line is empty",
    " x y": "a leading space: ' x y'",
    "x  y": "two spaces in a row: 'x  y'",
    "x\u00a0y z": r"white space \(U\+00A0\) within the {noun} 'x\\xa0y'; {noun}s must be separated by a single",
    "\u00a0x y": r"white space \(U\+00A0\) within the {noun} '\\xa0x'",
    "z x\ty": r"white space \(U\+0009\) within the {noun} 'x\\ty'",
    "x\u2028y": r"white space \(U\+2028\) within the {noun} 'x\\u2028y'",
    "x\x85y": r"white space \(U\+0085\) within the {noun} 'x\\x85y'",
    "x\x0by": r"white space \(U\+000B\) within the {noun} 'x\\x0by'",
    "x\x0cy": r"white space \(U\+000C\) within the {noun} 'x\\x0cy'",
    "x\x1cy": r"white space \(U\+001C\) within the {noun} 'x\\x1cy'",
    "x\ry": r"white space \(U\+000D\) within the {noun} 'x\\ry'",
    "x\u3000y": r"white space \(U\+3000\) within the {noun} 'x\\u3000y'",
}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(("line", "message"), FAULTS.items(), ids=ascii)
def test_stray_white_space(files, line, message, end):
    good, bad = end.join(["x y", "x y", "x y", ""]), end.join(["x y", line, "x y", ""])
    names = files(bad, good)
    place = r"^words\.txt, line 2: " + message.format(noun="word")
    with pytest.raises(ValueError, match=place):
        read_sentences(names[0])
    with pytest.raises(ValueError, match=place):
        read_parallel(*names)
    names = files(good, bad)
    for read in (read_parallel, read_labeled_sentences):
        place = r"tags\.txt, line 2: " + message.format(noun="label")
        with pytest.raises(ValueError, match=place):
            read(*names)


def test_the_fault_of_a_long_line_is_shown(files):
    (name,) = files("a" * 500 + "\u00a0" + "b" * 500)
    with pytest.raises(ValueError, match=r"U\+00A0.*a{30}\\xa0b{29}'") as caught:
        read_sentences(name)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("spaces", [" ", "    "])
@pytest.mark.parametrize("blank", [["", ""], ["", "", "", ""], ["", " ", "   "], [" "]], ids=repr)
def test_spaces_and_blank_lines_at_the_end(files, end, spaces, blank):
    """As in NeuroX, they do not matter, in either file: no word or label is lost."""
    words, tags = ["a b", "c"], ["A B", "C"]
    with_ends = [[line + spaces for line in lines] + blank for lines in (words, tags)]
    expected = [["a", "b"], ["c"]], [["A", "B"], ["C"]]
    for pair in product([words, with_ends[0]], [tags, with_ends[1]]):
        names = files(*(end.join(lines) for lines in pair))
        assert read_parallel(*names) == expected
        assert read_sentences(names[0]) == expected[0]
        names = files(end.join(pair[0]), end.join(["x" + spaces, "y", *blank]))
        assert read_labeled_sentences(*names) == (expected[0], ["x", "y"])


@pytest.mark.parametrize("blank", ["", " "])
def test_a_blank_line_inside(files, blank):
    """It is a sentence without words, which NeuroX would read."""
    with pytest.raises(ValueError, match=r"^words\.txt, line 2: the line is empty\.$"):
        read_sentences(*files(f"a b\n{blank}\nc\n"))


def test_blank_lines_at_the_end_do_not_hide_missing_labels(files):
    with pytest.raises(ValueError, match="must have the same number of lines, got 1 and 2"):
        read_parallel(*files("a b\n\n", "A B\nC\n"))
    with pytest.raises(ValueError, match="must have the same number of lines, got 2 and 1"):
        read_labeled_sentences(*files("a b\nc\n", "A\n \n"))


def test_nul_characters(files):
    """UTF-16 without a byte-order mark is valid UTF-8."""
    for content, line in ((" a b\nc".encode("utf-16-be"), 1), (b"a\n\x00b\n", 2)):
        for read in (read_sentences, read_conllu):
            with pytest.raises(
                ValueError, match=rf"words\.txt, line {line}: .* NUL .* not in UTF-16"
            ):
                read(*files(content))


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf"])
def test_no_sentence(files, content):
    names = files("a", content)
    with pytest.raises(ValueError, match=r"tags\.txt does not contain any sentences"):
        read_parallel(*names)
    with pytest.raises(ValueError, match=r"words\.txt does not contain any sentences"):
        read_sentences(*files(content))


def test_a_line_with_more_or_fewer_labels(files):
    names = files("a b c\nd e\nf", "A B C\nD\nF G")
    with pytest.raises(ValueError) as caught:  # noqa: PT011 -- the whole message is below
        read_parallel(*names)
    assert str(caught.value) == (
        "Found 2 errors:\n"
        "  tags.txt, line 2: the number of labels must be 2, one per word, got 1: 'D' for 'd e'\n"
        "  tags.txt, line 3: the number of labels must be 1, one per word, got 2: 'F G' for 'f'"
    )
    with pytest.raises(
        ValueError,
        match=r"^Found 2 errors:\n.*line 1: the number of labels must be 1, got 3: 'A B C'",
    ):
        read_labeled_sentences(*names)


def test_a_file_with_fewer_lines(files):
    """The lines that do not match, and those beyond the end of the other file, are also listed."""
    names = files("a b\nc\nd e\nf  g\n", "A B\nD E\nX\n")
    with pytest.raises(ValueError, match="must have the same number of lines, got 4 and 3") as e:
        read_parallel(*names)
    message = str(e.value)
    assert message.startswith("Found 4 errors:\n  words.txt and tags.txt must")
    assert (
        "tags.txt, line 2: the number of labels must be 1, one per word, got 2: 'D E' for 'c'"
        in message
    )
    assert "words.txt, line 4: two spaces in a row" in message
    names = files("a b\nc\n", "A B\n")
    with pytest.raises(ValueError, match=r"^words\.txt and tags\.txt must .* got 2 and 1\.$"):
        read_parallel(*names)


def test_faults_are_counted_and_five_are_listed(files):
    names = files("a b\n" * 7, "A B\n" + "A\n" * 6)
    with pytest.raises(ValueError, match=r"^Found 6 errors; the first 5 are:") as caught:
        read_parallel(*names)
    assert [line.split(":")[0] for line in str(caught.value).splitlines()[1:]] == [
        f"  tags.txt, line {number}" for number in (2, 3, 4, 5, 6)
    ]
    with pytest.raises(ValueError, match=r"^Found 5 errors:"):
        read_sentences(*files("a b\n" + "\n" * 5 + "c"))


def test_faults_in_both_files_of_a_line(files):
    with pytest.raises(ValueError, match=r"^Found 2 errors:") as caught:
        read_parallel(*files("a  b\n", " A\n"))
    assert "words.txt, line 1: two spaces" in str(caught.value)
    assert "tags.txt, line 1: a leading space" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "line"),
    [("a\nö".encode("latin-1"), 2), ("a b".encode("utf-16"), 1), (b"a\nb\n\xed\xa0\x80", 3)],
)
def test_text_of_another_encoding(files, content, line):
    for contents, name in (((content, "a"), "words"), (("a", content), "tags")):
        with pytest.raises(
            ValueError, match=rf"{name}\.txt, line {line}: the line is not valid UTF-8"
        ):
            read_parallel(*files(*contents))


def test_lone_surrogates(files):
    """A word that cannot be written as UTF-8 is refused, whatever its source."""
    for content in (b"a\xed\xa0\x80", b"\xf4\x90\x80\x80"):
        with pytest.raises(ValueError, match=r"line 1: the line is not valid UTF-8"):
            read_sentences(*files(content))
    for word in ("\ud800", "a\udfffb"):
        with pytest.raises(
            ValueError, match="Sentence 1, word 1: expected a word without lone surrogates, got"
        ):
            check_corpus([["a"], ["b", word]])
    assert check_corpus(["\U00010000 \uffff \ue000"]) == [["\U00010000", "\uffff", "\ue000"]]
