"""CoNLL-U as Universal Dependencies says."""

import pytest

from sklearn_neurox import read_conllu

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
        ([("1", "a"), ("O2", "b")], "line 2: expected an id as 3, 3-4 or 3.1 .* got 'O2'"),
        ([("1", "a"), ("", "b")], "line 2: expected an id"),
        ([("²", "a")], "line 1: expected an id"),
        ([("1", "a"), ("3", "b")], "line 2: expected word 2 of the sentence, got id 3"),
        ([("1", "a"), ("1", "b")], "line 2: expected word 2 of the sentence, got id 1"),
        ([("1", "")], "line 1: the second column, the word, is empty"),
    ],
)
def test_no_word_is_lost(tmp_path, rows, message):
    path = tmp_path / "a.conllu"
    path.write_text("".join(WORD.format(*row) for row in rows), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_conllu(path)


def test_another_encoding(tmp_path):
    path = tmp_path / "a.conllu"
    path.write_bytes((WORD.format(1, "a") + WORD.format(2, "ö")).encode("latin-1"))
    with pytest.raises(ValueError, match="line 2: not UTF-8"):
        read_conllu(path)


def test_errors(tmp_path):
    path = tmp_path / "a.conllu"
    path.write_text(LINES.replace("\tcan\tAUX", "\tAUX"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"a\.conllu, line 5: expected 10 columns .* got 9"):
        read_conllu(path)
    with pytest.raises(ValueError, match=r"column must be one of .* got 'tag'"):
        read_conllu(path, "tag")
    path.write_text("\n# nothing\n\n")
    with pytest.raises(ValueError, match="holds no sentence"):
        read_conllu(path)
