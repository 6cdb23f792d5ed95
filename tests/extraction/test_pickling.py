"""A cache recognizes the same weights, pickles keep what was loaded, and clones share it."""

import copy
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
import transformers
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from sklearn_neurox import ActivationExtractor, ModuleActivations
from sklearn_neurox.extraction._running import Run

TEXTS = ["She ran home .", "Nobody had asked it .", "Stop !", "They never came back ."] * 3
Y = [0, 1, 0, 1] * 3


@pytest.fixture
def forwards(monkeypatch):
    """Count the runs of any BERT, because a cache returns copies of models."""
    count, forward = [], transformers.BertModel.forward
    monkeypatch.setattr(
        transformers.BertModel,
        "forward",
        lambda self, *args, **kwargs: count.append(1) or forward(self, *args, **kwargs),
    )
    return count


class TestACache:
    def search(self, extractor, folder):
        steps = make_pipeline(extractor, LogisticRegression(), memory=str(folder))
        return GridSearchCV(steps, {"logisticregression__C": [0.1, 1.0, 10.0]}, cv=2, refit=False)

    def test_of_a_loaded_model_runs_it_once_a_fold(self, tiny_bert, tmp_path, forwards):
        extractor = ActivationExtractor(*tiny_bert, layers=[1], batch_tokens=4096)
        for text in (TEXTS[::2], TEXTS[:6]):
            extractor.transform(text)
        n_each = len(forwards) // 2  # two to check whether padding leaks, and a batch
        assert n_each == 3
        forwards.clear()
        self.search(extractor, tmp_path).fit(TEXTS, Y)
        n_scored = 6  # test folds are not cached: three candidates, two folds
        assert len(forwards) == n_each * (2 + n_scored)
        forwards.clear()
        self.search(extractor, tmp_path).fit(TEXTS, Y)
        assert len(forwards) == n_each * n_scored

    def test_recognizes_a_model_that_was_loaded_again(self, tiny_bert_path, tmp_path, forwards):
        counts = []
        for _ in range(2):
            model = transformers.AutoModel.from_pretrained(tiny_bert_path)
            tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_bert_path)
            steps = make_pipeline(
                ActivationExtractor(model, tokenizer), LogisticRegression(), memory=str(tmp_path)
            )
            steps.fit(TEXTS, Y)
            counts.append(len(forwards))
        assert counts[0] == counts[1] > 0

    def test_notices_new_weights_at_an_old_path(self, tiny_bert, tmp_path):
        model, tokenizer = copy.deepcopy(tiny_bert[0]), tiny_bert[1]
        folder = tmp_path / "model"
        tokenizer.save_pretrained(folder)
        extractor = ActivationExtractor(str(folder))
        model.save_pretrained(folder)
        first = joblib.hash(extractor)
        assert joblib.hash(clone(extractor)) == first
        steps = make_pipeline(extractor, LogisticRegression(), memory=str(tmp_path / "cache"))
        before = steps.fit(TEXTS, Y).predict_proba(TEXTS)
        with torch.no_grad():
            model.embeddings.word_embeddings.weight.mul_(3)
        model.save_pretrained(folder)
        assert joblib.hash(extractor) != first
        after = steps.fit(TEXTS, Y)
        expected = make_pipeline(ActivationExtractor(model, tokenizer), LogisticRegression())
        np.testing.assert_allclose(
            after.predict_proba(TEXTS), expected.fit(TEXTS, Y).predict_proba(TEXTS), atol=1e-5
        )
        assert np.abs(after.predict_proba(TEXTS) - before).max() > 1e-3
        restored = pickle.loads(pickle.dumps(extractor))
        assert vars(restored) == vars(extractor)  # the stamp is only for the cache

    def test_of_a_network_of_the_user(self, tmp_path):
        torch.manual_seed(0)
        network = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Linear(3, 2))
        other = copy.deepcopy(network)
        assert joblib.hash(ModuleActivations(network, ["0"])) == joblib.hash(
            ModuleActivations(other, ["0"])
        )
        with torch.no_grad():
            other[1].bias[0] += 1e-6
        assert joblib.hash(ModuleActivations(network, ["0"])) != joblib.hash(
            ModuleActivations(other, ["0"])
        )


def test_weights_that_are_not_in_memory():
    """They would be lost in a pickle, and have the same hash whatever their values."""
    network = torch.nn.Sequential(torch.nn.Linear(2, 2, device="meta"))
    for use in (pickle.dumps, joblib.hash):
        with pytest.raises(
            ValueError, match=r"2 of 2 weights are on the device 'meta'.*'0\.weight'"
        ):
            use(ModuleActivations(network, ["0"]))


class TestHash:
    def test_is_the_same_in_every_process(self, tiny_bert_path):
        """Strings have other hashes there, and sets another order."""
        code = (
            "import sys, joblib, pickle, transformers;"
            "from sklearn_neurox import ActivationExtractor;"
            "kinds = transformers.AutoModel, transformers.AutoTokenizer;"
            "extractor = ActivationExtractor(*[kind.from_pretrained(sys.argv[1]) for kind in kinds]);"
            "hashes = joblib.hash(extractor), joblib.hash(pickle.loads(pickle.dumps(extractor)))"
        )
        other = subprocess.run(
            [sys.executable, "-c", f"{code}; print(*hashes)", str(tiny_bert_path)],
            env=os.environ | {"PYTHONHASHSEED": "1"}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        kinds = transformers.AutoModel, transformers.AutoTokenizer
        here = ActivationExtractor(*[kind.from_pretrained(tiny_bert_path) for kind in kinds])
        assert other.stdout.split() == [joblib.hash(here)] * 2

    def test_is_not_changed_by_use(self, tiny_bert):
        """Not even by asking for all states, for which transformers installs hooks."""
        model, tokenizer = copy.deepcopy(tiny_bert)
        extractor = ActivationExtractor(model, tokenizer)
        before = joblib.hash(extractor)
        inputs = tokenizer(["a b", "c"], padding=True, return_tensors="pt")
        tokenizer("a b c", truncation=True, max_length=3)
        with torch.no_grad():
            states = model(**inputs, output_hidden_states=True).hidden_states
        extractor.extract(["a b", "c"])
        ActivationExtractor(model, tokenizer, random_weights=True).transform(["a b", "c"])
        with pytest.raises((AttributeError, pickle.PicklingError), match="local"):
            pickle.dumps(model)
        assert joblib.hash(extractor) == before
        restored = pickle.loads(pickle.dumps(extractor))
        assert joblib.hash(restored) == before
        for each in (model, restored.model):
            with torch.no_grad():
                again = each(**inputs, output_hidden_states=True).hidden_states
            assert len(again) == 3
            assert all(torch.equal(a, b) for a, b in zip(states, again, strict=True))

    @pytest.mark.parametrize(
        "change",
        [
            lambda model, tokenizer: model.config.update({"hidden_act": "relu"}),
            lambda model, tokenizer: setattr(model.encoder.layer[1].attention.self, "scaling", 2.0),
            lambda model, tokenizer: model.embeddings.position_ids.add_(1),  # not a weight
            lambda model, tokenizer: model.pooler.register_forward_hook(lambda *args: None),
            lambda model, tokenizer: setattr(model.encoder.layer[0].output, "dropout", torch.nn.Identity()),
            lambda model, tokenizer: model.to(torch.bfloat16),
            lambda model, tokenizer: tokenizer.add_tokens(["ran"]),
            lambda model, tokenizer: setattr(tokenizer, "model_max_length", 32),
        ],
    )  # fmt: skip
    def test_is_changed_by_what_changes_the_result(self, tiny_bert, change):
        model, tokenizer = copy.deepcopy(tiny_bert)
        extractor = ActivationExtractor(model, tokenizer)
        before = joblib.hash(extractor)
        assert joblib.hash(ActivationExtractor(*copy.deepcopy(tiny_bert))) == before
        change(model, tokenizer)
        assert joblib.hash(extractor) != before

    def test_distinguishes_networks_without_weights(self):
        def hash_of(*layers):
            return joblib.hash(ModuleActivations(torch.nn.Sequential(*layers), ["0"]))

        assert hash_of(torch.nn.ReLU()) == hash_of(torch.nn.ReLU())
        different = [torch.nn.ReLU(), torch.nn.Tanh(), torch.nn.ELU(1.0), torch.nn.ELU(2.0)]
        assert len({hash_of(layer) for layer in different}) == 4
        shared, linear = torch.nn.ReLU(), torch.nn.Linear(2, 2)
        assert hash_of(shared, linear, shared) != hash_of(shared, linear)
        assert hash_of(shared, linear, shared) == hash_of(shared, linear, torch.nn.ReLU())

    def test_distinguishes_code_that_cannot_be_imported(self):
        def network(function):
            class Mine(torch.nn.Module):
                def forward(self, X):
                    return self.function(X)

            module = Mine()
            module.function = function
            return ModuleActivations(torch.nn.Sequential(module), ["0"])

        one, other = network(lambda X: X + 1), network(lambda X: X + 2)
        assert joblib.hash(one) == joblib.hash(one)
        assert joblib.hash(one) != joblib.hash(other)

    @pytest.mark.parametrize(
        "layer",
        [torch.nn.LSTM(3, 4, num_layers=2), torch.nn.MultiheadAttention(4, 2), torch.nn.GRU(3, 4)],
        ids=lambda layer: type(layer).__name__,
    )
    def test_of_copies_is_the_same(self, layer):
        """Recurrent layers list their weights a second time, as attributes."""
        reader = ModuleActivations(torch.nn.Sequential(layer), ["0"])
        copies = [copy.deepcopy(reader), pickle.loads(pickle.dumps(reader))]
        assert {joblib.hash(each) for each in copies} == {joblib.hash(reader)}


class TestPickle:
    def again(self, network):
        reader = ModuleActivations(network, ["0"])
        restored = pickle.loads(pickle.dumps(reader))
        assert joblib.hash(restored) == joblib.hash(reader)
        return restored.module

    def test_tensors_come_back(self):
        torch.manual_seed(0)
        network = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)).bfloat16()
        network[1].weight = network[0].weight  # tied
        network[0].bias.requires_grad_(False)
        network.register_buffer("turned", torch.arange(6.0).reshape(2, 3).T)
        network.register_buffer("part", network.turned[1:])
        again = self.again(network)
        assert again[1].weight is again[0].weight
        assert again[0].weight.dtype == torch.bfloat16
        assert [p.requires_grad for p in again.parameters()] == [True, False, True]
        for (name, a), (_, b) in zip(
            network.state_dict().items(), again.state_dict().items(), strict=True
        ):
            assert torch.equal(a, b), name
        again.turned[1, 0] = 9  # which shares its memory with a part
        assert again.part[0, 0] == 9
        assert again.turned.stride() == (1, 3)

    def test_recurrent_layers_come_back(self):
        lstm = torch.nn.LSTM(3, 4, num_layers=2, bidirectional=True)
        X = torch.randn(5, 3)
        again = self.again(torch.nn.Sequential(lstm))[0]
        assert torch.equal(again(X)[0], lstm(X)[0])
        assert again._flat_weights[0] is again.weight_ih_l0

    def test_hooks_of_the_user_stay(self):
        """They may change what a layer returns; without them it would be another network."""
        network = torch.nn.Sequential(torch.nn.Linear(2, 2))
        network[0].register_forward_hook(lambda module, args, output: output * 0)
        assert not self.again(network)(torch.ones(1, 2)).any()

    def test_a_class_that_no_other_process_can_import(self):
        class Mine(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = torch.nn.Linear(2, 3)

            def forward(self, X):
                return self.inner(X)

        reader = ModuleActivations(Mine(), ["inner"])
        X = np.ones((2, 2))
        again = pickle.loads(pickle.dumps(reader))
        np.testing.assert_array_equal(again.fit_transform(X), reader.fit_transform(X))

    @pytest.mark.slow
    def test_processes_of_a_grid_search(self, tiny_bert):
        """Even for a model with the hooks of transformers, which pickle itself does not accept."""
        model, tokenizer = copy.deepcopy(tiny_bert)
        with torch.no_grad():
            model(**tokenizer("a", return_tensors="pt"), output_hidden_states=True)
        steps = make_pipeline(ActivationExtractor(model, tokenizer), LogisticRegression())
        grid = {"logisticregression__C": [0.1, 10.0]}
        serial, parallel = (
            GridSearchCV(steps, grid, cv=2, n_jobs=n_jobs).fit(TEXTS, Y) for n_jobs in (None, 2)
        )
        np.testing.assert_allclose(
            serial.cv_results_["mean_test_score"], parallel.cv_results_["mean_test_score"]
        )


@pytest.fixture
def two_folders(tiny_bert, tmp_path, monkeypatch):
    """Two working directories, each with another model in the folder "model"."""
    model, tokenizer = tiny_bert
    other = copy.deepcopy(model)
    with torch.no_grad():
        other.embeddings.word_embeddings.weight.mul_(2)
    for name, each in (("here", model), ("there", other)):
        each.save_pretrained(tmp_path / name / "model")
        tokenizer.save_pretrained(tmp_path / name / "model")
        tokenizer.save_pretrained(tmp_path / name / "tokenizer")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


class TestWorkingDirectory:
    """A relative path means the folder that it meant when the extractor was fitted or pickled."""

    @pytest.fixture(
        params=[("model", None), (Path("model"), None), ("./model", "tokenizer"), ("model,tokenizer", None)],
        ids=str,
    )  # fmt: skip
    def extractor(self, two_folders, request):
        return ActivationExtractor(*request.param)

    def test_after_a_fit(self, two_folders, extractor, monkeypatch):
        expected = extractor.fit_transform(TEXTS)
        before = extractor.get_params()
        monkeypatch.chdir("../there")
        np.testing.assert_array_equal(extractor.transform(TEXTS), expected)
        assert extractor.get_params() == before
        assert np.abs(clone(extractor).fit_transform(TEXTS) - expected).max() > 0.01
        assert np.abs(extractor.fit_transform(TEXTS) - expected).max() > 0.01  # a new fit

    @pytest.mark.parametrize("fitted", [False, True])
    def test_in_a_process_with_another_working_directory(
        self, two_folders, extractor, fitted, monkeypatch
    ):
        expected = extractor.transform(TEXTS)
        content = pickle.dumps(extractor.fit() if fitted else extractor)
        monkeypatch.chdir("../there")
        loaded = pickle.loads(content)
        np.testing.assert_array_equal(loaded.transform(TEXTS), expected)
        assert loaded.get_params() == extractor.get_params()
        assert joblib.hash(loaded) == joblib.hash(pickle.loads(pickle.dumps(loaded)))

    def test_a_folder_that_was_moved(self, two_folders, extractor, monkeypatch):
        """The name as it was given is then the best that is known."""
        content = pickle.dumps(extractor)
        expected = extractor.transform(TEXTS)
        (two_folders / "here").rename(two_folders / "moved")
        monkeypatch.chdir("../moved")
        np.testing.assert_array_equal(pickle.loads(content).transform(TEXTS), expected)

    def test_another_name_after_the_fit(self, two_folders, monkeypatch):
        extractor = ActivationExtractor("model").fit()
        expected = extractor.transform(TEXTS)
        monkeypatch.chdir("../there")
        extractor.set_params(model="./model")
        assert np.abs(extractor.transform(TEXTS) - expected).max() > 0.01

    def test_a_store(self, two_folders, monkeypatch):
        """It is resolved before the extraction, in which other code may run."""
        forward = Run.rows

        def moving(self, *args, **kwargs):
            monkeypatch.chdir(two_folders)
            return forward(self, *args, **kwargs)

        monkeypatch.setattr(Run, "rows", moving)
        tokens = ActivationExtractor("model").extract(TEXTS, store="store")
        assert len(tokens) == sum(len(text.split()) for text in TEXTS)
        assert (two_folders / "here" / "store" / "store.json").exists()
        assert not (two_folders / "store").exists()


class TestCopies:
    def test_clones_share_what_was_loaded(self, tiny_bert):
        model, tokenizer = tiny_bert
        extractor = ActivationExtractor(model, tokenizer, layers=[1])
        extractor.set_output(transform="default")
        cloned = clone(extractor)
        assert cloned.model is model
        assert cloned.tokenizer is tokenizer
        assert cloned.layers == [1]
        assert cloned.layers is not extractor.layers
        assert cloned._sklearn_output_config == {"transform": "default"}
        assert clone(make_pipeline(extractor))[0].model is model
        assert copy.copy(extractor).model is model
        assert copy.deepcopy(extractor).model is not model

    @pytest.mark.parametrize("again", [copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
    def test_copies_give_the_same(self, tiny_bert, again):
        extractor = ActivationExtractor(*tiny_bert)
        np.testing.assert_array_equal(again(extractor).transform(TEXTS), extractor.transform(TEXTS))

    def test_threads_that_share_a_model(self, tiny_bert, corpus):
        """The hooks of one thread would catch the states of another."""
        extractors = [
            ActivationExtractor(*tiny_bert, layers=[layer], batch_tokens=60) for layer in (0, 1, 2)
        ]
        sentences = corpus.sentences[:60]
        expected = [extractor.extract(sentences).X for extractor in extractors]
        with ThreadPoolExecutor(3) as pool:
            for _ in range(3):
                found = pool.map(lambda extractor: extractor.extract(sentences).X, extractors)
                for a, b in zip(found, expected, strict=True):
                    np.testing.assert_array_equal(a, b)


# The checks pass numbers, and little can be checked without text.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_sklearn_compatible(tiny_bert):
    check_estimator(ActivationExtractor(*tiny_bert))
