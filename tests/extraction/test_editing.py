"""States inside a running network are edited as the rows of X are, and nothing remains afterwards."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_neurox import (
    ActivationExtractor,
    DirectionProjector,
    LeaceEraser,
    NeuronAblator,
    Neurons,
    SteeringVector,
    intervene,
)

from .small_models import make

KINDS = ("bert", "distilbert", "gpt2 with a head", "llama", "bart", "t5")
RNG = np.random.RandomState(0)


def edits_for(X):
    y = np.arange(len(X)) % 3
    direction = RNG.normal(size=X.shape[1])
    return {
        "steer": SteeringVector(direction, 0.7).fit(X),
        "project": DirectionProjector(direction).fit(X),
        "erase": LeaceEraser().fit(X, y),
        "zero": NeuronAblator([0, 3]).fit(X),
        "mean": NeuronAblator([1, 2], mode="mean").fit(X),
        "pipeline": make_pipeline(SteeringVector(direction), NeuronAblator([5])).fit(X),
    }


def state_of(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def n_hooks(model):
    return sum(
        len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_next_reader_sees_the_edited_rows(zoo, sentences, kind):
    model, tokenizer = zoo(kind)
    extractor = ActivationExtractor(model, tokenizer)
    plain = extractor.extract(sentences)
    before, hooks, training = state_of(model), n_hooks(model), model.training
    for layer in plain.layers:
        X = plain.layer(layer)
        for name, edit in edits_for(X).items():
            with intervene(model, {layer: edit}) as edited:
                assert edited is model
                found = extractor.extract(sentences)
            np.testing.assert_allclose(
                found.layer(layer), edit.transform(X), rtol=1e-5, atol=1e-5, err_msg=name
            )
            below = [lower for lower in plain.layers if lower < layer]
            for lower in below:
                np.testing.assert_array_equal(found.layer(lower), plain.layer(lower))
    assert n_hooks(model) == hooks
    assert model.training is training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    np.testing.assert_array_equal(extractor.extract(sentences).X, plain.X)


@pytest.mark.parametrize("kind", ["bert", "gpt2 with a head", "llama"])
def test_an_edit_that_changes_nothing(zoo, sentences, kind):
    model, tokenizer = zoo(kind)
    inputs = tokenizer(" ".join(sentences[0]), return_tensors="pt")
    with torch.no_grad():
        expected = model(**inputs)[0]
        edits = {layer: NeuronAblator([]).fit(np.zeros((1, 16))) for layer in range(4)}
        with intervene(model, edits):
            assert torch.equal(model(**inputs)[0], expected)


@pytest.mark.parametrize("kind", ["bert", "llama"])
@pytest.mark.parametrize("modules", ["mlp", "attention_heads"])
def test_neurons_within_blocks(zoo, sentences, kind, modules):
    model, tokenizer = zoo(kind)
    extractor = ActivationExtractor(model, tokenizer, layers=[2], modules=modules)
    plain = extractor.extract(sentences)
    some = plain.neurons[[4, 1]]
    with intervene(model, {some: SteeringVector([10.0, -20.0])}):
        found = extractor.extract(sentences).X
    np.testing.assert_allclose(found[:, [4, 1]], plain.X[:, [4, 1]] + [10, -20], rtol=1e-5)
    others = np.delete(np.arange(found.shape[1]), [1, 4])
    np.testing.assert_array_equal(found[:, others], plain.X[:, others])


def test_a_linear_network():
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Linear(3, 4), torch.nn.Linear(4, 5), torch.nn.Linear(5, 2)
    )
    x, direction = torch.randn(6, 3), RNG.normal(size=4).astype(np.float32)
    with torch.no_grad():
        plain = network(x)
        with intervene(network, {"0": SteeringVector(direction, 3)}):
            steered = network(x)
        effect = 3 * network[2].weight @ network[1].weight @ torch.from_numpy(direction)
        torch.testing.assert_close(steered - plain, effect.expand(6, 2), rtol=1e-4, atol=1e-5)
        with intervene(network, {"0": DirectionProjector(np.eye(4))}):
            assert torch.equal(network(x), network[2](network[1](torch.zeros(6, 4))))


def test_nested_contexts_and_several_layers_compose():
    network = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Identity())
    x = torch.zeros(1, 2)
    first, second = SteeringVector([1.0, 2.0]), NeuronAblator([1], mode="zero").fit(np.ones((1, 2)))
    with intervene(network, {"0": first, "1": second}):
        assert network(x).tolist() == [[1, 0]]
    with intervene(network, {"0": first}), intervene(network, {"0": second}):
        assert network(x).tolist() == [[1, 0]]
    with intervene(network, {"0": second}), intervene(network, {"0": first}):
        assert network(x).tolist() == [[1, 2]]
    assert network(x).tolist() == [[0, 0]]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_no_hook_remains_after_an_error(zoo, error):
    model, _ = zoo("bert")
    before = n_hooks(model)
    with pytest.raises(error), intervene(model, {1: SteeringVector(np.ones(16))}):
        raise error
    assert n_hooks(model) == before


@pytest.mark.parametrize("use_cache", [True, False])
@pytest.mark.parametrize("kind", ["gpt2 with a head", "llama"])
def test_every_step_of_generation_is_edited(zoo, corpus, tiny_bert, kind, use_cache):
    import transformers

    model, tokenizer = zoo(kind)
    if kind == "llama":
        torch.manual_seed(1)
        model = transformers.LlamaForCausalLM(model.config).eval()
    ids = torch.tensor([tokenizer("The cat").input_ids])
    edit = SteeringVector(20 * RNG.normal(size=16))

    def by_hand():
        sequence = ids
        for _ in range(6):
            with torch.no_grad(), intervene(model, {2: edit}):
                sequence = torch.cat([sequence, model(sequence).logits[:, -1:].argmax(-1)], 1)
        return sequence

    options = dict(
        max_new_tokens=6, do_sample=False, use_cache=use_cache, pad_token_id=0,
        attention_mask=torch.ones_like(ids), eos_token_id=None,
    )  # fmt: skip
    with intervene(model, {2: edit}):
        found = model.generate(ids, **options)
    assert torch.equal(found, by_hand())
    assert not torch.equal(found, model.generate(ids, **options))


def test_narrow_dtypes(corpus, tiny_bert):
    model, tokenizer = make("llama", corpus, tiny_bert)
    model = model.bfloat16()
    inputs = tokenizer("The cat sat", return_tensors="pt")
    edit = SteeringVector(RNG.normal(size=16))
    states = []
    with (
        torch.no_grad(),
        intervene(model, {1: edit}),
        model.layers[1].register_forward_pre_hook(lambda module, args: states.append(args[0])),
    ):
        model(**inputs)
    with torch.no_grad():
        plain = model(**inputs, output_hidden_states=True).hidden_states[1]
    assert states[0].dtype == torch.bfloat16
    expected = (plain.float() + torch.from_numpy(edit.direction).float()).bfloat16()
    assert torch.equal(states[0], expected)


class TestWhere:
    """Only some positions are edited, with padding on either side and with a cache."""

    @staticmethod
    def last(inputs):
        mask = inputs["attention_mask"].bool()
        places = torch.arange(mask.shape[1]) * mask
        return places == places.max(dim=1, keepdim=True).values

    @pytest.mark.parametrize("kind", ["bert", "gpt2 with a head"])
    def test_a_batch_equals_single_texts(self, zoo, sentences, kind):
        model, tokenizer = zoo(kind)
        rows = [tokenizer(" ".join(s)).input_ids for s in sentences[:4]]
        length = max(map(len, rows))
        edit = SteeringVector(5 * RNG.normal(size=16))

        def run(ids, mask):
            inputs = dict(input_ids=torch.tensor(ids), attention_mask=torch.tensor(mask))
            if kind != "bert":
                inputs["position_ids"] = (inputs["attention_mask"].cumsum(1) - 1).clamp_min(0)
            with torch.no_grad(), intervene(model, {1: edit}, where=self.last):
                return model(**inputs)[0]

        alone = [run([row], [[1] * len(row)])[0, -1] for row in rows]
        right = run(
            [row + [0] * (length - len(row)) for row in rows],
            [[1] * len(row) + [0] * (length - len(row)) for row in rows],
        )
        for row, output, expected in zip(rows, right, alone, strict=True):
            torch.testing.assert_close(output[len(row) - 1], expected, rtol=1e-4, atol=1e-5)
        if kind != "bert":
            left = run(
                [[0] * (length - len(row)) + row for row in rows],
                [[0] * (length - len(row)) + [1] * len(row) for row in rows],
            )
            torch.testing.assert_close(left[:, -1], torch.stack(alone), rtol=1e-4, atol=1e-5)

    def test_the_other_positions_are_not_edited(self, zoo, sentences):
        model, tokenizer = zoo("bert")
        extractor = ActivationExtractor(model, tokenizer, layers=[2], include_special_tokens=True)
        plain = extractor.extract(sentences).X

        def first(inputs):
            return torch.arange(inputs["input_ids"].shape[1]).expand_as(inputs["input_ids"]) == 0

        with intervene(model, {2: SteeringVector(np.ones(16))}, where=first):
            found = extractor.extract(sentences)
        special = np.array(found.words) == "[CLS]"
        np.testing.assert_allclose(found.X[special], plain[special] + 1, rtol=1e-5)
        np.testing.assert_array_equal(found.X[~special], plain[~special])

    def test_masks_of_another_shape(self, zoo):
        model, tokenizer = zoo("bert")
        inputs = tokenizer("a b c", return_tensors="pt")
        n = inputs.input_ids.shape[1]
        edit = {1: SteeringVector(np.ones(16))}
        for mask, message in (
            (
                torch.ones(2, n, dtype=torch.bool),
                rf"positions \(1, {n}\) at layer 1, got \(2, {n}\)",
            ),
            (torch.ones(1, n), "must return a boolean tensor of shape"),
            (torch.ones(n, dtype=torch.bool), "must return a boolean tensor of shape"),
            (torch.ones(1, n + 3, dtype=torch.bool), rf"positions \(1, {n}\) at layer 1"),
            (None, "must return a boolean tensor of shape .* got None"),
        ):
            with (
                pytest.raises(ValueError, match=message),
                intervene(model, edit, where=lambda inputs, mask=mask: mask),
            ):
                model(**inputs)


def test_transformers_of_other_packages(zoo, sentences):
    model, tokenizer = zoo("bert")
    extractor = ActivationExtractor(model, tokenizer, layers=[1, 2])
    plain = extractor.extract(sentences)
    scaler = StandardScaler().fit(plain.layer(1))
    with (
        pytest.warns(UserWarning, match="StandardScaler edits NumPy arrays") as issued,
        intervene(model, {1: scaler}),
    ):
        found = extractor.extract(sentences)
    assert [each.filename for each in issued] == [__file__]
    np.testing.assert_allclose(found.layer(1), scaler.transform(plain.layer(1)), atol=1e-5)


def test_a_place_that_is_not_reached():
    class Skips(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = torch.nn.Identity(), torch.nn.Identity()

        def forward(self, x):
            return self.used(x)

    network = Skips()
    edit = SteeringVector([1.0])
    with (
        pytest.warns(UserWarning, match="The edit at 'unused' did not have any effect") as issued,
        intervene(network, {"used": edit, "unused": edit}),
    ):
        assert network(torch.zeros(1, 1)).item() == 1
    assert [each.filename for each in issued] == [__file__]
    with intervene(network, {"unused": edit}):
        pass  # the network is not called


@pytest.mark.parametrize(
    ("edits", "error", "message"),
    [
        ([1], TypeError, "edits must be a mapping of places to edits"),
        ({1: StandardScaler()}, NotFittedError, "The edit at 1 is not fitted. This StandardScaler"),
        (
            {1: SteeringVector(np.ones(16)), "layer 1": SteeringVector(np.ones(16))},
            ValueError,
            "edits contains layer 1 twice",
        ),
        ({1: StandardScaler}, TypeError, "The edit at 1 must be a fitted transformer"),
        ({1: lambda states: states}, TypeError, "The edit at 1 must be a fitted transformer"),
        (
            {1: SteeringVector([1.0, 2.0])},
            ValueError,
            "edits states of 2 neurons, but layer 1 has 16",
        ),
        (
            {4: SteeringVector(np.ones(16))},
            ValueError,
            r"BertModel does not have layer 4. Its layers are 0 \(the embeddings\) to 3",
        ),
        ({"layer 9": SteeringVector(np.ones(16))}, ValueError, "does not have layer 9. Its layers"),
        ({-1: SteeringVector(np.ones(16))}, ValueError, "does not have layer -1. Its layers are"),
        (
            {Neurons((0,), 24, "mlp"): SteeringVector(np.ones(24))},
            ValueError,
            "BertModel does not have mlp of layer 0. Its layers are 1 .the first block. to 3",
        ),
        (
            {"encoder.layers.1": SteeringVector(np.ones(16))},
            ValueError,
            "BertModel does not have the module 'encoder.layers.1'. Did you mean 'encoder.layer.1'",
        ),
        (
            {"layer.2.output": SteeringVector(np.ones(16))},
            ValueError,
            "Did you mean 'encoder.layer.2.output'",
        ),
        (
            {"nothing": SteeringVector(np.ones(16))},
            ValueError,
            r"Its outermost modules are 'embeddings', 'encoder', 'pooler'.",
        ),
        *[
            (
                {name: SteeringVector(np.ones(16))},
                ValueError,
                "Did you mean 'layer 3', or the number",
            )
            for name in ("3", "layer3", "Layer_3", "L3", "layer 03")
        ],
        ({True: SteeringVector(np.ones(16))}, TypeError, "A place must be the number of a layer"),
        ({1.0: SteeringVector(np.ones(16))}, TypeError, "A place must be the number of a layer"),
        (
            {Neurons((1, 2), 16): SteeringVector(np.ones(32))},
            ValueError,
            r"of a single layer, got the layers \[1, 2\]",
        ),
    ],
    ids=lambda value: str(value).partition(" at 0x")[0],
)
def test_invalid_edits(zoo, edits, error, message):
    model, _ = zoo("bert")
    before = n_hooks(model)
    with pytest.raises(error, match=message), intervene(model, edits):
        pytest.fail("not reached")
    assert n_hooks(model) == before


def test_an_edit_of_named_columns_is_used_for_these_columns(zoo, sentences):
    pandas = pytest.importorskip("pandas")
    model, tokenizer = zoo("bert")
    tokens = ActivationExtractor(model, tokenizer, layers=[2]).extract(sentences)
    frame = pandas.DataFrame(tokens.X, columns=tokens.neurons.names)
    eraser = LeaceEraser().fit(frame, np.arange(len(frame)) % 2)
    with intervene(model, {2: eraser}):
        pass
    with pytest.raises(
        ValueError, match=r"fitted on other columns, of which .* 'layer_2_neuron_0'"
    ):
        intervene(model, {1: eraser}).__enter__()
    shuffled = LeaceEraser().fit(frame.iloc[:, ::-1], np.arange(len(frame)) % 2)
    with pytest.raises(
        ValueError, match=r"fitted on other columns, of which .* 'layer_2_neuron_15'"
    ):
        intervene(model, {2: shuffled}).__enter__()


def test_the_attention_mask_is_known_if_it_is_not_passed(zoo):
    model, tokenizer = zoo("gpt2 with a head")
    ids = torch.tensor([tokenizer("The cat").input_ids])
    edit = {1: SteeringVector(np.ones(16))}
    with torch.no_grad():
        with intervene(model, edit):
            expected = model(ids).logits
        with intervene(model, edit, where=lambda inputs: inputs["attention_mask"].bool()):
            assert torch.equal(model(ids).logits, expected)
            model.generate(ids, max_new_tokens=2, pad_token_id=0)


def test_edits_that_change_the_shape(zoo):
    model, tokenizer = zoo("bert")
    inputs = tokenizer("a b c", return_tensors="pt")
    X = RNG.normal(size=(50, 16))
    remove = NeuronAblator([1], mode="remove").fit(X)
    with (
        pytest.raises(ValueError, match="mode='remove' changes the number of neurons"),
        intervene(model, {1: remove}),
    ):
        model(**inputs)
    with (
        pytest.warns(UserWarning, match="PCA edits NumPy arrays"),
        pytest.raises(ValueError, match="The edit at layer 1 must keep the shape of the states"),
        intervene(model, {1: PCA(2).fit(X)}),
    ):
        model(**inputs)


def test_a_store_does_not_contain_edited_states(zoo, sentences, tmp_path):
    """Its description would be that of the states without edits."""
    model, tokenizer = zoo("bert")
    extractor = ActivationExtractor(model, tokenizer)
    with (
        intervene(model, {1: SteeringVector(np.ones(16))}),
        pytest.raises(ValueError, match="A store cannot be written within intervene"),
    ):
        extractor.extract(sentences, store=tmp_path / "store")
    assert not (tmp_path / "store").exists()
    extractor.extract(sentences, store=tmp_path / "store")


def test_models_that_are_not_networks():
    message = "model must be a torch.nn.Module, the name of a model"
    with pytest.raises(TypeError, match=message), intervene(3, {}):
        pass
    network = torch.nn.Sequential(torch.nn.Linear(2, 2))
    edits, message = {1: SteeringVector([1.0, 1.0])}, "Layer 1 requires a model of transformers"
    with pytest.raises(ValueError, match=message), intervene(network, edits):
        pass
