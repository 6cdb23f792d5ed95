"""``python -m sklearn_neurox``."""

import errno
import gzip
import os
import subprocess
import sys
from dataclasses import FrozenInstanceError, replace
from importlib import import_module

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Bunch

import sklearn_neurox as snx
from sklearn_neurox.__main__ import main
from sklearn_neurox._cli import parser, store_page

pytestmark = pytest.mark.filterwarnings(  # the corpora here are small
    "ignore::sklearn_neurox._warnings.UnseenLabelsWarning", "ignore:Adam stopped while"
)


@pytest.fixture
def quick(monkeypatch):
    """Train probes briefly, and measure the use of a label with few sentences and placebos."""
    from sklearn_neurox._cli import study, usage

    monkeypatch.setattr(study, "_MIN_STEPS", 100)
    for name, value in {"_N_SENTENCES": 12, "_N_PLACEBOS": 2, "_N_FOLDS": 2}.items():
        monkeypatch.setattr(usage, name, value)


@pytest.mark.usefixtures("quick")
def test_the_demo_on_a_tiny_model(tiny_bert_path, corpus, tmp_path, monkeypatch, capsys):
    from sklearn_neurox._cli import demo

    few = Bunch(**{name: column[::4] for name, column in corpus.items()})
    monkeypatch.setattr(demo, "load_tagged_sentences", lambda: few)
    monkeypatch.setattr(demo, "LAMBDAS", (0.0, 1e-3))
    monkeypatch.setattr(demo, "FRACTIONS", (0.1, 1.0))
    assert main(["demo", "--model", str(tiny_bert_path), "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "best layer:" in printed
    assert "report.html" in printed
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Parts of speech in tiny-bert" in page
    for heading in (
        "Which layer encodes the labels?",
        "How much regularization does it need?",
        "Which labels are predicted correctly?",
        "How many neurons does it take?",
        "Which neurons detect which label?",
        "What do these neurons respond to?",
        "Is it used?",
        "Run it yourself",
        "How the results were obtained",
    ):
        assert f">{heading}</h2>" in page
    assert "NOUN (nouns)" in page


@pytest.mark.slow
def test_the_demo_on_the_real_model(tmp_path):
    command = [sys.executable, "-m", "sklearn_neurox", "demo", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "all-MiniLM-L6-v2: TokenActivations(6,378 words" in done.stdout
    assert (tmp_path / "report.html").stat().st_size < 5_000_000


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Pass on_truncate='warn' or on_truncate.", "Pass --on-truncate 'warn' or --on-truncate."),
        (
            "Set batch_tokens=10, add_prefix_space=True.",
            "Set --batch-tokens 10, --add-prefix-space.",
        ),
        ("dtype=float16 (or 'dtype')", "--dtype float16 (or 'dtype')"),
        ("layers must be numbers of layers", "layers must be numbers of layers"),
        ("folder/on_truncate, on_truncate.txt", "folder/on_truncate, on_truncate.txt"),
        ("max_iter=5, f(layers=[4])", "max_iter=5, f(layers=[4])"),
    ],
)
def test_messages_name_options(message, expected):
    args = parser.make_parser().parse_args(["extract", "model", "corpus", "--out", "store"])
    assert parser._with_options(message, args.usage()) == expected


def test_a_model_that_does_not_exist(tmp_path, capsys):
    assert main(["demo", "--model", str(tmp_path / "nothing"), "--out", str(tmp_path)]) == 1
    assert "Cannot load the model" in capsys.readouterr().err


def test_the_demo_names_its_extra(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "rich", None)
    assert main(["demo", "--out", str(tmp_path / "out")]) == 1
    assert (
        "requires rich. You can install it with `pip install 'sklearn-neurox[demo]'`"
        in capsys.readouterr().err
    )
    assert not (tmp_path / "out").exists()


def test_help_of_a_command():
    done = subprocess.run(
        [sys.executable, "-m", "sklearn_neurox", "demo", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--model NAME_OR_PATH" in done.stdout
    assert "report.html" in done.stdout


@pytest.mark.parametrize("argv", [["--help"], ["demo", "--help"], ["rank"], ["nonsense"]])
def test_help_and_usage_import_no_torch(argv):
    code = (
        "import sys\n"
        "from sklearn_neurox.__main__ import main\n"
        "try:\n"
        f"    main({argv})\n"
        "except SystemExit:\n"
        "    print('torch' in sys.modules, 'sklearn' in sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "False False"


class TestRegistries:
    """A new aggregation, ranking or metric is an option of the command without further changes."""

    REGISTRIES = [
        ("extract", "--aggregation", "extraction.aggregation", "AGGREGATIONS"),
        ("extract", "--dtype", "activations.dtypes", "DTYPES"),
        ("probe", "--metric", "evaluation.metrics", "METRICS"),
        ("rank", "--method", "neurons.ranking_selector", "RANKINGS"),
    ]

    @pytest.mark.parametrize(("command", "option", "module", "registry"), REGISTRIES)
    def test_choices(self, capsys, monkeypatch, command, option, module, registry):
        names = list(getattr(import_module(f"sklearn_neurox.{module}"), registry))
        monkeypatch.setenv("COLUMNS", "1000")  # no line breaks within the list
        with pytest.raises(SystemExit) as error:
            main([command, "--help"])
        assert error.value.code == 0
        assert ", ".join(names) in capsys.readouterr().out
        arguments = ["model", "corpus", "--out", "x"] if command == "extract" else ["store"]
        with pytest.raises(SystemExit) as error:
            main([command, *arguments, option, "nonsense"])
        assert error.value.code == 2
        message = capsys.readouterr().err
        assert f"argument {option}: invalid choice: 'nonsense'" in message
        assert all(repr(name) in message for name in names)

    def test_a_new_ranking(self, store, monkeypatch, capsys):
        from sklearn_neurox.neurons.ranking_selector import RANKINGS, RankingSelector

        monkeypatch.setitem(RANKINGS, "variance", None)  # removes the new entry afterwards

        class VarianceSelector(RankingSelector, ranking="variance"):
            def __init__(self, n_neurons=None, order="top"):
                self.n_neurons = n_neurons
                self.order = order

            def _rank(self, X, y, call):
                return np.argsort(-X.var(axis=0, dtype=float), kind="stable")

        assert main(["rank", str(store), "--method", "variance", "--n-neurons", "3"]) == 0
        lines = capsys.readouterr().out.splitlines()
        tokens = snx.TokenActivations.load(store)
        first = np.argsort(-tokens.X.var(axis=0, dtype=float), kind="stable")[:3]
        expected = tokens.neurons.names[first].tolist()
        assert [line.split()[0] for line in lines[-3:]] == expected
        assert main(["rank", str(store), "--method", "variance", "--target", "NOUN"]) == 1
        expected = "--method variance, which does not rank for a single label."
        assert expected in capsys.readouterr().err

    def test_a_new_metric(self, store, tmp_path, monkeypatch):
        from sklearn_neurox.evaluation.metrics import METRICS

        monkeypatch.setitem(METRICS, "half", lambda y_true, y_pred: 0.5)
        out = tmp_path / "scores.csv"
        assert main(["probe", str(store), "--metric", "half", "--cv", "2", "--out", str(out)]) == 0
        assert pd.read_csv(out)["score"].tolist() == [0.5] * 3

    @pytest.mark.parametrize("command", ["probe", "rank", "report"])
    def test_a_full_disk_leaves_the_old_file(self, store, tmp_path, monkeypatch, command, capsys):
        out = tmp_path / "out.csv"
        out.write_text("old")
        arguments = {
            "probe": ["--cv", "2"],
            "rank": ["--method", "probeless", "--target", "NOUN"],
            "report": ["--cv", "2"],
        }[command]

        def full(*args):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        page = snx.AnalysisReport("An empty page")
        monkeypatch.setattr(store_page, "make_page", lambda *args: page)
        monkeypatch.setattr(os, "replace", full)
        assert main([command, str(store), *arguments, "--out", str(out)]) == 1
        assert "No space left on device" in capsys.readouterr().err
        assert [each.read_text() for each in tmp_path.iterdir()] == ["old"]

    def test_a_compressed_table(self, store, tmp_path):
        command = ["rank", str(store), "--method", "probeless", "--target", "NOUN", "--out"]
        for name in ("ranking.csv", "ranking.csv.gz"):
            assert main([*command, str(tmp_path / name)]) == 0
        content = gzip.decompress((tmp_path / "ranking.csv.gz").read_bytes())
        assert content == (tmp_path / "ranking.csv").read_bytes()

    def test_options_of_a_ranking(self):
        """Only the parameters that a selector has are passed to it."""
        from sklearn_neurox._cli.ranking import make_selector

        options = {"n_neurons": 2, "target": "a", "random_state": 5}
        selector = make_selector("weight-mass", **options)
        assert (selector.n_neurons, selector.target) == (2, "a")
        assert selector.estimator.lambda_l1 > 0
        random = make_selector("random", **options | {"target": None})
        assert (random.n_neurons, random.random_state) == (2, 5)


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


class TestStore:
    """From a corpus in a file to a page, in a handful of commands."""

    def test_extract(self, store, tiny_bert, corpus, capsys):
        expected = snx.ActivationExtractor(*tiny_bert, dtype="float16", aggregation="mean").extract(
            corpus.sentences[:120], corpus.tags[:120]
        )
        stored = snx.TokenActivations.load(store)
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
        assert "Use --column for a .conllu file" in capsys.readouterr().err
        assert main([*command[:-1], "0,x"]) == 1
        assert (
            "--layers must be 'all' or numbers such as 0,3,6, got '0,x'." in capsys.readouterr().err
        )

    def test_special_tokens_in_the_corpus(self, tiny_bert, tiny_bert_path, tmp_path, capsys):
        (tmp_path / "words.txt").write_text("She [MASK] home\n", encoding="utf-8")
        command = ["extract", str(tiny_bert_path), str(tmp_path / "words.txt"), "--out"]
        assert main([*command, str(tmp_path / "none")]) == 1
        message = capsys.readouterr().err
        assert "word 1: the text contains '[MASK]'" in message
        assert message.endswith(
            "Set --no-split-special-tokens to read it as the special token, or "
            "--split-special-tokens to split it into sub-words like ordinary text.\n"
        )
        for option, split in (
            ("--split-special-tokens", True),
            ("--no-split-special-tokens", False),
        ):
            store = tmp_path / option
            assert main([*command, str(store), option, "--add-prefix-space"]) == 0
            extractor = snx.ActivationExtractor(*tiny_bert, split_special_tokens=split)
            expected = extractor.extract(["She [MASK] home"])
            np.testing.assert_allclose(snx.TokenActivations.load(store).X, expected.X, atol=1e-6)
            parameters = snx.TokenActivations.describe(store)["parameters"]
            assert parameters["split_special_tokens"] is split
            assert parameters["add_prefix_space"] is True

    def test_a_column_of_a_text_file(self, tiny_bert_path, tmp_path, capsys):
        (tmp_path / "words.txt").write_text("a b\n", encoding="utf-8")
        command = ["extract", str(tiny_bert_path), str(tmp_path / "words.txt")]
        command += ["--out", str(tmp_path / "store"), "--column", "upos"]
        assert main(command) == 1
        assert "--column=upos cannot be used with words of" in capsys.readouterr().err
        assert not (tmp_path / "store").exists()

    def test_the_column_of_a_conllu_file_is_upos(self, tiny_bert_path, tmp_path):
        line = "1\tdogs\tdog\tNOUN\tNNS\t_\t0\troot\t_\t_\n\n"
        (tmp_path / "corpus.conllu").write_text(line, encoding="utf-8")
        command = ["extract", str(tiny_bert_path), str(tmp_path / "corpus.conllu")]
        assert main([*command, "--out", str(tmp_path / "store")]) == 0
        assert snx.TokenActivations.load(tmp_path / "store").y.tolist() == ["NOUN"]

    @pytest.mark.parametrize("name", ["corpus.CONLLU", "corpus.conll", "corpus.Conll"])
    def test_other_spellings_of_conllu(self, tiny_bert_path, tmp_path, capsys, name):
        line = "1\tdogs\tdog\tNOUN\tNNS\t_\t0\troot\t_\t_\n\n"
        (tmp_path / name).write_text(line, encoding="utf-8")
        command = ["extract", str(tiny_bert_path), str(tmp_path / name)]
        assert main([*command, "--out", str(tmp_path / "store"), "--column", "xpos"]) == 0
        assert snx.TokenActivations.load(tmp_path / "store").y.tolist() == ["NNS"]
        (tmp_path / name).write_text("dogs NNS B-NP O\n")  # CoNLL-2003
        assert main([*command, "--out", str(tmp_path / "other")]) == 1
        assert f"{name}, line 1: expected 10 columns separated by tabs" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("model", "options", "message"),
        [
            (None, ["--layers", "x"], "--layers must be 'all' or numbers such as 0,3,6, got 'x'."),
            (None, ["--layers", "2,1"], "layers must be in ascending order, got [2, 1]."),
            (None, ["--batch-tokens", "0"], "'batch_tokens' parameter"),
            ("./nope", [], "Cannot load the model './nope'"),
            ("./nope,./no", [], "Cannot load the model './nope'"),
        ],
    )
    def test_options_before_the_corpus(
        self, tiny_bert_path, tmp_path, capsys, model, options, message
    ):
        """The corpus, which may be large, is not read if the options are invalid."""
        command = ["extract", model or str(tiny_bert_path), str(tmp_path / "none.txt")]
        assert main([*command, "--out", str(tmp_path / "store"), *options]) == 1
        assert message in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("command", "message"),
        [
            (
                ["probe", "--out", "{}/no/x.csv"],
                "Cannot write the table: the folder {}/no does not exist.",
            ),
            (
                ["rank", "--out", "{}/no/x.csv"],
                "Cannot write the ranking: the folder {}/no does not exist.",
            ),
            (
                ["report", "--out", "{}/no/x.html"],
                "Cannot write the page: the folder {}/no does not exist.",
            ),
            (["probe", "--out", "{}"], "--out={} is a folder. Pass a file name for the table."),
            (
                ["probe", "--cv", "121"],
                "--cv must be from 2 to the number of sentences, 120, because a fold consists of "
                "whole sentences, got 121.",
            ),
            (
                ["report", "--cv", "1"],
                "--cv must be from 2 to the number of sentences, 120, because a fold consists of "
                "whole sentences, got 1.",
            ),
            (["rank", "--n-neurons", "0"], "--n-neurons must be at least 1, got 0."),
            (["rank", "--target", "NUON"], "--target must be one of ADJ, ADP, ADV, "),
        ],
    )
    def test_invalid_options_are_reported_before_the_work(
        self, store, tmp_path, capsys, monkeypatch, command, message
    ):
        from sklearn_neurox._cli import ranking, store_page, study

        def work(*args):
            raise AssertionError("the work began")

        monkeypatch.setattr(study, "Study", work)
        monkeypatch.setattr(ranking, "rank_neurons", work)
        monkeypatch.setattr(store_page, "make_page", work)
        name, *options = (part.format(tmp_path) for part in command)
        assert main([name, str(store), *options]) == 1
        assert message.format(tmp_path) in capsys.readouterr().err

    def test_probe(self, store, tmp_path, capsys):
        assert main(["probe", str(store), "--cv", "2", "--out", str(tmp_path / "scores.csv")]) == 0
        assert "best layer:" in capsys.readouterr().out
        assert len((tmp_path / "scores.csv").read_text().splitlines()) == 4

    @pytest.mark.parametrize(
        ("metric", "scoring"),
        [
            ("accuracy", "accuracy"),
            ("f1", "f1_macro"),
            ("matthews_corrcoef", "matthews_corrcoef"),
        ],
    )
    def test_metric(self, store, tmp_path, metric, scoring):
        out = tmp_path / "scores.csv"
        command = ["probe", str(store), "--cv", "2", "--metric", metric, "--lambda-l2", "0.1"]
        assert main([*command, "--out", str(out)]) == 0
        tokens = snx.TokenActivations.load(store)
        max_epochs = int(np.ceil(1000 * 32 / len(tokens.X)))  # 1,000 steps
        assert max_epochs > 10
        probe = snx.LinearProbeClassifier(lambda_l2=0.1, max_epochs=max_epochs, random_state=0)
        probe = make_pipeline(StandardScaler(), probe)
        X = tokens.layer(1).astype(np.float32)
        folds = {"cv": GroupKFold(2), "groups": tokens.sentence_ids}
        expected = cross_val_score(probe, X, tokens.y, scoring=scoring, **folds)
        assert pd.read_csv(out)["score"][1] == pytest.approx(expected.mean(), abs=1e-3)

    @pytest.mark.parametrize("command", ["probe", "report"])
    @pytest.mark.parametrize("option", ["--lambda-l1", "--lambda-l2"])
    @pytest.mark.parametrize("value", ["-1", "nan", "inf"])
    def test_penalties_are_checked_first(self, store, capsys, command, option, value):
        assert main([command, str(store), f"{option}={value}"]) == 1
        error = capsys.readouterr().err
        assert error.endswith(f"{option} must be a non-negative number, got {value}.\n")
        assert "layers:" not in error  # no progress bar

    @pytest.mark.parametrize("metric", ["pearson", "spearman", "pearson_and_spearman"])
    def test_a_metric_of_numbers_for_tags(self, store, capsys, metric):
        assert main(["probe", str(store), "--metric", metric]) == 1
        message = (
            f"--metric {metric} compares numbers, but the labels of the store are strings. Use "
            "accuracy, f1, accuracy_and_f1, matthews_corrcoef."
        )
        assert message in capsys.readouterr().err

    @pytest.mark.parametrize("layer", ["00", "1_0", "\u0661", "layer 1", "-1"])
    def test_a_layer_is_looked_up(self, store, capsys, layer):
        assert main(["rank", str(store), f"--layer={layer}"]) == 1
        assert f"--layer must be one of 0, 1, 2, got {layer!r}" in capsys.readouterr().err

    def test_a_metric_for_numbers(self, store, capsys):
        assert main(["probe", str(store), "--metric", "pearson"]) == 1
        assert "pearson compares numbers" in capsys.readouterr().err

    @pytest.mark.parametrize(
        "method", ["weight-mass", "probeless", "average-precision", "gaussian"]
    )
    def test_rank(self, store, tmp_path, capsys, method):
        command = ["rank", str(store), "--layer", "2", "--method", method, "--n-neurons", "3"]
        assert main([*command, "--target", "NOUN", "--out", str(tmp_path / "ranking.csv")]) == 0
        out = capsys.readouterr().out
        assert out.count("layer_2_neuron_") == 3
        assert len((tmp_path / "ranking.csv").read_text().splitlines()) == 17
        assert main([*command, "--target", "NUON"]) == 1
        assert "--target must be one of ADJ, ADP, " in capsys.readouterr().err
        # A prefix or an extension of a label is not the label.
        assert main([*command, "--target", "PUNCTUATION"]) == 1
        assert "got 'PUNCTUATION'" in capsys.readouterr().err

    def test_rank_names_the_neurons_of_a_layer(self, store, tmp_path):
        command = ["rank", str(store), "--method", "probeless", "--out", str(tmp_path / "x.csv")]
        assert main([*command, "--layer", "1"]) == 0
        frame = pd.read_csv(tmp_path / "x.csv")
        tokens = snx.TokenActivations.load(store)
        selector = snx.ProbelessSelector().fit(tokens.layer(1), tokens.y)
        assert frame["neuron"].tolist() == selector.ranking_.tolist()
        assert frame["name"].tolist() == [f"layer_1_neuron_{j}" for j in selector.ranking_]

    def test_rank_in_a_layer_that_does_not_exist(self, store, capsys):
        for layer in ("3", "encoder"):
            assert main(["rank", str(store), "--layer", layer]) == 1
            assert f"--layer must be one of 0, 1, 2, got {layer!r}" in capsys.readouterr().err

    def test_a_random_ranking_is_reproducible(self, store, capsys):
        outputs = []
        for seed in ("1", "1", "2"):
            assert main(["rank", str(store), "--method", "random", "--random-state", seed]) == 0
            outputs.append(capsys.readouterr().out)
        assert outputs[0] == outputs[1] != outputs[2]

    @pytest.mark.usefixtures("quick")
    def test_report(self, store, tmp_path, capsys):
        page = tmp_path / "page.html"
        assert main(["report", str(store), "--cv", "2", "--out", str(page)]) == 0
        text = page.read_text(encoding="utf-8")
        for heading in (
            "Which layer encodes the labels?",
            "Which labels are predicted correctly?",
            "How easily are the labels learned?",
            "How many neurons does it take?",
            "Which neurons detect which label?",
            "How redundant are the neurons?",
            "How the results were obtained",
        ):
            assert f">{heading}</h2>" in text
        assert len(text) < 1_000_000
        assert ">chance level</th>" in text
        assert main(["report", str(store), "--out", str(tmp_path / "no" / "page.html")]) == 1
        assert f"the folder {tmp_path / 'no'} does not exist" in capsys.readouterr().err

    @pytest.mark.usefixtures("quick")
    def test_a_report_with_the_model(self, store, tiny_bert, tiny_bert_path, tmp_path, capsys):
        page = tmp_path / "page.html"
        model = ["--model", str(tiny_bert_path)]
        assert main(["report", str(store), "--cv", "2", *model, "--out", str(page)]) == 0
        text = page.read_text(encoding="utf-8")
        assert ">Is it used?</h2>" in text
        assert "Difference of the means: the edit changes the sentence embedding by" in text
        assert "Best neurons: the edit changes the sentence embedding by" in text
        other = type(tiny_bert[0])(tiny_bert[0].config)  # with other random weights
        other.save_pretrained(tmp_path / "other")
        tiny_bert[1].save_pretrained(tmp_path / "other")
        capsys.readouterr()
        command = ["report", str(store), "--model", str(tmp_path / "other"), "--out", str(page)]
        assert main(command) == 1
        assert "does not compute the activations of the store" in capsys.readouterr().err

    def test_a_page_is_named_after_its_store(self, store, tmp_path, monkeypatch):
        from sklearn_neurox._cli import store_page

        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(store_page, "make_page", lambda *args: snx.AnalysisReport("A page"))
        assert main(["report", str(store)]) == 0
        assert (tmp_path / f"{store.name}.html").is_file()

    def test_labels_that_are_numbers(self, tmp_path, capsys):
        n = np.arange(6)
        snx.TokenActivations(
            np.ones((6, 2)), n.astype(str), n, np.zeros(6, int), layers=(0, 1), y=n + 0.5
        ).save(tmp_path / "store")
        for command in ("probe", "rank", "report"):
            assert main([command, str(tmp_path / "store")]) == 1
            assert (
                "are numbers such as 0.5, but this command requires classes"
                in capsys.readouterr().err
            )

    def test_a_missing_store_and_missing_labels(self, tiny_bert_path, tmp_path, capsys):
        assert main(["probe", str(tmp_path / "nothing")]) == 1
        assert "nothing" in capsys.readouterr().err
        (tmp_path / "words.txt").write_text("a b\n", encoding="utf-8")
        command = ["extract", str(tiny_bert_path), str(tmp_path / "words.txt")]
        assert main([*command, "--out", str(tmp_path / "store")]) == 0
        assert main(["rank", str(tmp_path / "store")]) == 1
        assert "does not contain labels" in capsys.readouterr().err

    def test_interrupted(self, monkeypatch, capsys):
        def interrupt(args):
            raise KeyboardInterrupt

        monkeypatch.setattr(parser.commands, "probe", interrupt)
        assert main(["probe", "store"]) == 130
        assert "interrupted" in capsys.readouterr().err

    def test_usage(self, capsys):
        with pytest.raises(SystemExit) as error:
            main(["--help"])
        assert error.value.code == 0
        assert "exit codes: 0 on success, 1 on invalid input" in capsys.readouterr().out


def test_targets_have_the_kind_of_the_labels():
    from sklearn_neurox._cli.ranking import find_spelling

    assert find_spelling("1", [0, 1], option="--target") == 1
    assert find_spelling("False", [True, False], option="--target") is False
    for text, labels in [("x", [0, 1]), ("01", [0, 1]), ("NOUNS", ["NOUN"]), ("1", [True])]:
        known = ", ".join(map(str, labels))
        with pytest.raises(ValueError, match=f"--target must be one of {known}, got '{text}'"):
            find_spelling(text, labels, option="--target")


def test_short_names():
    from sklearn_neurox._cli.sections import short_name

    assert short_name(snx.Neurons((2, 4), 3), 5) == "L4:2"
    assert short_name(snx.Neurons(("encoder.rnn",), 3), 2) == "encoder.rnn:2"
    assert short_name(snx.Neurons((2, 4), 3)[[5, 0]], 0) == "L4:2"


def test_settings_are_frozen():
    from sklearn_neurox._cli.study import Settings

    settings = Settings(lambda_l1=0.1)
    with pytest.raises(FrozenInstanceError):
        settings.lambda_l1 = 0.2
    assert replace(settings, n_folds=3) == Settings(lambda_l1=0.1, n_folds=3)


def test_the_fewest_neurons_that_retain_a_share():
    from sklearn_neurox._cli.study import RankedNeurons

    scores = {"top": np.array([[0.4, 0.6], [0.7, 0.9], [0.8, 0.9]])}
    curve = snx.AblationCurve(np.array([1, 2, 3]), scores, np.array([1.0, 1.0]), 4)
    ranked = RankedNeurons(
        snx.Neurons((0,), 4), snx.LinearProbeClassifier(), snx.WeightMassSelector(), curve
    )
    assert ranked.find_few(0.8) == (2, pytest.approx(0.8))
    assert ranked.find_few(0.95) == (3, pytest.approx(0.85))  # the most on the curve


def test_a_report_on_a_layer_reads_no_other_layer(store, monkeypatch):
    """Rows of all layers of a large store do not fit into memory."""
    from sklearn_neurox._cli.study import Settings, Study

    study = Study(snx.TokenActivations.load(store), Settings(n_folds=2))

    def read(tokens, rows):
        raise AssertionError("rows of all layers are read")

    monkeypatch.setattr(snx.TokenActivations, "__getitem__", read)
    report, n_left_out = study.report_labels(1)
    assert 0 <= n_left_out < len(report.labels)
    assert len(report.labels) + n_left_out < len(study.tokens)


def test_the_notes_of_an_error_are_printed(monkeypatch, capsys):
    def fail(args):
        error = ValueError("got 1 class.")
        error.add_note("The error occurred in fold 0, for the control task.")
        raise error

    monkeypatch.setattr(parser.commands, "probe", fail)
    assert main(["probe", "store"]) == 1
    expected = "error: got 1 class. The error occurred in fold 0, for the control task.\n"
    assert capsys.readouterr().err.endswith(expected)
