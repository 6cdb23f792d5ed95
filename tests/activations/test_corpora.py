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
