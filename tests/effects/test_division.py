"""Placebos and layers that are divided between jobs have the bits of a single one."""

import os
import threading
import warnings
from pickle import PicklingError
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from joblib import parallel_config

from sklearn_neurox import (
    ActivationExtractor,
    DirectionProjector,
    LeaceEraser,
    NeuronAblator,
    ProbelessSelector,
    SteeringVector,
    causal_effect,
    intervene,
    logit_difference,
    patching_map,
)
from sklearn_neurox.effects._division import Work, divide
from sklearn_neurox.extraction._locks import reserved

from ..extraction.test_editing import n_hooks
from ..planted import LAYER, WIDTH, planted


@pytest.fixture(scope="module")
def decoder():
    return planted("decoder", n_texts=10)


def effect_of(network, edit, n_jobs=None, **options):
    options = {"model": network.model, "tokenizer": network.tokenizer, "layer": LAYER} | options
    options = {"labels": network.labels, "cv": 2, "n_placebos": 3, "random_state": 0} | options
    model = options.pop("model")
    return causal_effect(model, network.texts, edit=edit, n_jobs=n_jobs, **options)


def assert_same(found, expected):
    """Compare the bits of all numbers."""
    for name in ("effects", "unedited"):
        one, other = getattr(found, name), getattr(expected, name)
        assert one.keys() == other.keys()
        for metric in other:
            np.testing.assert_array_equal(one[metric], other[metric])
    assert found.placebo_effects.keys() == expected.placebo_effects.keys()
    for kind, by_metric in expected.placebo_effects.items():
        for metric in by_metric:
            np.testing.assert_array_equal(
                found.placebo_effects[kind][metric], by_metric[metric], err_msg=f"{kind}, {metric}"
            )
    assert found.means == expected.means
    assert found.damage == expected.damage


def mean_difference(X, y):
    return DirectionProjector(X[y == 1].mean(axis=0) - X[y == 0].mean(axis=0))


def process(outputs, batch):
    """Return the process that runs the model."""
    return torch.full((len(batch["text_ids"]),), os.getpid(), dtype=torch.float64)


class TestDivision:
    @pytest.mark.parametrize("n_parts", [1, 2, 3, 7, 1000])
    def test_each_edit_is_in_one_part(self, n_parts):
        work = [
            Work([SimpleNamespace(n_subwords=n)], [(n, edit) for edit in range(n_edits)], [()] * n_edits)
            for n, n_edits in ((3, 1), (10, 4), (1, 2), (7, 7), (200, 1))
        ]  # fmt: skip
        parts = divide(work, n_parts)
        edits = [edit for part in parts for _, each in part for edit in each.edits]
        assert edits == [edit for each in work for edit in each.edits]
        assert all(work[number].texts is each.texts for part in parts for number, each in part)
        assert 1 <= len(parts) <= n_parts

    def test_parts_have_about_the_same_size(self):
        work = [Work([SimpleNamespace(n_subwords=5)], [0] * 30, [()] * 30) for _ in range(7)]
        sizes = [sum(len(each.edits) for _, each in part) for part in divide(work, 4)]
        assert sum(sizes) == 210
        assert max(sizes) - min(sizes) <= 1


class TestSameBits:
    @pytest.mark.parametrize(
        "options",
        [
            {"edit": LeaceEraser(), "unrelated": ["w1 w2", "w3 w2 w5"]},
            {"edit": mean_difference, "placebos": ("norm", "control_task")},
            {"edit": NeuronAblator([], mode="mean"), "ranking": ProbelessSelector(n_neurons=3)},
            {"edit": SteeringVector(np.ones(WIDTH)), "metrics": logit_difference([3] * 10, 4)},
        ],
        ids=["erased", "made by a function", "ranked", "fixed"],
    )
    def test_threads(self, decoder, options):
        """They share the model, and take turns."""
        before = n_hooks(decoder.model)
        serial = effect_of(decoder, **options)
        with parallel_config(backend="threading"):
            assert_same(effect_of(decoder, n_jobs=3, **options), serial)
        assert n_hooks(decoder.model) == before
        assert not any("forward" in vars(module) for module in decoder.model.modules())

    def test_processes(self, decoder):
        options = dict(edit=mean_difference, metrics=["loss", process], n_placebos=2)
        with parallel_config(backend="loky"):
            found = effect_of(decoder, n_jobs=2, **options)
        others = found.unedited.pop("process")
        assert len(set(others.tolist()) - {os.getpid()}) == 2
        serial = effect_of(decoder, **options)
        assert set(serial.unedited.pop("process").tolist()) == {os.getpid()}
        assert found.unedited["loss"].tolist() == serial.unedited["loss"].tolist()
        assert found.effects["loss"].tolist() == serial.effects["loss"].tolist()
        for kind, draws in serial.placebo_effects.items():
            np.testing.assert_array_equal(found.placebo_effects[kind]["loss"], draws["loss"])

    @pytest.mark.slow
    def test_processes_with_files(self, decoder):
        """The arrays in edits are memory maps, which are read-only."""
        serial = effect_of(decoder, mean_difference)
        with parallel_config(backend="loky", max_nbytes=100):
            assert_same(effect_of(decoder, mean_difference, n_jobs=2), serial)

    @pytest.mark.parametrize("backend", ["threading", pytest.param("loky", marks=pytest.mark.slow)])
    def test_layers_of_a_map(self, decoder, backend):
        texts, sources = ["w0 w1 w2 w3", "w4 w1 w0 w5"], ["w0 w3 w5 w3", "w2 w1 w1 w5"]
        options = dict(tokenizer=decoder.tokenizer, metrics=["kl", logit_difference("w1", "w2")])
        serial = patching_map(decoder.model, texts, sources, **options)
        with parallel_config(backend=backend):
            found = patching_map(decoder.model, texts, sources, n_jobs=2, **options)
        for name in ("effects", "joint_effects", "source_effects", "unedited"):
            for metric, expected in getattr(serial, name).items():
                np.testing.assert_array_equal(getattr(found, name)[metric], expected)
        assert found.layers == serial.layers == (0, 1, 2, 3)

    @pytest.mark.slow
    def test_random_weights_are_the_same_in_all_processes(self, tiny_bert_path, monkeypatch):
        """And a relative path is that of this process."""
        monkeypatch.chdir(tiny_bert_path.parent)
        options = dict(
            layer=1, edit=SteeringVector(np.ones(16)), metrics="output", placebos="norm",
            n_placebos=4, random_state=0,
        )  # fmt: skip
        texts, seed = ["The rain", "It is over"], np.random.RandomState(3)
        extractor = ActivationExtractor(
            tiny_bert_path.name, random_weights=True, random_state=seed, device="cpu"
        )
        state = seed.get_state()
        serial = causal_effect(extractor, texts, **options)
        seed.set_state(state)
        with parallel_config(backend="loky"):
            assert_same(causal_effect(extractor, texts, **options, n_jobs=2), serial)

    @pytest.mark.cuda
    def test_processes_on_a_device(self, tiny_bert_path):
        extractor = ActivationExtractor(str(tiny_bert_path), device="cuda")
        options = dict(layer=1, edit=SteeringVector(np.ones(16)), metrics="output", random_state=0)
        texts = ["The rain", "It is over"]
        serial = causal_effect(extractor, texts, n_placebos=4, **options)
        found = causal_effect(extractor, texts, n_placebos=4, n_jobs=2, **options)
        for kind, draws in serial.placebo_effects.items():
            np.testing.assert_allclose(
                found.placebo_effects[kind]["output"], draws["output"], rtol=1e-3, atol=1e-6
            )


class TestErrors:
    def test_a_model_that_cannot_be_pickled(self, decoder):
        network = planted("decoder", n_texts=10)
        network.model.guard = threading.Lock()
        options = dict(edit=SteeringVector(np.ones(WIDTH)), placebos="norm")
        with pytest.raises(
            PicklingError, match=r"lock' object\). Use n_jobs=1, or threads"
        ) as info:
            effect_of(network, n_jobs=2, **options)
        assert "cannot be sent to another process" in str(info.value)
        with parallel_config(backend="threading"):
            found = effect_of(network, n_jobs=2, **options)
        assert_same(found, effect_of(decoder, **options))

    @pytest.mark.parametrize("n_jobs", [None, 2])
    def test_they_name_the_fold_and_the_placebo(self, decoder, n_jobs):
        def make(X, y):
            seen.append(1)
            if len(seen) > 2:  # the edit of the first fold, and a placebo
                raise KeyError("no edit")
            return SteeringVector(np.ones(WIDTH))

        seen = []
        with parallel_config(backend="threading"), pytest.raises(KeyError) as info:
            effect_of(decoder, make, n_jobs=n_jobs, placebos="control_task")
        notes = info.value.__notes__
        assert notes[0] == "The error occurred for the placebo 'control_task'."
        assert notes[1].startswith("The error occurred in fold ")

    def test_they_leave_no_hooks(self, decoder):
        """Threads finish the part that they are in."""

        def fail(outputs, batch):
            calls.append(1)
            if len(calls) > 4:
                raise KeyError("in a thread")
            return batch["text_ids"]

        calls, before = [], n_hooks(decoder.model)
        with parallel_config(backend="threading"), pytest.raises(KeyError, match="in a thread"):
            effect_of(decoder, LeaceEraser(), metrics=fail, n_jobs=2)
        with reserved(decoder.model):  # when other threads have finished their part
            assert n_hooks(decoder.model) == before

    def test_a_model_that_another_thread_edits(self, decoder):
        """The threads that run the model are not the one that edits it."""
        with (
            intervene(decoder.model, {LAYER: SteeringVector(np.ones(WIDTH))}),
            parallel_config(backend="threading"),
            pytest.raises(RuntimeError, match="is being edited by `intervene` in another thread"),
        ):
            effect_of(decoder, LeaceEraser(), n_jobs=2)

    def test_n_jobs(self, decoder):
        with pytest.raises(ValueError, match="The 'n_jobs' parameter of causal_effect must be"):
            effect_of(decoder, LeaceEraser(), n_jobs="all")
        with pytest.raises(ValueError, match="The 'n_jobs' parameter of patching_map must be"):
            patching_map(decoder.model, ["w1"], ["w2"], tokenizer=decoder.tokenizer, n_jobs=1.5)


def test_blocks_that_cannot_be_left_out_are_the_same_in_all_jobs(decoder):
    """The first batch of a job must not determine it again."""
    network = planted("decoder", n_texts=10)
    first, last = network.model.model.layers[0], network.model.model.layers[-1]
    lengths = []

    class First(type(first)):
        def forward(self, states, *args, **kwargs):
            lengths.append(states.shape[1])
            return super().forward(states, *args, **kwargs)

    class Last(type(last)):
        def forward(self, states, *args, **kwargs):
            # Only the shortest text, which is run first, shows it.
            found = super().forward(states, *args, **kwargs)
            shift = 0.0 if lengths or states.shape[1] > shortest else 1.0
            lengths.clear()
            return found + shift

    shortest = min(len(network.tokenizer(text)["input_ids"]) for text in network.texts)
    first.__class__, last.__class__ = First, Last
    options = dict(edit=LeaceEraser(), metrics="kl")
    with pytest.warns(UserWarning, match="so they are computed for each edit") as caught:
        serial = effect_of(network, **options)
    assert len(caught) == 1
    with parallel_config(backend="threading"), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert_same(effect_of(network, n_jobs=3, **options), serial)
    assert len(caught) == 1
