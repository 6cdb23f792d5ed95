"""Runs with many edits at one place equal full runs with each edit."""

from copy import deepcopy

import numpy as np
import pytest
import torch
import transformers

from sklearn_neurox import (
    ActivationExtractor,
    DirectionProjector,
    NeuronAblator,
    Neurons,
    SteeringVector,
    intervene,
)
from sklearn_neurox.extraction.edited_runs import EditedRuns

from .small_models import make
from .test_editing import n_hooks, state_of

RNG = np.random.RandomState(0)
KINDS = (
    "bert",
    "distilbert",
    "gpt2",
    "gpt2 with a head",
    "llama with a head",
    "bart",
    "t5",
)


@pytest.fixture(scope="module")
def models(zoo):
    def get(kind):
        model, tokenizer = zoo(kind.removesuffix(" with a head") if "llama" in kind else kind)
        if kind == "llama with a head":
            torch.manual_seed(1)
            model = transformers.LlamaForCausalLM(model.config).eval()
        return model, tokenizer

    return get


def stack_of(model):
    return model.get_encoder() if model.config.is_encoder_decoder else model


def full_run(model, run, edits, where=None):
    """The output of the network on the inputs of a run, with all blocks and a plain hook."""
    with torch.no_grad(), intervene(model, edits, where=where):
        return stack_of(model)(**run.inputs)


def edits():
    return {
        "steer": SteeringVector(RNG.normal(size=16), 3),
        "project": DirectionProjector(RNG.normal(size=(2, 16))),
        "ablate": NeuronAblator([0, 5, 6]).fit(np.ones((1, 16))),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_equals_a_full_run(models, sentences, kind):
    model, tokenizer = models(kind)
    extractor = ActivationExtractor(model, tokenizer)
    before, hooks = state_of(model), n_hooks(model)
    for layer in range(4):
        with EditedRuns(extractor, layer=layer) as runs:
            (batch,) = runs.batches(runs.encode(sentences))
            unedited = runs.start(batch)
            found = {name: runs.run(edit) for name, edit in edits_by_name.items()}
            last = runs.run(edits_by_name["steer"])
            n_bypassed = runs.n_bypassed
        assert n_bypassed == layer
        compare(full_run(model, unedited, {}), unedited)
        for name, edit in edits_by_name.items():
            compare(full_run(model, unedited, {layer: edit}), found[name])
        torch.testing.assert_close(last.final, found["steer"].final, rtol=0, atol=0)
    assert n_hooks(model) == hooks
    assert not any("forward" in vars(module) for module in model.modules())
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


edits_by_name = edits()


def compare(expected, run):
    mask = run.attended
    if "logits" in expected:
        torch.testing.assert_close(run.logits[mask], expected.logits[mask], rtol=1e-5, atol=1e-6)
    else:
        found = expected.last_hidden_state[mask]
        torch.testing.assert_close(run.final[mask], found, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["bert", "llama with a head"])
@pytest.mark.parametrize("place", ["mlp", "attention_heads", "path"])
def test_places_within_blocks(models, sentences, kind, place):
    model, tokenizer = models(kind)
    extractor = ActivationExtractor(model, tokenizer)
    if place == "path":
        layer = {"bert": "encoder.layer.1.attention", "llama with a head": "model.layers.1.mlp"}[
            kind
        ]
        edit = SteeringVector(RNG.normal(size=16))
    else:
        width = 16 if place == "attention_heads" else (32 if kind == "bert" else 24)
        width = {"bert": {"mlp": 24, "attention_heads": 16}}.get(kind, {}).get(place, width)
        unit = {"mlp": "mlp", "attention_heads": "attention"}[place]
        layer = Neurons([2], width, unit)[[3, 1]]
        edit = SteeringVector([4.0, -7.0])
    with EditedRuns(extractor, layer=layer) as runs:
        (batch,) = runs.batches(runs.encode(sentences))
        unedited, found = runs.start(batch), runs.run(edit)
        assert runs.n_bypassed == 1
        assert runs.states.shape[-1] == (16 if place == "path" else 2)
    compare(full_run(model, unedited, {layer: edit}), found)


def test_a_model_without_a_list_of_blocks(models, sentences):
    model, tokenizer = models("albert")
    layer, edit = "encoder.embedding_hidden_mapping_in", edits_by_name["steer"]
    with EditedRuns(ActivationExtractor(model, tokenizer), layer=layer) as runs:
        (batch,) = runs.batches(runs.encode(sentences))
        unedited, found = runs.start(batch), runs.run(edit)
    compare(full_run(model, unedited, {layer: edit}), found)


def last_position(inputs):
    mask = inputs["attention_mask"].bool()
    places = torch.arange(mask.shape[1]) * mask
    return places == places.max(dim=1, keepdim=True).values


@pytest.mark.parametrize("kind", ["bert", "llama with a head"])
def test_some_positions(models, sentences, kind):
    model, tokenizer = models(kind)
    edit = edits_by_name["steer"]
    with EditedRuns(ActivationExtractor(model, tokenizer), layer=2, where=last_position) as runs:
        (batch,) = runs.batches(runs.encode(sentences))
        unedited, found = runs.start(batch), runs.run(edit)
        positions, rows = runs.edited_positions, runs.rows(unedited)
        states = runs.states
    assert positions.sum(dim=1).tolist() == [1] * len(sentences)
    assert positions.nonzero()[:, 1].tolist() == [text.n_subwords - 1 for text in batch]
    torch.testing.assert_close(rows, states[positions])
    compare(full_run(model, unedited, {2: edit}, where=last_position), found)


@pytest.mark.parametrize("kind", ["bert", "gpt2 with a head"])
def test_rows_are_those_of_the_extractor(models, sentences, kind):
    model, tokenizer = models(kind)
    extractor = ActivationExtractor(model, tokenizer, layers=[2], aggregation="first")
    expected = {False: extractor.transform([" ".join(s) for s in sentences]),
                True: extractor.extract(sentences).X}  # fmt: skip
    for words, X in expected.items():
        with EditedRuns(extractor, layer=2, words=words) as runs:
            encoded = runs.encode(sentences)
            starts = np.cumsum([0] + [text.n_rows for text in encoded])
            found = np.empty_like(X)
            for batch in runs.batches(encoded):
                run = runs.read_states(batch)
                places = [np.arange(*starts[t.sentence_id : t.sentence_id + 2]) for t in batch]
                found[np.concatenate(places)] = runs.rows(run)
        np.testing.assert_allclose(found, X, rtol=1e-5, atol=1e-6)


def test_a_text_without_edited_positions(models, sentences):
    model, tokenizer = models("bert")

    def where(inputs):
        return torch.zeros_like(inputs["input_ids"], dtype=torch.bool)

    with EditedRuns(ActivationExtractor(model, tokenizer), layer=1, where=where) as runs:
        (batch,) = runs.batches(runs.encode(sentences))
        run = runs.start(batch)
        with pytest.raises(ValueError, match="Text 2: where does not select any position"):
            runs.rows(run)


def test_other_layers_are_read_with_the_edit(models, sentences):
    model, tokenizer = models("bert")
    extractor, edit = ActivationExtractor(model, tokenizer), edits_by_name["steer"]
    with EditedRuns(extractor, layer=1, read={"second": 2, "same": 1}) as runs:
        (batch,) = runs.batches(runs.encode(sentences))
        runs.start(batch)
        before, found = runs.states, runs.run(edit)
    torch.testing.assert_close(
        found.states["same"], before + 3 * torch.from_numpy(edit.direction).float()
    )
    with torch.no_grad(), intervene(model, {1: edit}):
        expected = model(**found.inputs, output_hidden_states=True).hidden_states[2]
    mask = found.attended
    torch.testing.assert_close(found.states["second"][mask], expected[mask], rtol=1e-5, atol=1e-6)
    with (
        EditedRuns(extractor, layer=2, read={"below": 1}) as runs,
        pytest.raises(ValueError, match="layer 1, where 'below' is measured, is below layer 2"),
    ):
        runs.start(batch)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_the_model_is_restored_after_an_error(models, sentences, error):
    model, tokenizer = models("llama with a head")
    model.train()
    hooks = n_hooks(model)

    class Failing(SteeringVector):
        def state_edit(self, dtype, device):
            raise error

    def use():
        with EditedRuns(ActivationExtractor(model, tokenizer), layer=2) as runs:
            (batch,) = runs.batches(runs.encode(sentences))
            runs.start(batch)
            runs.run(Failing(np.ones(16)))

    with pytest.raises(error):
        use()
    assert model.training
    model.eval()
    assert n_hooks(model) == hooks
    assert not any("forward" in vars(module) for module in model.modules())


def test_a_batch_equals_single_texts(models, sentences):
    model, tokenizer = models("llama with a head")
    extractor, edit = ActivationExtractor(model, tokenizer), edits_by_name["project"]
    with EditedRuns(extractor, layer=2) as runs:
        encoded = runs.encode(sentences)
        (batch,) = runs.batches(encoded)
        runs.start(batch)
        together = runs.run(edit)
        for number, text in enumerate(batch):
            runs.start([text])
            alone = runs.run(edit).logits[0]
            torch.testing.assert_close(
                together.logits[number, : len(alone)], alone, rtol=1e-4, atol=1e-5
            )


def test_a_model_by_name_has_its_head(corpus, tiny_bert, tmp_path, sentences):
    model, tokenizer = make("gpt2 with a head", corpus, tiny_bert)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with EditedRuns(ActivationExtractor(str(tmp_path)), layer=1) as runs:
        (batch,) = runs.batches(runs.encode(sentences))
        run = runs.start(batch)
    compare(full_run(model, run, {}), run)
    assert run.logits is not None


def test_a_model_whose_blocks_cannot_be_left_out(models, sentences):
    """A block that leaves something behind for the blocks above it."""
    model, tokenizer = make_with_side_channel(models)
    edit = edits_by_name["steer"]
    with EditedRuns(ActivationExtractor(model, tokenizer), layer=2) as runs:
        (batch,) = runs.batches(runs.encode(sentences))
        with pytest.warns(UserWarning, match="so they are computed for each edit"):
            unedited = runs.start(batch)
        found = runs.run(edit)
        assert runs.n_bypassed == 0
    compare(full_run(model, unedited, {2: edit}), found)


def make_with_side_channel(models):
    model, tokenizer = models("bert")
    model = transformers.BertModel(model.config).eval()
    left = []
    first, last = model.encoder.layer[0], model.encoder.layer[2]

    class First(type(first)):
        def forward(self, *args, **kwargs):
            output = super().forward(*args, **kwargs)
            left.append(1)
            return output

    class Last(type(last)):
        def forward(self, hidden_states, *args, **kwargs):
            shift = len(left)
            left.clear()
            return super().forward(hidden_states + shift, *args, **kwargs)

    first.__class__, last.__class__ = First, Last
    return model, tokenizer


def test_a_block_that_requires_what_a_block_below_leaves(models, sentences):
    """As if it shared keys and values."""
    model, tokenizer = models("bert")
    model = transformers.BertModel(model.config).eval()
    shared = {}
    first, last = model.encoder.layer[0], model.encoder.layer[2]

    class First(type(first)):
        def forward(self, hidden_states, *args, **kwargs):
            shared["states"] = hidden_states
            return super().forward(hidden_states, *args, **kwargs)

    class Last(type(last)):
        def forward(self, hidden_states, *args, **kwargs):
            return super().forward(hidden_states + shared.pop("states"), *args, **kwargs)

    first.__class__, last.__class__ = First, Last
    with EditedRuns(ActivationExtractor(model, tokenizer), layer=2) as runs:
        (batch,) = runs.batches(runs.encode(sentences))
        with pytest.warns(UserWarning, match="so they are computed for each edit"):
            unedited = runs.start(batch)
        found = runs.run(edits_by_name["steer"])
    compare(full_run(model, unedited, {2: edits_by_name["steer"]}), found)


class HeadOnAllStates(transformers.LlamaForCausalLM):
    """A head that reads the states of all layers but the last one."""

    def forward(self, input_ids=None, attention_mask=None, **kwargs):
        states = self.model(
            input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=True
        ).hidden_states
        weights = range(1, len(states))
        mixed = sum(weight * state for weight, state in zip(weights, states[:-1], strict=True))
        return transformers.modeling_outputs.CausalLMOutput(logits=self.lm_head(mixed))


def test_a_head_that_reads_the_layers_below_the_edit(models, sentences):
    model, tokenizer = models("llama with a head")
    model = HeadOnAllStates(model.config).eval()
    edit = edits_by_name["steer"]
    with EditedRuns(ActivationExtractor(model, tokenizer), layer=2) as runs:
        (batch,) = runs.batches(runs.encode(sentences))
        unedited, found = runs.start(batch), runs.run(edit)
        assert runs.n_bypassed == 2
    compare(full_run(model, unedited, {}), unedited)
    compare(full_run(model, unedited, {2: edit}), found)


@pytest.mark.parametrize("option", ["output_hidden_states", "output_attentions"])
def test_all_returned_states_are_those_of_a_full_run(models, sentences, option):
    config = deepcopy(models("llama with a head")[0].config)
    config._attn_implementation = "eager"
    model = transformers.LlamaForCausalLM(config).eval()
    setattr(model.config, option, True)
    tokenizer, edit = models("llama with a head")[1], edits_by_name["steer"]
    with EditedRuns(ActivationExtractor(model, tokenizer), layer=2) as runs:
        (batch,) = runs.batches(runs.encode(sentences))
        if option == "output_attentions":  # those of the blocks below are not computed again
            with pytest.warns(UserWarning, match="so they are computed for each edit"):
                runs.start(batch)
        else:
            runs.start(batch)
        found = runs.run(edit)
        assert runs.n_bypassed == (2 if option == "output_hidden_states" else 0)
    name = option.removeprefix("output_")
    expected = full_run(model, found, {2: edit})
    assert len(found.outputs[name]) == len(expected[name]) >= 3
    for one, other in zip(found.outputs[name], expected[name], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("path", ["layers.0", "layers.1.mlp"])
def test_hooks_of_the_user_are_called_in_each_run(models, sentences, path):
    model, tokenizer = models("llama with a head")
    seen = []
    hook = model.model.get_submodule(path).register_forward_hook(
        lambda module, args, output: seen.append(output.clone())
    )
    with hook:
        with EditedRuns(ActivationExtractor(model, tokenizer), layer=2) as runs:
            (batch,) = runs.batches(runs.encode(sentences))
            unedited = runs.start(batch)
            seen.clear()
            for edit in edits_by_name.values():
                runs.run(edit)
        assert len(seen) == len(edits_by_name)
        full_run(model, unedited, {})
    for output in seen[:-1]:
        torch.testing.assert_close(output, seen[-1], rtol=1e-5, atol=1e-6)


def test_texts_must_not_be_left_out(models):
    model, tokenizer = models("bert")
    with pytest.raises(ValueError, match="on_truncate='drop' would leave out texts"):
        EditedRuns(ActivationExtractor(model, tokenizer, on_truncate="drop"), layer=1)
