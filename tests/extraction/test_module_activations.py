"""Layers of any network: rows are what the layers compute."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from torch import nn

from sklearn_neurox import LayerSelector, ModuleActivations, layerwise_scores


@pytest.fixture(scope="module")
def mlp():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(64, 32),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(32, 32),
        nn.ReLU(),
        nn.Linear(32, 10),
    )


@pytest.fixture(scope="module")
def tagger():
    """Return a tagger with two bidirectional LSTM layers."""

    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(50, 12)
            self.first = nn.LSTM(12, 6, bidirectional=True)
            self.second = nn.LSTM(12, 6, bidirectional=True)

        def forward(self, ids):
            states, _ = self.first(self.embed(ids)[:, None])
            return self.second(states)[0]

    torch.manual_seed(0)
    return Tagger()


def encode(words):
    return torch.tensor([sum(word.encode()) % 50 for word in words])


SENTENCES = [["one", "two", "three"], ["four"], "five six"]


class TestRows:
    def test_an_mlp_on_digits(self, mlp):
        X, y = load_digits(return_X_y=True)
        reader = ModuleActivations(mlp, ["1", "4"], batch_size=100)
        read = reader.fit_transform(X)
        with torch.inference_mode():
            first = torch.relu(mlp[0](torch.tensor(X, dtype=torch.float32)))
            second = torch.relu(mlp[3](first))  # dropout is off in eval mode
        np.testing.assert_allclose(read, np.hstack([first, second]), atol=1e-5)
        assert reader.get_feature_names_out()[[0, 33]].tolist() == ["1_neuron_0", "4_neuron_1"]
        scores = layerwise_scores(LogisticRegression(max_iter=2000), read, y, n_layers=2, cv=2)
        assert scores.scores.shape == (2, 2)

    def test_the_module_is_not_changed(self, mlp):
        mlp.train()
        mlp[3].eval()
        modes = [module.training for module in mlp.modules()]
        before = [parameter.clone() for parameter in mlp.parameters()]
        ModuleActivations(mlp, ["4"]).fit_transform(np.ones((2, 64)))
        assert [module.training for module in mlp.modules()] == modes
        assert all(torch.equal(a, b) for a, b in zip(before, mlp.parameters(), strict=True))
        assert all(not module._forward_hooks for module in mlp.modules())

    @pytest.mark.parametrize("shared", ["the network", "a part"])
    def test_threads_that_share_a_network(self, shared):
        """Each thread gets its own rows, and the network is not changed."""
        torch.manual_seed(0)
        part = nn.Sequential(*[nn.Linear(40, 40) for _ in range(6)])
        inputs = [np.random.RandomState(i).normal(size=(64, 40)) for i in range(4)]
        nets = [nn.Sequential(part) if shared == "a part" else part for _ in inputs]
        path = "0.5" if shared == "a part" else "5"
        with torch.inference_mode():
            rows = [part(torch.tensor(X, dtype=torch.float32)).numpy() for X in inputs]
        readers = [ModuleActivations(net, [path], batch_size=4) for net in nets]

        def run(i):
            words = readers[i].extract(
                [["word"]] * 4, encode=lambda words: torch.tensor(inputs[i][:1], dtype=torch.float)
            )
            np.testing.assert_allclose(words.X, rows[i][[0] * 4], atol=1e-5)
            return readers[i].fit_transform(inputs[i])

        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(run, [0, 1, 2, 3] * 3))
        for X, expected in zip(found, rows * 3, strict=True):
            np.testing.assert_allclose(X, expected, atol=1e-5)
        for net in nets:
            assert all(module.training and not module._forward_hooks for module in net.modules())

    def test_a_convolutional_net(self):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(1, 5, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
        X = np.random.RandomState(0).normal(size=(7, 1, 8, 8)).astype(np.float32)
        with torch.inference_mode():
            maps = net[1](net[0](torch.tensor(X))).numpy()
        for pooling, expected in [
            ("mean", maps.mean(axis=(2, 3))),
            ("max", maps.max(axis=(2, 3))),
            ("last", maps[:, :, -1, -1]),
            ("flatten", maps.reshape(7, -1)),
        ]:
            read = ModuleActivations(net, ["1"], pooling=pooling, batch_size=3).fit_transform(X)
            np.testing.assert_allclose(read, expected, atol=1e-6)

    def test_sequences(self):
        torch.manual_seed(0)
        net = nn.LSTM(4, 3, batch_first=True)
        model = nn.Sequential(net)
        X = np.random.RandomState(0).normal(size=(5, 6, 4))
        with torch.inference_mode():
            states = net(torch.tensor(X, dtype=torch.float32))[0].numpy()
        for pooling, expected in [
            ("mean", states.mean(axis=1)),
            ("max", states.max(axis=1)),
            ("last", states[:, -1]),
            ("flatten", states.reshape(5, -1)),
        ]:
            read = ModuleActivations(model, ["0"], pooling=pooling).fit_transform(X)
            np.testing.assert_allclose(read, expected, atol=1e-6)

    def test_a_cell_that_runs_at_each_position(self):
        class Loop(nn.Module):
            def __init__(self):
                super().__init__()
                self.cell = nn.RNNCell(2, 3)

            def forward(self, X):
                state = torch.zeros(len(X), 3)
                for t in range(X.shape[1]):
                    state = self.cell(X[:, t], state)
                return state

        torch.manual_seed(0)
        loop = Loop()
        X = np.random.RandomState(0).normal(size=(4, 5, 2))
        with torch.inference_mode():
            last = loop(torch.tensor(X, dtype=torch.float32)).numpy()
        read = ModuleActivations(loop, ["cell"], pooling="last").fit_transform(X)
        np.testing.assert_allclose(read, last, atol=1e-6)

    def test_a_step_of_a_pipeline(self, mlp):
        X, y = load_digits(n_class=3, return_X_y=True)
        model = make_pipeline(ModuleActivations(mlp, ["4"]), LogisticRegression(max_iter=2000))
        assert cross_val_score(model, X, y, cv=2).mean() > 0.9
        cloned = clone(model[0])
        assert cloned.module is not mlp
        np.testing.assert_array_equal(cloned.fit_transform(X), model[0].fit_transform(X))


class TestWords:
    def test_one_row_per_word(self, tagger):
        tokens = ModuleActivations(tagger, ["first", "second"]).extract(
            SENTENCES, [["a", "b", "c"], ["a"], ["b", "c"]], encode=encode
        )
        assert tokens.X.shape == (6, 24)
        assert tokens.words.tolist() == ["one", "two", "three", "four", "five", "six"]
        assert tokens.sentence_ids.tolist() == [0, 0, 0, 1, 2, 2]
        assert tokens.positions.tolist() == [0, 1, 2, 0, 0, 1]
        assert tokens.y.tolist() == list("abcabc")
        with torch.inference_mode():
            states = tagger.first(tagger.embed(encode(["five", "six"]))[:, None])[0][:, 0]
        np.testing.assert_allclose(tokens.layer(0)[4:], states, atol=1e-6)

    def test_the_directions_of_a_layer(self, tagger):
        """The second word affects the backward half of the first word, and not its forward half."""
        reader = ModuleActivations(tagger, ["first"])
        first, second = (reader.extract([["a", word]], encode=encode).X for word in ("b", "c"))
        halves = {
            direction: LayerSelector(0, n_layers=1, direction=direction).fit(first)
            for direction in ("forward", "backward")
        }
        forward, backward = (
            halves[d].transform(first)[0] - halves[d].transform(second)[0]
            for d in ("forward", "backward")
        )
        assert not forward.any()
        assert backward.any()

    def test_positional_and_keyword_arguments(self, tagger):
        expected = ModuleActivations(tagger, ["second"]).extract(SENTENCES, encode=encode).X
        for give in (lambda w: (encode(w),), lambda w: {"ids": encode(w)}):
            read = ModuleActivations(tagger, ["second"]).extract(SENTENCES, encode=give).X
            np.testing.assert_array_equal(read, expected)

    def test_errors(self, tagger):
        with pytest.raises(
            ValueError,
            match=r"Sentence 0 has 3 words, but layer 'first' has an output of shape \(2, 1, 12\)",
        ):
            ModuleActivations(tagger, ["first"]).extract(
                SENTENCES, encode=lambda words: encode(words[1:])
            )
        wide = nn.Sequential(nn.Embedding(50, 4), nn.Linear(4, 5))
        with pytest.raises(ValueError, match=r"\['0', '1'\] have different widths, \[4, 5\]"):
            ModuleActivations(wide, ["0", "1"]).extract(SENTENCES, encode=encode)
        with pytest.raises(ValueError, match="Sentence 1 is empty"):
            ModuleActivations(tagger, ["first"]).extract([["a"], []], encode=encode)
        for wrong in (None, [1, 2], torch.tensor([1])):
            with pytest.raises(TypeError, match="encode must be a function from the words of a se"):
                ModuleActivations(tagger, ["first"]).extract(SENTENCES, encode=wrong)
        for wrong in ([1, 2], None, "ids", np.array([1, 2, 3])):
            with pytest.raises(
                TypeError,
                match=rf"Sentence 0: encode must return a tensor, .* {type(wrong).__name__}",
            ):
                ModuleActivations(tagger, ["first"]).extract(
                    SENTENCES, encode=lambda words, w=wrong: w
                )
        broken = nn.Sequential(nn.Embedding(50, 4))
        with torch.no_grad():
            broken[0].weight[encode(["four"])] = torch.nan
        with pytest.raises(ValueError, match="Sentence 1 has activations that are NaN or infinite"):
            ModuleActivations(broken, ["0"]).extract(SENTENCES, encode=encode)


@pytest.mark.parametrize(
    ("layers", "X", "message"),
    [
        (
            ["7"],
            np.ones((2, 64)),
            r"got '7'\. Sequential has the modules \['0', '1', '2', '3', '4', '5'\]",
        ),
        ([], np.ones((2, 64)), "layers is empty"),
        (["1", "1"], np.ones((2, 64)), "Each layer can be listed only once"),
        (
            ["1"],
            np.full((2, 64), np.nan),
            r"X contains NaN or infinity\. The first is at index \(0, 0\)",
        ),
        (["1"], np.empty((0, 64)), r"X must contain numbers .* shape \(0, 64\)"),
        (["1"], [["a"]], "X must contain numbers .* dtype <U1"),
        (
            ["1"],
            np.ones((2, 5)),
            r"Sequential does not accept inputs of shape \(5,\) and dtype float32: mat1 and mat2",
        ),
    ],
)
def test_bad_input(mlp, layers, X, message):
    with pytest.raises(ValueError, match=message):
        ModuleActivations(mlp, layers).fit(X)


def test_layers_that_do_not_run_are_named():
    class Half(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.Linear(2, 2), nn.Linear(2, 2)

        def forward(self, X):
            return self.used(X)

    with pytest.raises(ValueError, match="Layer 'unused' did not run"):
        ModuleActivations(Half(), ["unused"]).fit(np.ones((1, 2)))


def test_activations_that_overflow():
    net = nn.Sequential(nn.Linear(1, 1), nn.Identity())
    with torch.no_grad():
        net[0].weight.fill_(1e38)
    with pytest.raises(ValueError, match="Input 1 has activations that are NaN or infinite"):
        ModuleActivations(net, ["1"]).fit([[1.0]]).transform([[1.0], [1e5]])


class TestUnusualModules:
    def test_a_later_module_that_works_in_place(self):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(inplace=True))
        X = np.random.RandomState(0).normal(size=(5, 4))
        assert ModuleActivations(net, ["0"]).fit_transform(X).min() < 0

    def test_the_mean_of_bfloat16_is_not_rounded(self):
        embedding = nn.Embedding(3, 2).bfloat16()
        words = np.array([[0, 1, 2], [2, 2, 1]])
        expected = embedding(torch.tensor(words)).detach().float().mean(dim=1).numpy()
        found = ModuleActivations(nn.Sequential(embedding), ["0"]).fit_transform(words)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=1e-6)

    def test_bfloat16(self):
        net = nn.Sequential(nn.Linear(4, 3)).bfloat16()
        assert ModuleActivations(net, ["0"]).fit_transform(np.ones((2, 4))).dtype == np.float32

    def test_outputs_without_an_axis_of_inputs(self):
        net = nn.Sequential(nn.Embedding(10, 4), nn.Flatten(0, 1), nn.Linear(4, 3))
        with pytest.raises(
            ValueError, match=r"'2' has an output of shape \(4, 3\) for a batch of shape \(1, 4\)"
        ):
            ModuleActivations(net, ["2"]).fit(np.zeros((3, 4), dtype=int))

    def test_words_along_another_axis(self):
        net = nn.Sequential(nn.Conv1d(2, 6, 1))
        reader = ModuleActivations(net, ["0"])
        with pytest.raises(ValueError, match="Expected one state per word"):
            reader.extract([["a", "b", "c"]], encode=lambda words: torch.ones(1, 2, len(words)))

    def test_layers_of_one_unit(self):
        net = nn.Sequential(nn.Embedding(50, 1))
        assert ModuleActivations(net, ["0"]).extract(SENTENCES, encode=encode).X.shape == (6, 1)


class TestPadding:
    """The row of an input is that of the input alone."""

    TEXTS = ("the rain", "it fell so hard on the end of it", "so", "the end")

    @pytest.fixture
    def reader(self, tiny_bert):
        return lambda pooling: ModuleActivations(
            tiny_bert[0], ["encoder.layer.0", "encoder.layer.1"], pooling=pooling, batch_size=2
        )

    @pytest.mark.parametrize("side", ["left", "right"])
    @pytest.mark.parametrize("pooling", ["mean", "max", "last"])
    @pytest.mark.parametrize("tensors", ["pt", None])
    def test_encodings_of_a_tokenizer(self, reader, tiny_bert, side, pooling, tensors):
        padded = tiny_bert[1](
            list(self.TEXTS), padding=tensors == "pt", padding_side=side, return_tensors=tensors
        )
        rows = reader(pooling).fit_transform(padded)
        for row, text in zip(rows, self.TEXTS, strict=True):
            with torch.no_grad():
                states = tiny_bert[0](
                    **tiny_bert[1](text, return_tensors="pt"), output_hidden_states=True
                ).hidden_states
            pool = {
                "mean": lambda s: s.mean(0),
                "max": lambda s: s.amax(0),
                "last": lambda s: s[-1],
            }
            expected = [pool[pooling](state[0]) for state in states[1:]]
            np.testing.assert_allclose(row, torch.cat(expected).numpy(), atol=1e-5)

    def test_ragged_indices(self, reader, tiny_bert):
        ids = [tiny_bert[1](text)["input_ids"] for text in self.TEXTS]
        rows = reader("mean").transform(ids)
        alone = [reader("mean").transform([each])[0] for each in ids]
        np.testing.assert_allclose(rows, alone, atol=1e-5)
        tensors = reader("mean").transform([torch.tensor(each) for each in ids])
        np.testing.assert_array_equal(rows, tensors)

    @pytest.mark.parametrize(
        ("X", "message"),
        [
            ({}, "X is an empty mapping"),
            ({"input_ids": [[1, 2]], "attention_mask": [[1], [1]]}, "same number of inputs"),
            ({"input_ids": [[1, 2]], "attention_mask": [[1]]}, "Input 0: all arguments in X must"),
            (
                {"input_ids": [[1, 2]], "attention_mask": [[0, 0]]},
                "Input 0 consists of padding only",
            ),
            ({"input_ids": [[1, 2, 3]], "attention_mask": [[1, 0, 1]]}, "between others"),
            ({"input_ids": [[1, 2]], "attention_mask": [[1, 2]]}, "must contain 0 and 1"),
            ([[1, 2], []], "Input 1 is empty"),
            ([[1], [[1, 2], [3, 4]]], "All inputs in X must have the same shape"),
        ],
    )
    def test_errors(self, reader, X, message):
        with pytest.raises(ValueError, match=message):
            reader("mean").transform(X)

    def test_flattened_inputs_of_different_lengths(self, reader):
        with pytest.raises(ValueError, match="Expected the same number for all inputs"):
            reader("flatten").transform([[1, 2], [1, 2, 3]])
