"""What holds for every edit in every kind of network, bit for bit where nothing is rounded."""

import copy

import numpy as np
import pytest
import torch
import transformers
from sklearn.pipeline import make_pipeline

from sklearn_neurox import (
    ActivationExtractor,
    DirectionProjector,
    LeaceEraser,
    NeuronAblator,
    SteeringVector,
    intervene,
    where,
)

from .small_models import SMALL, byte_level_bpe

WIDTH = 16
RNG = np.random.RandomState(0)
X = RNG.normal(size=(40, WIDTH)).astype(np.float32)
DIRECTION = RNG.normal(size=WIDTH).astype(np.float32)
IDENTITY = {
    "no neurons": NeuronAblator([]).fit(X),
    "a strength of 0": SteeringVector(DIRECTION, strength=0),
    "an empty pipeline": make_pipeline(NeuronAblator([]).fit(X), "passthrough"),
}
EDITS = {
    "steer": SteeringVector(DIRECTION, 3),
    "project": DirectionProjector(DIRECTION),
    "erase": LeaceEraser().fit(X, np.arange(len(X)) % 3),
    "zero": NeuronAblator([0, 3]).fit(X),
    "mean": NeuronAblator([1, 2], mode="mean").fit(X),
    "resample": NeuronAblator([1, 2], mode="resample", random_state=0).fit(X),
    "pipeline": make_pipeline(NeuronAblator([5]).fit(X), SteeringVector(DIRECTION)),
}
ENCODERS, DECODERS = ("bert", "distilbert"), ("gpt2 with a head", "llama")
FAMILIES = (*ENCODERS, *DECODERS, "bart", "t5")


def run(model, ids, mask=None):
    """Return the first output of a model, which includes that of the decoder."""
    inputs = {"input_ids": ids}
    if mask is not None:
        inputs["attention_mask"] = mask
    if model.config.is_encoder_decoder:
        inputs["decoder_input_ids"] = ids[:, :3]
    with torch.no_grad():
        return model(**inputs)[0]


def ids_of(tokenizer, text="The cat sat on the mat"):
    return torch.tensor([tokenizer(text).input_ids])


@pytest.fixture(scope="module")
def decoder(corpus):
    """A Llama with a head, and its tokenizer."""
    tokenizer = byte_level_bpe(corpus, bos_token="<s>", eos_token="</s>")
    torch.manual_seed(1)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer), num_key_value_heads=1, bos_token_id=0, eos_token_id=None,
        pad_token_id=None, **SMALL,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config).eval(), tokenizer


class TestIdentity:
    @pytest.mark.parametrize("kind", FAMILIES)
    def test_outputs_are_the_same(self, zoo, kind):
        model, tokenizer = zoo(kind)
        ids = ids_of(tokenizer)
        expected = run(model, ids)
        for edit in IDENTITY.values():
            with intervene(model, dict.fromkeys(range(4), edit)):
                assert torch.equal(run(model, ids), expected)

    def test_in_a_narrow_dtype(self, zoo):
        model, tokenizer = zoo("llama")
        model = copy.deepcopy(model).bfloat16()
        expected = run(model, ids_of(tokenizer))
        for edit in IDENTITY.values():
            with intervene(model, {1: edit, 3: edit}):
                assert torch.equal(run(model, ids_of(tokenizer)), expected)

    def test_in_networks_of_other_kinds(self):
        torch.manual_seed(0)
        network = torch.nn.Sequential(
            torch.nn.LSTM(4, WIDTH, batch_first=True), _First(), torch.nn.Linear(WIDTH, 2)
        )
        inputs = torch.randn(3, 5, 4)
        with torch.no_grad():
            expected = network(inputs)
            for edit in IDENTITY.values():
                with intervene(network, {"0": edit}):
                    assert torch.equal(network(inputs), expected)


class _First(torch.nn.Module):
    def forward(self, outputs):
        return outputs[0]


@pytest.mark.parametrize("kind", FAMILIES)
@pytest.mark.parametrize("name", EDITS)
def test_a_second_hook_sees_the_edited_rows(zoo, kind, name):
    """The rows of X and the states of a network are edited by the same operations."""
    model, tokenizer = zoo(kind)
    edit, seen = EDITS[name], []
    ids = ids_of(tokenizer)

    def record():
        point = _block(model, 1).register_forward_pre_hook(
            lambda module, args, kwargs: seen.append(
                (args or (kwargs["hidden_states"],))[0].clone()
            ),
            with_kwargs=True,
        )
        with point:
            run(model, ids)
        return seen.pop()

    plain = record()
    with intervene(model, {1: edit}):
        found = record()
    expected = edit.transform(plain.flatten(0, 1).numpy())
    np.testing.assert_array_equal(found.flatten(0, 1).numpy(), expected)


def test_interchange_of_the_states_of_two_runs(zoo):
    """The states of a layer determine the output, so those of the source reproduce its run."""
    model, tokenizer = zoo("bert")
    source, target = (ids_of(tokenizer, text) for text in ("the cat sat", "the dog ran"))
    for layer in range(4):
        with torch.no_grad():
            states = model(source, output_hidden_states=True).hidden_states[layer]
        every = NeuronAblator([], mode="interchange", invert=True).fit(states[0].numpy())
        with intervene(model, {layer: every}):
            assert torch.equal(run(model, target), run(model, source))
            with pytest.raises(ValueError, match=f"so it edits {source.numel()} rows, got"):
                run(model, target.expand(2, -1))


def _block(model, number):
    blocks = [m for m in model.modules() if isinstance(m, torch.nn.ModuleList) and len(m) == 3]
    return blocks[0][number]


def test_an_encoder_decoder_is_edited_in_its_encoder(zoo):
    """The decoder receives the edited states, and no others."""
    for kind in ("bart", "t5"):
        model, tokenizer = zoo(kind)
        ids = ids_of(tokenizer)
        with torch.no_grad():
            states = model.get_encoder()(input_ids=ids).last_hidden_state
            steered = torch.from_numpy(EDITS["steer"].transform(states[0].numpy()))[None]
            expected = model(
                encoder_outputs=(steered,), attention_mask=torch.ones_like(ids),
                decoder_input_ids=ids[:, :3],
            )[0]  # fmt: skip
        with intervene(model, {3: EDITS["steer"]}):
            assert torch.equal(run(model, ids, torch.ones_like(ids)), expected)
        path = "decoder.layers.1" if kind == "bart" else "decoder.block.1"
        with intervene(model, {path: EDITS["steer"]}):
            found = run(model, ids)
        assert not torch.allclose(found, run(model, ids))


@pytest.mark.parametrize("kind", [*ENCODERS, *DECODERS])
def test_padding_on_either_side(zoo, kind):
    """The state of a word does not depend on the other texts of the batch, nor on padding."""
    model, tokenizer = zoo(kind)
    model = copy.deepcopy(model).double()
    rows = [tokenizer(text).input_ids for text in ("The cat sat on the mat", "A dog", "We ran .")]
    length = max(map(len, rows))
    with intervene(model, {1: EDITS["steer"], 2: EDITS["project"]}):
        alone = [run(model, torch.tensor([row]))[0] for row in rows]
        for side in ("right", "left") if kind in DECODERS else ("right",):
            inputs = [_padded(row, length, side) for row in rows]
            ids, mask = (torch.tensor(column) for column in zip(*inputs, strict=True))
            positions = {}
            if side == "left":
                positions["position_ids"] = (mask.cumsum(1) - 1).clamp_min(0)
            with torch.no_grad():
                outputs = model(input_ids=ids, attention_mask=mask, **positions)[0]
            for output, one, expected in zip(outputs, mask.bool(), alone, strict=True):
                torch.testing.assert_close(output[one], expected, rtol=1e-10, atol=1e-10)


def _padded(row, length, side):
    padding = [0] * (length - len(row))
    mask = [1] * len(row)
    return (row + padding, mask + padding) if side == "right" else (padding + row, padding + mask)


class TestGeneration:
    OPTIONS = dict(
        max_new_tokens=6, do_sample=False, pad_token_id=0, output_scores=True,
        return_dict_in_generate=True,
    )  # fmt: skip

    @pytest.mark.parametrize("layer", range(4))
    def test_with_a_cache_it_equals_one_forward_pass(self, decoder, layer):
        """Every step is edited, including the first, in which the whole prompt is read."""
        model, tokenizer = decoder
        ids = ids_of(tokenizer, "The cat")
        with intervene(model, {layer: EDITS["steer"]}):
            found = model.generate(ids, attention_mask=torch.ones_like(ids), **self.OPTIONS)
            at_once = run(model, found.sequences)
        scores = torch.stack(found.scores, dim=1)
        assert scores.shape[1] == 6
        torch.testing.assert_close(scores, at_once[:, ids.shape[1] - 1 : -1], rtol=1e-4, atol=1e-4)
        assert not torch.allclose(scores[:, 0], run(model, ids)[:, -1])

    def test_prompts_that_are_padded_on_the_left(self, decoder):
        model, tokenizer = decoder
        rows = [tokenizer(text).input_ids for text in ("The cat sat on the", "A dog")]
        inputs = [_padded(row, max(map(len, rows)), "left") for row in rows]
        ids, mask = (torch.tensor(column) for column in zip(*inputs, strict=True))
        with intervene(model, {2: EDITS["steer"]}):
            together = model.generate(ids, attention_mask=mask, **self.OPTIONS).sequences
            for row, found in zip(rows, together, strict=True):
                one = torch.tensor([row])
                alone = model.generate(one, attention_mask=torch.ones_like(one), **self.OPTIONS)
                assert torch.equal(found[-6:], alone.sequences[0, -6:])

    def test_the_generated_positions_only(self, decoder):
        """The prompt is not edited, which holds if the first new state is not edited either."""
        model, tokenizer = decoder
        ids = ids_of(tokenizer, "The cat")

        def generated(inputs):
            whole = inputs["attention_mask"].shape[1]
            return (torch.arange(whole) >= ids.shape[1]).expand(1, -1)

        with intervene(model, {1: EDITS["steer"]}, where=generated):
            found = model.generate(ids, attention_mask=torch.ones_like(ids), **self.OPTIONS)
            at_once = run(model, found.sequences)
        scores = torch.stack(found.scores, dim=1)
        torch.testing.assert_close(scores[:, 0], run(model, ids)[:, -1])
        torch.testing.assert_close(scores, at_once[:, ids.shape[1] - 1 : -1], rtol=1e-4, atol=1e-4)
        assert not torch.allclose(scores[:, 1], run(model, found.sequences[:, :-5])[:, -1])


class TestEditsOfAnExtraction:
    """`edits` of a method is the same as calling it within `intervene`."""

    EDITS = {1: EDITS["steer"], 2: EDITS["zero"]}

    @pytest.mark.parametrize("kind", ["bert", "gpt2 with a head", "t5"])
    def test_it_equals_intervene(self, zoo, sentences, kind):
        model, tokenizer = zoo(kind)
        texts = [" ".join(words) for words in sentences[:4]]
        extractor = ActivationExtractor(model, tokenizer)
        calls = {
            "extract": lambda **options: extractor.extract(sentences[:4], **options).X,
            "transform": lambda **options: extractor.transform(texts, **options),
            "tokens": lambda **options: extractor.extract_tokens(texts, **options).X,
            "prompts": lambda **options: extractor.extract_prompts(texts, **options).X,
        }
        before = _everything(model)
        for name, call in calls.items():
            with intervene(model, self.EDITS):
                expected = call()
            np.testing.assert_array_equal(call(edits=self.EDITS), expected, err_msg=name)
            assert not np.allclose(call(), expected)
        assert _everything(model) == before

    def test_generation(self, decoder):
        """Every step is edited, and so are the states that are read afterwards."""
        model, tokenizer = decoder[:2]
        extractor = ActivationExtractor(model, tokenizer)
        prompts, options = ["w1 w2", "w3 w4 w5"], dict(max_new_tokens=5, do_sample=False)
        edits = {1: SteeringVector(np.linspace(-40, 40, WIDTH))}
        before = _everything(model)
        plain, states = extractor.generate(prompts, **options)
        answers, edited = extractor.generate(prompts, edits=edits, **options)
        assert _everything(model) == before
        assert answers != plain
        with intervene(model, edits):
            expected, rows = extractor.generate(prompts, **options)
        assert answers == expected
        np.testing.assert_array_equal(edited.X, rows.X)
        assert edited.provenance["edited"] is True
        assert "edited" not in states.provenance
        again, _ = extractor.generate(prompts, **options)
        assert again == plain

    def test_of_a_model_that_is_loaded(self, zoo, sentences, tmp_path):
        model, tokenizer = zoo("bert")
        for each in (model, tokenizer):
            each.save_pretrained(tmp_path / "bert")
        named = ActivationExtractor(str(tmp_path / "bert"))
        expected = ActivationExtractor(model, tokenizer).extract(sentences, edits=self.EDITS).X
        np.testing.assert_allclose(named.extract(sentences, edits=self.EDITS).X, expected)

    def test_pooling_by_a_rule(self, zoo, sentences):
        model, tokenizer = zoo("bert")
        texts = [" ".join(words) for words in sentences[:3]]
        extractor = ActivationExtractor(model, tokenizer, pooling=where.last())
        with intervene(model, self.EDITS):
            expected = extractor.transform(texts)
        np.testing.assert_array_equal(extractor.transform(texts, edits=self.EDITS), expected)

    def test_an_edit_above_the_layers_that_are_read(self, zoo, sentences):
        model, tokenizer = zoo("bert")
        extractor = ActivationExtractor(model, tokenizer, layers=[1])
        with pytest.warns(
            UserWarning, match="The edit at layer 3 did not .* An extraction ends at"
        ):
            extractor.extract(sentences, edits={3: EDITS["steer"]})

    def test_invalid_edits(self, zoo, sentences, tmp_path):
        model, tokenizer = zoo("bert")
        extractor = ActivationExtractor(model, tokenizer)
        texts = [" ".join(words) for words in sentences[:3]]
        for call in (
            lambda **options: extractor.extract(sentences, **options),
            lambda **options: extractor.extract_tokens(texts, **options),
            lambda **options: extractor.extract_prompts(texts, **options),
        ):
            store = tmp_path / "store"
            with pytest.raises(
                ValueError, match="edits cannot be used with store, because a store"
            ):
                call(edits=self.EDITS, store=store)
            assert not store.exists()
            with pytest.raises(TypeError, match="edits must be a mapping of places to edits"):
                call(edits=[EDITS["steer"]])
            with pytest.raises(ValueError, match="BertModel does not have layer 4"):
                call(edits={4: EDITS["steer"]})
        with pytest.raises(TypeError, match="edits must be a mapping of places to edits"):
            extractor.transform(texts, edits=EDITS["steer"])

    def test_invalid_edits_of_a_generation(self, decoder, tmp_path):
        extractor, store = ActivationExtractor(*decoder), tmp_path / "store"
        with pytest.raises(ValueError, match="edits cannot be used with store"):
            extractor.generate(["w1"], max_new_tokens=2, edits=self.EDITS, store=store)
        assert not store.exists()
        with pytest.raises(TypeError, match="edits must be a mapping of places to edits"):
            extractor.generate(["w1"], max_new_tokens=2, edits=[EDITS["steer"]])
        with pytest.raises(ValueError, match="does not have layer 9"):
            extractor.generate(["w1"], max_new_tokens=2, edits={9: EDITS["steer"]})


class TestNothingRemains:
    @pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
    @pytest.mark.parametrize("kind", ["bert", "llama", "t5"])
    def test_after_an_error_while_the_network_runs(self, zoo, kind, error):
        model, tokenizer = zoo(kind)
        model.train()  # the mode of the user is kept
        ids, before = ids_of(tokenizer), _everything(model)

        def interrupt(inputs):
            raise error

        with pytest.raises(error), intervene(model, {1: EDITS["steer"]}, where=interrupt):
            run(model, ids)
        assert _everything(model) == before
        model.eval()

    def test_after_an_error_of_an_edit(self, zoo):
        model, tokenizer = zoo("bert")
        before = _everything(model)
        expected = run(model, ids_of(tokenizer))

        class Fails(SteeringVector):
            def state_edit(self, dtype, device):
                raise KeyboardInterrupt

        with (
            pytest.raises(KeyboardInterrupt),
            intervene(model, {0: EDITS["steer"]}),
            intervene(model, {1: EDITS["zero"], 2: Fails(DIRECTION)}),
        ):
            run(model, ids_of(tokenizer))
        assert _everything(model) == before
        assert torch.equal(run(model, ids_of(tokenizer)), expected)

    def test_if_a_later_place_does_not_exist(self, zoo):
        model, _ = zoo("bert")
        before = _everything(model)
        edits = {1: EDITS["steer"], 9: EDITS["steer"]}
        with pytest.raises(ValueError, match="does not have layer 9"), intervene(model, edits):
            pytest.fail("not reached")
        assert _everything(model) == before

    def test_the_parameters_of_edits_are_not_changed(self, zoo, sentences):
        model, tokenizer = zoo("bert")
        direction = DIRECTION.copy()
        edit = SteeringVector(direction, 2)
        with intervene(model, {1: edit}):
            ActivationExtractor(model, tokenizer).extract(sentences)
        assert edit.direction is direction
        np.testing.assert_array_equal(direction, DIRECTION)


def _everything(model):
    """Return hooks, weights, modes, and the configuration of a model."""
    return (
        [(len(m._forward_hooks), len(m._forward_pre_hooks), m.training) for m in model.modules()],
        {name: weight.sum().item() for name, weight in model.state_dict().items()},
        model.config.to_dict(),
        sorted(vars(model)),
    )
