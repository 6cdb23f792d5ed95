"""``python -m sklearn_neurox``."""

import subprocess
import sys

import numpy as np
import pytest

from sklearn_neurox import AnalysisReport, TokenActivations, _demo
from sklearn_neurox.__main__ import main


def test_the_demo_on_a_tiny_model(tiny_bert_path, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(_demo.analysis, "LAMBDAS", (0.0, 1e-3))
    monkeypatch.setattr(_demo.page, "LAMBDAS", (0.0, 1e-3))
    monkeypatch.setattr(_demo.analysis, "FRACTIONS", (0.1, 1.0))
    assert main(["demo", "--model", str(tiny_bert_path), "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "best layer:" in printed
    assert "report.html" in printed
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Parts of speech in tiny-bert" in page
    for heading in ("which layer", "regularisation", "How many neurons", "which tag", "look for"):
        assert heading in page


@pytest.mark.slow
def test_the_demo_on_the_real_model(tmp_path):
    command = [sys.executable, "-m", "sklearn_neurox", "demo", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "all-MiniLM-L6-v2: TokenActivations(6,378 words" in done.stdout
    assert (tmp_path / "report.html").stat().st_size < 5_000_000


def test_a_model_that_is_not_there(tmp_path, capsys):
    assert main(["demo", "--model", str(tmp_path / "nothing"), "--out", str(tmp_path)]) == 1
    assert "Cannot load the model" in capsys.readouterr().err


def test_help_teaches():
    done = subprocess.run(
        [sys.executable, "-m", "sklearn_neurox", "demo", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--model NAME_OR_PATH" in done.stdout
    assert "report.html" in done.stdout


@pytest.fixture(scope="module")
def store(tiny_bert_path, corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("command")
    for name, column in (("words.txt", corpus.sentences), ("tags.txt", corpus.tags)):
        lines = "".join(" ".join(cells) + "\n" for cells in column[:120])
        (folder / name).write_text(lines, encoding="utf-8")
    command = ["extract", str(tiny_bert_path), str(folder / "words.txt")]
    command += ["--labels", str(folder / "tags.txt"), "--out", str(folder / "store")]
    assert main([*command, "--dtype", "float16", "--aggregation", "mean"]) == 0
    return folder / "store"


@pytest.mark.filterwarnings("ignore:.*samples have labels not seen during training")
class TestStore:
    """From a corpus in a file to a page, in a handful of commands."""

    def test_extract(self, store, tiny_bert, corpus, capsys):
        from sklearn_neurox import ActivationExtractor, TokenActivations

        expected = ActivationExtractor(*tiny_bert, dtype="float16", aggregation="mean").extract(
            corpus.sentences[:120], corpus.tags[:120]
        )
        stored = TokenActivations.load(store)
        np.testing.assert_allclose(stored.X, expected.X, atol=1e-3)
        assert stored.y.tolist() == expected.y.tolist()

    def test_extract_from_conllu(self, tiny_bert_path, tmp_path, capsys):
        line = "1\tdogs\tdog\tNOUN\tNNS\t_\t0\troot\t_\t_\n\n"
        (tmp_path / "corpus.conllu").write_text(line, encoding="utf-8")
        command = ["extract", str(tiny_bert_path), str(tmp_path / "corpus.conllu")]
        command += ["--out", str(tmp_path / "store"), "--column", "xpos", "--layers", "0,2"]
        assert main(command) == 0
        assert "1 word in 1 sentence, 32 neurons in 2 layers" in capsys.readouterr().out
        assert main([*command, "--labels", "x"]) == 1
        assert "give --column" in capsys.readouterr().err
        assert main([*command[:-1], "0,x"]) == 1
        assert "--layers must be 'all' or as 0,3,6; got '0,x'" in capsys.readouterr().err

    def test_a_column_of_a_text_file(self, tiny_bert_path, tmp_path, capsys):
        (tmp_path / "words.txt").write_text("a b\n", encoding="utf-8")
        command = ["extract", str(tiny_bert_path), str(tmp_path / "words.txt")]
        command += ["--out", str(tmp_path / "store"), "--column", "upos"]
        assert main(command) == 1
        assert "--column=upos is of a .conllu file, but the corpus is" in capsys.readouterr().err
        assert not (tmp_path / "store").exists()

    def test_the_column_of_a_conllu_file_is_upos(self, tiny_bert_path, tmp_path):
        from sklearn_neurox import TokenActivations

        line = "1\tdogs\tdog\tNOUN\tNNS\t_\t0\troot\t_\t_\n\n"
        (tmp_path / "corpus.conllu").write_text(line, encoding="utf-8")
        command = ["extract", str(tiny_bert_path), str(tmp_path / "corpus.conllu")]
        assert main([*command, "--out", str(tmp_path / "store")]) == 0
        assert TokenActivations.load(tmp_path / "store").y.tolist() == ["NOUN"]

    @pytest.mark.parametrize(
        ("model", "options", "message"),
        [
            (None, ["--layers", "x"], "--layers must be 'all' or as 0,3,6; got 'x'"),
            (None, ["--layers", "2,1"], "layers must be different and ascending"),
            (None, ["--batch-tokens", "0"], "'batch_tokens' parameter"),
            ("./nope", [], "Cannot load the model './nope'"),
            ("./nope,./no", [], "Cannot load the model './nope'"),
        ],
    )
    def test_options_before_the_corpus(
        self, tiny_bert_path, tmp_path, capsys, model, options, message
    ):
        """Which may be large; here it is not even there."""
        command = ["extract", model or str(tiny_bert_path), str(tmp_path / "none.txt")]
        assert main([*command, "--out", str(tmp_path / "store"), *options]) == 1
        assert message in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("command", "message"),
        [
            (["probe", "--out", "{}/no/x.csv"], "There is no folder {}/no to write the table into"),
            (
                ["rank", "--out", "{}/no/x.csv"],
                "There is no folder {}/no to write the ranking into",
            ),
            (
                ["report", "--out", "{}/no/x.html"],
                "There is no folder {}/no to write the page into",
            ),
            (["probe", "--out", "{}"], "--out={} is a folder: give the name of a file"),
            (
                ["probe", "--cv", "121"],
                "--cv=121, but a fold is made of whole sentences: there are 120",
            ),
            (
                ["report", "--cv", "1"],
                "--cv=1, but a fold is made of whole sentences: there are 120",
            ),
            (["rank", "--n-neurons", "0"], "--n-neurons must be 1 or more, got 0"),
        ],
    )
    def test_what_cannot_work_is_said_before_the_work(
        self, store, tmp_path, capsys, monkeypatch, command, message
    ):
        from sklearn_neurox._cli import commands as _commands

        def work(*args):
            raise AssertionError("the work began")

        for name in ("Study", "_rank", "make_page"):
            monkeypatch.setattr(_commands, name, work)
        name, *options = (part.format(tmp_path) for part in command)
        assert main([name, str(store), *options]) == 1
        assert message.format(tmp_path) in capsys.readouterr().err

    @pytest.mark.filterwarnings("ignore:.*labels not seen during training:UserWarning")  # few words
    def test_probe(self, store, tmp_path, capsys):
        assert main(["probe", str(store), "--cv", "2", "--out", str(tmp_path / "scores.csv")]) == 0
        assert "best layer:" in capsys.readouterr().out
        assert len((tmp_path / "scores.csv").read_text().splitlines()) == 4

    @pytest.mark.parametrize("method", ["weights", "probeless", "average-precision", "gaussian"])
    def test_rank(self, store, tmp_path, capsys, method):
        command = ["rank", str(store), "--layer", "2", "--method", method, "--n-neurons", "3"]
        assert main([*command, "--target", "NOUN", "--out", str(tmp_path / "ranking.csv")]) == 0
        out = capsys.readouterr().out
        assert out.count("layer_2_neuron_") == 3
        assert len((tmp_path / "ranking.csv").read_text().splitlines()) == 17
        assert main([*command, "--target", "NUON"]) == 1
        assert "target='NUON' is not one of the classes" in capsys.readouterr().err

    @pytest.mark.filterwarnings("ignore:.*labels not seen during training:UserWarning")  # few words
    def test_report(self, store, tmp_path, capsys):
        page = tmp_path / "page.html"
        assert main(["report", str(store), "--cv", "2", "--out", str(page)]) == 0
        text = page.read_text(encoding="utf-8")
        for heading in (
            "In which layer?",
            "Which labels, and how surely?",
            "How easily?",
            "With how many neurons?",
            "Which neurons for which label?",
            "How redundantly?",
            "How it was made",
        ):
            assert f">{heading}</h2>" in text
        assert len(text) < 1_000_000
        assert "by chance" in text
        assert main(["report", str(store), "--out", str(tmp_path / "no" / "page.html")]) == 1
        assert "There is no folder" in capsys.readouterr().err

    def test_a_page_is_named_after_its_store(self, store, tmp_path, monkeypatch):
        from sklearn_neurox._cli import commands as _commands

        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(_commands, "make_page", lambda *args: AnalysisReport("A page"))
        assert main(["report", str(store)]) == 0
        assert (tmp_path / f"{store.name}.html").is_file()

    def test_numbers_are_no_classes(self, tmp_path, capsys):
        n = np.arange(6)
        TokenActivations(
            np.ones((6, 2)), n.astype(str), n, np.zeros(6, int), layers=(0, 1), y=n + 0.5
        ).save(tmp_path / "store")
        for command in ("probe", "rank", "report"):
            assert main([command, str(tmp_path / "store")]) == 1
            assert "holds numbers, as 0.5, and the commands are for" in capsys.readouterr().err

    def test_no_store_and_no_labels(self, tiny_bert_path, tmp_path, capsys):
        assert main(["probe", str(tmp_path / "nothing")]) == 1
        assert "nothing" in capsys.readouterr().err
        (tmp_path / "words.txt").write_text("a b\n", encoding="utf-8")
        command = ["extract", str(tiny_bert_path), str(tmp_path / "words.txt")]
        assert main([*command, "--out", str(tmp_path / "store")]) == 0
        assert main(["rank", str(tmp_path / "store")]) == 1
        assert "holds no labels" in capsys.readouterr().err

    def test_interrupted(self, monkeypatch, capsys):
        from sklearn_neurox._cli import commands as _commands

        def interrupt(args):
            raise KeyboardInterrupt

        monkeypatch.setattr(_commands, "probe", interrupt)
        assert main(["probe", "store"]) == 130
        assert "interrupted" in capsys.readouterr().err

    def test_usage(self, capsys):
        with pytest.raises(SystemExit) as error:
            main(["rank", "store", "--method", "guess"])
        assert error.value.code == 2
        with pytest.raises(SystemExit) as error:
            main(["--help"])
        assert error.value.code == 0
        assert "exit code: 0; 1 for an error that is yours to mend" in capsys.readouterr().out
