"""The same weights are the same pickle, so that a cache knows them; clones share what was loaded."""

import copy
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

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
from sklearn_neurox.extraction._pickling import dumps

TEXTS = ["She ran home .", "Nobody had asked it .", "Stop !", "They never came back ."] * 3
Y = [0, 1, 0, 1] * 3


@pytest.fixture
def forwards(monkeypatch):
    """How often any BERT runs: a cache gives back models that are copies."""
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
        n_each = len(forwards) // 2  # two to see whether padding leaks, and a batch
        assert n_each == 3
        forwards.clear()
        self.search(extractor, tmp_path).fit(TEXTS, Y)
        n_scored = 6  # what a fold is scored on is not kept: three candidates, two folds
        assert len(forwards) == n_each * (2 + n_scored)
        forwards.clear()
        self.search(extractor, tmp_path).fit(TEXTS, Y)
        assert len(forwards) == n_each * n_scored

    def test_knows_a_model_that_was_loaded_again(self, tiny_bert_path, tmp_path, forwards):
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

    def test_knows_other_weights_at_an_old_path(self, tiny_bert, tmp_path):
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
        assert vars(restored) == vars(extractor)  # the stamp was for the cache alone

    def test_of_a_network_of_one_s_own(self, tmp_path):
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


class TestBytes:
    def test_they_are_the_same_in_another_process(self, tiny_bert_path):
        """Where strings have other hashes, and sets another order."""
        code = (
            "import sys, hashlib, transformers;"
            "from sklearn_neurox.extraction._pickling import dumps;"
            "kinds = transformers.AutoModel, transformers.AutoTokenizer;"
            "parts = [kind.from_pretrained(sys.argv[1]) for kind in kinds];"
            "print(*[hashlib.sha256(dumps(part)).hexdigest() for part in parts])"
        )
        run = partial(subprocess.run, capture_output=True, text=True, check=True)
        found = {
            run(
                [sys.executable, "-c", code, str(tiny_bert_path)], env={"PYTHONHASHSEED": seed}
            ).stdout
            for seed in ("1", "2")
        }
        assert len(found) == 1
        assert len(found.pop().split()) == 2

    def test_use_changes_nothing(self, tiny_bert):
        """Even a model that was asked for all its states, in which transformers leaves hooks."""
        model, tokenizer = copy.deepcopy(tiny_bert)
        before = dumps(model), dumps(tokenizer)
        inputs = tokenizer(["a b", "c"], padding=True, return_tensors="pt")
        tokenizer("a b c", truncation=True, max_length=3)
        with torch.no_grad():
            states = model(**inputs, output_hidden_states=True).hidden_states
        ActivationExtractor(model, tokenizer).extract(["a b", "c"])
        ActivationExtractor(model, tokenizer, random_weights=True).transform(["a b", "c"])
        with pytest.raises((AttributeError, pickle.PicklingError), match="local"):
            pickle.dumps(model)
        assert (dumps(model), dumps(tokenizer)) == before
        restored = pickle.loads(dumps(model))
        with torch.no_grad():
            again = restored(**inputs, output_hidden_states=True).hidden_states
        assert len(again) == 3
        assert all(torch.equal(a, b) for a, b in zip(states, again, strict=True))

    def test_tensors_come_back(self):
        torch.manual_seed(0)
        network = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)).bfloat16()
        network[1].weight = network[0].weight  # tied
        network[0].bias.requires_grad_(False)
        network.register_buffer("turned", torch.arange(6.0).reshape(2, 3).T)
        network.register_buffer("part", network.turned[1:])
        again = pickle.loads(dumps(network))
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
        assert dumps(pickle.loads(dumps(network))) == dumps(network)

    def test_recurrent_layers_come_back(self):
        lstm = torch.nn.LSTM(3, 4, num_layers=2, bidirectional=True)
        X = torch.randn(5, 3)
        again = pickle.loads(dumps(lstm))
        assert torch.equal(again(X)[0], lstm(X)[0])
        assert again._flat_weights[0] is again.weight_ih_l0

    def test_hooks_of_one_s_own_stay(self):
        """They may change what a layer gives; without them it would be another network."""
        network = torch.nn.Sequential(torch.nn.Linear(2, 2))
        network[0].register_forward_hook(lambda module, args, output: output * 0)
        again = pickle.loads(dumps(network))
        assert not again(torch.ones(1, 2)).any()

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
        """The hooks of one would catch what another runs."""
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


# What the checks feed are numbers, and without text there is little to check.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_sklearn_compatible(tiny_bert):
    check_estimator(ActivationExtractor(*tiny_bert))
