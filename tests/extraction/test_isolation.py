"""Networks that change while they run: each call starts from the same state, which is kept."""

import copy
import random
import subprocess
import sys
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Semaphore, Thread

import numpy as np
import pytest
import torch
import transformers as t
from torch import nn

from sklearn_neurox import ActivationExtractor, ModuleActivations
from sklearn_neurox.extraction._isolation import isolated

from .small_models import SMALL, byte_level_bpe

WORDS = [["a"] * 96, ["b", "c"], ["a"] * 96]


@pytest.fixture(scope="module")
def tokenizer(corpus):
    tokenizer = byte_level_bpe(corpus, bos_token="<s>", eos_token="</s>")
    tokenizer.model_max_length = 200
    return tokenizer


def content(model):
    """Return everything about a network, including attributes, hooks and modes."""
    tensors = [*model.named_parameters(), *model.named_buffers()]
    return (
        {name: tensor.clone() for name, tensor in tensors},
        [
            (path, type(module), {name: id(value) for name, value in vars(module).items()})
            for path, module in model.named_modules()
        ],
        [(dict(m._forward_hooks), dict(m._forward_pre_hooks)) for m in model.modules()],
        copy.deepcopy(model.config.to_dict()) if hasattr(model, "config") else None,
    )


def assert_unchanged(model, before):
    after = content(model)
    assert after[0].keys() == before[0].keys()
    for name, tensor in before[0].items():
        assert torch.equal(after[0][name], tensor), name
    assert after[1:] == before[1:]


def big_bird():
    options = SMALL | dict(max_position_embeddings=200)
    return t.BigBirdModel(
        t.BigBirdConfig(vocab_size=500, block_size=8, num_random_blocks=1, **options)
    )


def phi():
    rope = dict(
        rope_type="longrope", factor=4.0, rope_theta=1e4, short_factor=[1.0] * 4,
        long_factor=[4.0] * 4, original_max_position_embeddings=32,
    )  # fmt: skip
    options = SMALL | dict(max_position_embeddings=128)
    return t.Phi3Model(
        t.Phi3Config(
            vocab_size=500, pad_token_id=0, original_max_position_embeddings=32,
            rope_parameters=rope, **options,
        )
    )  # fmt: skip


def rwkv():
    return t.RwkvModel(
        t.RwkvConfig(
            vocab_size=500, hidden_size=16, num_hidden_layers=4, attention_hidden_size=16,
            intermediate_size=24, rescale_every=2, context_length=200,
        )
    )  # fmt: skip


@pytest.mark.parametrize("build", [big_bird, phi, rwkv])
@pytest.mark.filterwarnings("ignore:.* lets padding affect the states")
def test_states_do_not_depend_on_what_ran_before(tokenizer, build):
    torch.manual_seed(0)
    model = build()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.normal_(0, 0.3)
    before = content(model)
    long, short, _ = WORDS
    extractor = ActivationExtractor(model, tokenizer)
    fresh = [
        ActivationExtractor(copy.deepcopy(model), tokenizer).extract([words]).X
        for words in (long, short)
    ]
    for words, expected in ((long, fresh[0]), (short, fresh[1]), (long, fresh[0])):
        np.testing.assert_array_equal(extractor.extract([words]).X, expected)
    together = extractor.extract(WORDS).X
    np.testing.assert_allclose(together, np.vstack([*fresh, fresh[0]]), atol=1e-5)
    assert_unchanged(model, before)


def test_the_sparse_attention_of_big_bird_is_that_of_transformers(tokenizer):
    """A short sentence does not turn it off for the long ones."""
    torch.manual_seed(0)
    model = big_bird().eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.normal_(0, 0.3)
    long, short, _ = WORDS
    ids = torch.tensor([tokenizer(long, is_split_into_words=True).input_ids])
    with torch.no_grad():
        sparse = copy.deepcopy(model)(ids).last_hidden_state[0].numpy()
        full = copy.deepcopy(model)
        full.set_attention_type("original_full")
        assert np.abs(full(ids).last_hidden_state[0].numpy() - sparse).max() > 0.01
    extractor = ActivationExtractor(model, tokenizer, layers=[3])
    extractor.extract([short])
    np.testing.assert_allclose(extractor.extract([long]).X, sparse, atol=1e-5)


class Changing(nn.Module):
    """Change in every way that a network of a user may change."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(3))
        self.plain = torch.zeros(3)
        self.calls, self.seen, self.cache, self.names = 0, [], {"states": {}}, {"a"}
        self.pair = ([], 0)
        self.embedding = nn.Embedding(5, 3, max_norm=0.5)
        self.layer = self.unused = nn.Identity()

    def forward(self, ids):
        self.calls += 1
        self.mean.add_(1)
        self.plain += 1
        self.seen.append(self.calls)
        self.pair[0].append(1)
        self.names.add(f"call {self.calls}")
        self.cache["states"][self.calls] = ids
        self.layer = nn.Identity()
        self.new, self.extra = nn.Linear(3, 3), torch.ones(3)
        del self.unused
        offset = self.calls + self.mean.sum() + self.plain.sum() + len(self.seen) + len(self.names)
        return self.embedding(ids) + offset + len(self.cache["states"]) + len(self.pair[0])


def test_networks_of_users():
    torch.manual_seed(0)
    module = nn.Sequential(Changing(), nn.Linear(3, 2))
    with torch.no_grad():
        module[0].embedding.weight.mul_(5)
    before = content(module)
    containers = [module[0].seen, module[0].cache, module[0].names, module[0].pair]
    copies = copy.deepcopy(containers)
    X = np.array([[0, 1], [2, 3], [4, 0]])
    reader = ModuleActivations(module, ["1"], pooling="flatten", batch_size=1)
    rows = reader.fit_transform(X)
    np.testing.assert_array_equal(reader.transform(X[::-1])[::-1], rows)
    words = reader.extract([["a", "b"]] * 2, encode=lambda words: torch.tensor([0, 1]))
    np.testing.assert_array_equal(words.X[:2], words.X[2:])
    np.testing.assert_array_equal(words.X[:2].ravel(), rows[0])
    assert_unchanged(module, before)
    now = [module[0].seen, module[0].cache, module[0].names, module[0].pair]
    assert now == copies
    assert all(a is b for a, b in zip(now, containers, strict=True))


def test_after_an_error():
    module = nn.Sequential(Changing(), nn.Linear(4, 2)).train()
    before = content(module)
    with pytest.raises(ValueError, match="does not accept inputs of shape"):
        ModuleActivations(module, ["1"]).fit(np.zeros((2, 2), dtype=int))
    assert_unchanged(module, before)
    assert module[0].seen == []


def test_tensors_can_be_trained_afterwards():
    """A tensor of inference mode that stays in a network could not be used in training."""

    class Caching(nn.Module):
        table = None

        def forward(self, X):
            if self.table is None:
                self.table = X.mean(0) + 1
            return X * self.table

    module = nn.Sequential(nn.Linear(3, 3), Caching())
    ModuleActivations(module, ["1"]).fit_transform(np.ones((4, 3)))
    module(torch.ones(4, 3)).sum().backward()
    assert module[0].weight.grad is not None


class TestAttributes:
    """Every batch starts from the attributes that the module has, and they are restored."""

    class Counting(nn.Module):
        def __init__(self, state, step):
            super().__init__()
            self.state, self.step = state, step

        def forward(self, X):
            return X + float(self.step(self.state))

    @staticmethod
    def shift(array):
        array += 1
        return np.sum(array)

    @staticmethod
    def append(items):
        items.append(1)
        return sum(items)

    @staticmethod
    def grow(array):
        array.resize(array.size + 1, refcheck=False)
        array[-1] = 3
        return array.sum()

    @staticmethod
    def nested(array):
        array[0].append(5)
        array[1] = 4
        return array[1] + sum(array[0])

    CASES = {
        "array": (lambda: np.arange(3.0), "shift"),
        "array with NaN": (
            lambda: np.array([np.nan, 1.0]), lambda a: TestAttributes.shift(a[1:]),
        ),
        "scalar array": (lambda: np.array(2), "shift"),
        "array that grows": (lambda: np.ones(2), "grow"),
        "array of objects": (lambda: np.array([[1], None], dtype=object), "nested"),
        "deque": (lambda: deque([1, 2]), "append"),
        "full deque": (lambda: deque([3, 2], maxlen=2), "append"),
        "empty deque": (deque, "append"),
        "counter": (Counter, lambda c: c.update("a") or c.total()),
        "Random": (lambda: random.Random(0), lambda r: r.random()),
        "RandomState": (lambda: np.random.RandomState(0), lambda r: r.normal()),
        "RandomState of PCG64": (
            lambda: np.random.RandomState(np.random.PCG64(0)), lambda r: r.normal(),
        ),
        "default_rng": (lambda: np.random.default_rng(0), lambda r: r.normal()),
        "torch.Generator": (
            lambda: torch.Generator().manual_seed(0), lambda g: torch.rand(1, generator=g),
        ),
        "SystemRandom": (random.SystemRandom, lambda r: 0 * r.random()),
    }  # fmt: skip

    @pytest.mark.parametrize("inside", ["attribute", "dict of lists"])
    @pytest.mark.parametrize("case", CASES)
    def test_of_each_kind(self, case, inside):
        make, step = self.CASES[case]
        step = getattr(self, step) if isinstance(step, str) else step
        state = make()
        held = state if inside == "attribute" else {"a": [state]}
        pick = (lambda s: s) if inside == "attribute" else (lambda s: s["a"][0])
        module = nn.Sequential(self.Counting(held, lambda each: step(pick(each))))
        expected = float(step(make()))
        rows = ModuleActivations(module, ["0"], batch_size=1).fit_transform(np.zeros((3, 1)))
        np.testing.assert_allclose(rows, np.full((3, 1), expected), rtol=1e-6)
        assert pick(module[0].state) is state
        assert float(step(state)) == expected  # as from a new one


class TestWeights:
    """Weights that are not copied must not change."""

    class Drifting(nn.Module):
        def __init__(self, change):
            super().__init__()
            self.l = nn.Linear(2, 2)
            self.change = change

        def forward(self, X):
            with torch.no_grad():
                self.change(self.l)
            return self.l(X)

    CHANGES = {
        "add": lambda layer: layer.weight.add_(1),
        "augmented": lambda layer: layer.weight.__iadd__(1),
        "copy": lambda layer: layer.weight.copy_(torch.ones(2, 2)),
        "row": lambda layer: layer.weight[0].zero_(),
        "normal": lambda layer: nn.init.normal_(layer.weight),
    }

    @pytest.mark.parametrize("change", CHANGES)
    def test_that_change(self, change):
        module = nn.Sequential(self.Drifting(self.CHANGES[change]))
        reader = ModuleActivations(module, ["0.l"])
        expected = (
            r"Sequential changes its weight '0\.l\.weight' while it runs, so its activations "
            "depend on earlier calls"
        )
        with pytest.raises(ValueError, match=expected):
            reader.fit(np.ones((2, 2)))
        with pytest.raises(ValueError, match="^" + expected):
            reader.extract([["a"]], encode=lambda words: torch.ones(1, 2))

    def test_of_a_transformer(self, tiny_bert):
        model = copy.deepcopy(tiny_bert[0])
        layer = model.encoder.layer[0].output.dense
        layer.register_forward_hook(lambda each, *_: (each.bias.mul_(0.5), None)[1])
        with pytest.raises(
            ValueError, match=r"its weight 'encoder\.layer\.0\.output\.dense\.bias'"
        ):
            ActivationExtractor(model, tiny_bert[1]).extract(["a"])

    def test_that_are_replaced(self):
        """The module has its own weights again."""

        def replace(layer):
            layer.weight = nn.Parameter(layer.weight + 1)

        module = nn.Sequential(self.Drifting(replace))
        weight = module[0].l.weight
        rows = ModuleActivations(module, ["0"], batch_size=1).fit_transform(np.ones((3, 2)))
        np.testing.assert_array_equal(rows, rows[[0, 0, 0]])
        assert module[0].l.weight is weight

    def test_of_recurrent_layers(self):
        """Their weights move in memory, as in `flatten_parameters` on a CUDA device."""

        def move(layer):
            for weight in layer.parameters():
                weight.set_(weight.detach().clone())

        layer = nn.LSTM(2, 3, batch_first=True)
        expected = layer(torch.ones(4, 5, 2))[0].detach().mean(1)
        layer.register_forward_pre_hook(lambda each, _: move(each))
        reader = ModuleActivations(nn.Sequential(layer), ["0"], batch_size=2)
        rows = reader.fit_transform(np.ones((4, 5, 2)))
        np.testing.assert_allclose(rows, expected, rtol=1e-6)

    def test_that_do_not_have_versions(self):
        """They are copied and restored instead."""
        with torch.inference_mode():
            module = nn.Sequential(self.Drifting(self.CHANGES["add"]))
        before = module[0].l.weight.clone()
        rows = ModuleActivations(module, ["0"], batch_size=1).fit_transform(np.ones((3, 2)))
        np.testing.assert_array_equal(rows, rows[[0, 0, 0]])
        assert torch.equal(module[0].l.weight, before)


class TestAutocast:
    """A surrounding autocast does not change activations."""

    def test_of_any_module(self):
        torch.manual_seed(0)
        module = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.LSTM(8, 8, batch_first=True))
        X = np.random.RandomState(0).normal(size=(6, 3, 5)).astype(np.float32)
        reader = ModuleActivations(module, ["0", "2"], batch_size=4)

        def encode(words):
            return torch.ones(1, len(words), 5)

        expected = reader.fit_transform(X), reader.extract(["a b"], encode=encode).X
        with torch.autocast("cpu", torch.bfloat16):
            assert module[0](torch.ones(1, 5)).dtype == torch.bfloat16
            actual = reader.fit_transform(X), reader.extract(["a b"], encode=encode).X
            assert torch.is_autocast_enabled("cpu")
        for each, known in zip(actual, expected, strict=True):
            np.testing.assert_array_equal(each, known)

    @pytest.mark.parametrize("autocast", [None, "bfloat16"])
    def test_of_a_transformer(self, tiny_bert, sentences, autocast):
        extractor = ActivationExtractor(*tiny_bert, aggregation="mean", autocast=autocast)
        expected = extractor.extract(sentences).X
        with torch.autocast("cpu", torch.bfloat16):
            actual = extractor.extract(sentences).X
        np.testing.assert_array_equal(actual, expected)


NOISY = """
import random, threading
import numpy as np, torch
from sklearn_neurox import ModuleActivations

class Noisy(torch.nn.Module):
    def forward(self, X):
        return X + random.random() + np.random.normal() + torch.randn(1)

def states():
    return (
        random.getstate(), repr(np.random.get_state(legacy=False)), torch.get_rng_state().tolist()
    )

assert threading.active_count() == 1
reader = ModuleActivations(torch.nn.Sequential(Noisy()), ["0"], batch_size=2)
for generator in (np.random.get_bit_generator(), np.random.PCG64(5)):
    np.random.set_bit_generator(generator)
    rows = []
    for _ in range(2):
        before = states()
        rows.append(reader.fit_transform(np.zeros((4, 1))))
        assert states() == before
        torch.rand(3), random.random(), np.random.rand()
    np.testing.assert_array_equal(rows[0][:2], rows[0][2:])
    np.testing.assert_array_equal(rows[0], rows[1])
"""


class TestRandomStates:
    @staticmethod
    def states():
        return (
            random.getstate(),
            repr(np.random.get_state(legacy=False)),  # noqa: NPY002 -- the global state is meant
            torch.get_rng_state().tolist(),
        )

    @pytest.mark.parametrize("source", ["model", "path", "random weights", "module"])
    def test_they_do_not_move(self, tiny_bert, tiny_bert_path, sentences, source):
        texts = [" ".join(words) for words in sentences]
        if source == "module":
            reader = ModuleActivations(nn.Sequential(nn.Linear(4, 3), nn.Dropout()), ["1"])

            def run():
                return reader.fit_transform(np.ones((3, 4)))

        else:
            options = {"random_weights": True, "random_state": 0} if "random" in source else {}
            model = (str(tiny_bert_path), None) if source == "path" else tiny_bert
            extractor = ActivationExtractor(*model, **options)

            def run():
                extractor.extract(sentences)
                extractor.fit(texts)
                extractor.transform(texts)
                extractor.get_feature_names_out()

        for seed in (3, 4):
            random.seed(seed)
            np.random.seed(seed)  # noqa: NPY002 -- the global state is meant
            torch.manual_seed(seed)
            before = self.states()
            run()
            assert self.states() == before

    @pytest.mark.parametrize("in_thread", [False, True])
    def test_a_network_that_draws_random_numbers(self, in_thread):
        """The same numbers in every call, whatever ran before, also while other threads run."""

        class Noisy(nn.Module):
            def forward(self, X):
                return X + torch.randn(1)

        reader = ModuleActivations(nn.Sequential(Noisy()), ["0"], batch_size=2)
        rows = []
        for seed in (3, 4):
            torch.manual_seed(seed)
            before = self.states()
            if in_thread:
                with ThreadPoolExecutor(1) as pool:
                    rows.append(pool.submit(reader.fit_transform, np.zeros((4, 1))).result())
            else:
                rows.append(reader.fit_transform(np.zeros((4, 1))))
            assert self.states() == before
        np.testing.assert_array_equal(rows[0][:2], rows[0][2:])
        np.testing.assert_array_equal(rows[0], rows[1])
        with isolated(reader.module) as call:
            assert torch.equal(call(torch.zeros(1)), call(torch.zeros(1)))

    def test_draws_from_all_generators_in_a_single_thread(self):
        """In a process without other threads; also if NumPy has another kind of generator."""
        subprocess.run([sys.executable, "-c", NOISY], check=True, timeout=120)

    @pytest.mark.parametrize("source", ["random", "numpy", "torch"])
    def test_draws_of_other_threads(self, source):
        """They are neither repeated nor replaced, so the numbers are those of the seed."""
        draw = {
            "random": random.random,
            "numpy": np.random.random_sample,
            "torch": lambda: torch.rand(()).item(),
        }[source]

        class Busy(nn.Module):
            """While it runs, another thread draws a number; dropout could draw but is off."""

            def __init__(self):
                super().__init__()
                self.dropout = nn.Dropout()

            def forward(self, X):
                asked.release()
                drawn.acquire(timeout=20)
                return self.dropout(X)

        asked, drawn = Semaphore(0), Semaphore(0)
        numbers, stop = [], Event()

        def other():
            while not stop.is_set():
                if asked.acquire(timeout=0.1):
                    numbers.append(draw())
                    drawn.release()

        random.seed(1)
        np.random.seed(1)  # noqa: NPY002 -- the global state is meant
        torch.manual_seed(1)
        thread = Thread(target=other)
        thread.start()
        try:
            ModuleActivations(nn.Sequential(Busy()), ["0"], batch_size=1).transform(np.ones((9, 1)))
        finally:
            stop.set()
            thread.join()
        random.seed(1)
        np.random.seed(1)  # noqa: NPY002 -- the global state is meant
        torch.manual_seed(1)
        assert len(numbers) >= 9
        assert numbers == [draw() for _ in numbers]

    def test_weights_that_are_missing_in_the_files(self, tiny_bert, tmp_path, sentences):
        """They are random, but the same whenever the model is loaded, as a store requires."""
        model, tokenizer = tiny_bert
        with_head = t.BertForMaskedLM(model.config)  # without a pooler
        with_head.save_pretrained(tmp_path / "model")
        tokenizer.save_pretrained(tmp_path / "model")
        torch.manual_seed(8)
        before = self.states()
        for _ in range(2):
            extractor = ActivationExtractor(str(tmp_path / "model"))
            tokens = extractor.extract(sentences, store=tmp_path / "store")
        assert len(tokens)
        assert self.states() == before
