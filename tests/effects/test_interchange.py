"""Interchanged states determine what is computed from them, and nothing else."""

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from sklearn_neurox import (
    ActivationExtractor,
    Neurons,
    interchange_effect,
    logit_difference,
    patching_map,
    probe_accuracy,
    where,
)

from ..extraction.small_models import make
from ..planted import WIDTH, planted

RIGHT, WRONG = "w0", "w1"
DIFFERENCE = logit_difference(RIGHT, WRONG)
# Words of the other class at one position, so only A, B and random neurons differ there.
TEXTS = ["w0 w1 w2 w3 w4", "w2 w1 w0", "w4 w3 w4 w5 w6", "w6 w7 w8 w9"]
SOURCES = ["w0 w3 w5 w3 w4", "w2 w1 w1", "w5 w3 w4 w5 w6", "w6 w4 w8 w7"]


@pytest.fixture(scope="module", params=["decoder", "encoder"])
def network(request):
    return planted(request.param)


@pytest.fixture(scope="module")
def decoder():
    return planted("decoder")


def extractor_of(network, **options):
    return ActivationExtractor(network.model, network.tokenizer, **options)


def last(outputs, batch):
    """A number that any difference of the output at the last position changes."""
    ends = batch["attention_mask"].sum(dim=1) - 1
    states = outputs[0][torch.arange(len(ends)), ends].double()
    return (states * torch.linspace(1, 2, states.shape[-1])).sum(dim=1)


def outcome(network, text, metric=last):
    inputs = network.tokenizer(text, return_tensors="pt")
    with torch.no_grad():
        return metric(network.model(**inputs), inputs).item()


class TestTruths:
    @pytest.mark.parametrize("layer", range(4))
    def test_all_positions_of_a_layer_reproduce_the_source(self, network, layer):
        """The states of any layer determine all that is computed above it."""
        found = interchange_effect(
            extractor_of(network), TEXTS, SOURCES, layer=layer, metrics=[last, "output"]
        )
        unedited = [outcome(network, text) for text in TEXTS]
        expected = [outcome(network, text) for text in SOURCES]
        np.testing.assert_allclose(found.unedited["last"], unedited, rtol=1e-5)
        np.testing.assert_allclose(found.effects["last"] + unedited, expected, rtol=1e-5)
        alone = interchange_effect(
            extractor_of(network), TEXTS[1:2], SOURCES[1:2], layer=layer, metrics=last
        )
        # Bit for bit, if the batches have the same shape.
        exact = interchange_effect(
            extractor_of(network), SOURCES[1:2], SOURCES[1:2], layer=layer, metrics=last
        )
        assert alone.effects["last"] + alone.unedited["last"] == pytest.approx(
            exact.unedited["last"], rel=1e-15
        )

    @pytest.mark.parametrize("layer", [0, 1, 3, "mlp"])
    def test_an_interchange_with_itself_has_no_effect(self, network, layer):
        place = Neurons((2,), 24, "mlp") if layer == "mlp" else layer
        found = interchange_effect(
            extractor_of(network), TEXTS, TEXTS, layer=place, metrics=[last, "output"]
        )
        assert not found.effects["last"].any()
        assert not found.effects["output"].any()

    def test_only_the_planted_neurons_have_an_effect(self, decoder):
        def effects(neurons, layer):
            metrics = [DIFFERENCE, "kl", "output"]
            found = interchange_effect(
                extractor_of(decoder), TEXTS, SOURCES, layer=layer, neurons=neurons, metrics=metrics
            )
            return np.array([found.effects[name] for name in found.effects])

        for layer in range(3):
            assert not effects(decoder.copies, layer).any()
            assert effects(decoder.used, layer).any() == (layer <= decoder.layer)
        assert effects(decoder.mlp_used, Neurons((2,), 24, "mlp")).any()
        assert not effects(decoder.mlp_copies, Neurons((2,), 24, "mlp")).any()
        some = Neurons((2,), 24, "mlp")[list(decoder.mlp_used)]
        np.testing.assert_array_equal(
            effects(None, some), effects(decoder.mlp_used, Neurons((2,), 24, "mlp"))
        )

    def test_it_is_what_a_hook_does(self, decoder):
        """By hand: record the state of the source at a position, and put it into the text."""
        inputs, source = (
            decoder.tokenizer(texts[0], return_tensors="pt") for texts in (TEXTS, SOURCES)
        )

        def put(module, args, kwargs):
            state = (args or (kwargs["hidden_states"],))[0].clone()
            state[:, 3] = states[:, 3]
            return (state,), {k: v for k, v in kwargs.items() if k != "hidden_states"}

        def difference():
            logits = decoder.model(**inputs).logits
            return (logits[0, -1, 4] - logits[0, -1, 5]).item()

        with torch.no_grad():
            states = decoder.model(**source, output_hidden_states=True).hidden_states[1]
            expected = -difference()
            block = decoder.model.model.layers[1]
            with block.register_forward_pre_hook(put, with_kwargs=True):
                expected += difference()
        found = interchange_effect(
            extractor_of(decoder), TEXTS[:1], SOURCES[:1], layer=1, alignment=[(3, 3)],
            metrics=DIFFERENCE,
        )  # fmt: skip
        assert abs(expected) > 1e-3
        assert next(iter(found.effects.values()))[0] == pytest.approx(expected, abs=1e-6)

    def test_a_batch_equals_single_texts(self, network):
        for options in ({}, {"alignment": "end"}, {"alignment": [(1, 1), (-1, -1)]}):
            sources = [*SOURCES[:3], "w1 w2"] if options.get("alignment") == "end" else SOURCES
            together, alone = (
                [
                    interchange_effect(
                        extractor_of(network),
                        texts,
                        own,
                        layer=1,
                        metrics=[last, "output"],
                        **options,
                    ).effects
                    for texts, own in parts
                ]
                for parts in (
                    [(TEXTS, sources)],
                    [([text], [own]) for text, own in zip(TEXTS, sources, strict=True)],
                )
            )
            for name in ("last", "output"):
                expected = np.concatenate([each[name] for each in alone])
                np.testing.assert_allclose(together[0][name], expected, rtol=1e-4, atol=1e-5)
            assert together[0]["output"].any()

    def test_kl_is_that_of_the_predictions(self, decoder):
        found = interchange_effect(
            extractor_of(decoder), TEXTS[:1], SOURCES[:1], layer=0, metrics="kl"
        )
        before, after = (
            log_softmax(
                decoder.model(**decoder.tokenizer(text, return_tensors="pt"))
                .logits[0]
                .detach()
                .numpy(),
                axis=-1,
            )
            for text in (TEXTS[0], SOURCES[0])
        )
        expected = (np.exp(before) * (before - after)).sum(axis=1).mean()
        assert found.effects["kl"][0] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("kind", ["gpt2 with a head", "distilbert", "bart", "t5"])
def test_other_architectures(corpus, tiny_bert, kind):
    """Any layer determines the output. Of an encoder-decoder, the encoder is run."""
    extractor = ActivationExtractor(*make(kind, corpus, tiny_bert))
    text, source = [[[5, 6, middle, 8, 9]] for middle in (17, 30)]
    found = patching_map(extractor, text, source)
    assert found.source_effects["output"][0] > 1e-6
    for joint in found.joint_effects["output"]:
        np.testing.assert_array_equal(joint, found.source_effects["output"])
    assert found.effects["output"][0, 2] == found.source_effects["output"]
    assert not found.effects["output"][0, [0, 1, 3, 4]].any()


class TestPositions:
    def test_where_selects_positions_of_the_texts(self, decoder):
        def third(inputs):
            return (torch.arange(inputs["input_ids"].shape[1]) == 3).expand_as(inputs["input_ids"])

        options = dict(layer=1, metrics=DIFFERENCE)
        by_mask, by_pairs = (
            interchange_effect(extractor_of(decoder), TEXTS, SOURCES, **options, **each).effects
            for each in ({"where": third}, {"alignment": [(3, 3)]})
        )
        for name, values in by_mask.items():
            np.testing.assert_array_equal(values, by_pairs[name])
            assert values.any()

    def test_a_rule_selects_positions_of_the_texts_only(self, decoder):
        """Sources need not contain what the rule looks for."""
        options = dict(layer=1, metrics=DIFFERENCE)
        by_rule, by_pairs = (
            interchange_effect(
                extractor_of(decoder), ["w0 w1 w2"], ["w0 w1 w3"], **options, **each
            ).effects
            for each in ({"where": where.span("w2")}, {"alignment": [(3, 3)]})
        )
        for name, values in by_rule.items():
            np.testing.assert_array_equal(values, by_pairs[name])
            assert values.any()

    def test_alignments(self, decoder):
        """Words that are added at the beginning of sources do not matter, counted from the end."""
        longer = [f"w8 {text}" for text in SOURCES]
        options = dict(layer=0, metrics=last, neurons=decoder.used)

        def effects(sources, alignment=None):
            extractor = extractor_of(decoder)
            found = interchange_effect(extractor, TEXTS, sources, alignment=alignment, **options)
            return found.effects["last"]

        sizes = [len(text.split()) for text in TEXTS]  # the special token is not a word
        ends = [[(-i, -i) for i in range(1, size + 1)] for size in sizes]
        np.testing.assert_allclose(effects(longer, ends), effects(SOURCES), rtol=1e-4)
        whole = [[(-i, -i) for i in range(1, size + 2)] for size in sizes]
        np.testing.assert_array_equal(effects(longer, whole), effects(longer, "end"))
        assert not np.allclose(effects(longer, whole), effects(longer, ends))
        starts = [[(i, i) for i in range(size + 1)] for size in sizes]
        np.testing.assert_array_equal(effects(longer, starts), effects(longer, "start"))
        np.testing.assert_array_equal(
            effects(longer, [(1, 1), (2, 3)]), effects(longer, [[(1, 1), (2, 3)]] * 4)
        )

    def test_lengths_differ(self, decoder):
        extractor, longer = extractor_of(decoder), [*SOURCES[:3], "w1 w2"]
        with pytest.raises(ValueError, match="Text 3 has 5 tokens, but its source has 3"):
            interchange_effect(extractor, TEXTS, longer, layer=1)
        with pytest.raises(ValueError, match="Text 3 has 5 tokens, but its source has 3"):
            patching_map(extractor, TEXTS, longer)

    @pytest.mark.parametrize(
        ("alignment", "error", "message"),
        [
            (
                "middle",
                ValueError,
                "alignment must be 'start', 'end' or pairs of positions, got 'mid",
            ),
            (3, TypeError, "alignment must be 'start', 'end' or pairs of positions, got 3"),
            ([(0, 0), (6, 5)], ValueError, "contains position 6, but text 0 has 6 tokens"),
            ([(0, -7)], ValueError, "contains position -7, but source of text 0 has 6 tokens"),
            ([(1, 1), (1, 2)], ValueError, "contains position 1 of text 0 twice"),
            ([(1, 1), (-5, 2)], ValueError, "contains position 1 of text 0 twice"),
            ([[(0, 0)]], ValueError, "must contain pairs for each of the 4 texts, got 1"),
            ([[(0, 0)]] * 3 + [[]], ValueError, "alignment of text 3 must be a list of pairs"),
            ([[(0, 0, 0)]] * 4, ValueError, "alignment of text 0 must be a list of pairs"),
            ([(0.5, 1.0)], ValueError, "alignment of text 0 must be a list of pairs"),
        ],
        ids=str,
    )
    def test_invalid_alignments(self, decoder, alignment, error, message):
        with pytest.raises(error, match=message):
            interchange_effect(extractor_of(decoder), TEXTS, SOURCES, layer=1, alignment=alignment)


class TestMaps:
    def test_a_map_consists_of_interchanges(self, network):
        extractor = extractor_of(network)
        texts, sources = [TEXTS[0], TEXTS[2]], [SOURCES[0], SOURCES[2]]
        metrics = [last, "output"]
        found = patching_map(extractor, texts, sources, metrics=metrics, layers=[0, 2])
        n_positions = len(network.tokenizer(TEXTS[0]).input_ids)
        assert found.effects["last"].shape == (2, n_positions, 2)
        assert found.layers == (0, 2)
        for row, layer in enumerate(found.layers):
            for position in (1, 2, n_positions - 1):
                expected = interchange_effect(
                    extractor, texts, sources, layer=layer, alignment=[(position, position)],
                    metrics=metrics,
                ).effects  # fmt: skip
                for name, values in expected.items():
                    np.testing.assert_allclose(
                        found.effects[name][row, position], values, rtol=1e-5, atol=1e-7
                    )

    def test_all_positions_reproduce_the_source(self, network):
        found = patching_map(
            extractor_of(network), TEXTS, SOURCES, metrics=[last, "output"], positions=[-1, 0]
        )
        assert found.positions == (-1, 0)
        whole = patching_map(
            extractor_of(network), TEXTS[:1], SOURCES[:1], metrics=[last, "output"]
        )
        for name, values in whole.joint_effects.items():
            for row in values:  # exactly, because the batches have the same shape
                np.testing.assert_array_equal(row, whole.source_effects[name])
        expected = [outcome(network, text) for text in SOURCES]
        np.testing.assert_allclose(
            found.source_effects["last"] + found.unedited["last"], expected, rtol=1e-5
        )

    def test_an_interchange_with_itself_has_no_effect(self, network):
        found = patching_map(extractor_of(network), TEXTS[:1], TEXTS[:1], metrics=last)
        assert not found.effects["last"].any()
        assert not found.source_effects["last"].any()
        with pytest.raises(ValueError, match="the same mean 'last', so there are no shares"):
            found.share()

    def test_it_shows_where_the_class_of_the_last_word_is(self, decoder):
        """The block above layer 1 moves it from A to what predicts, at the same position."""
        found = patching_map(
            extractor_of(decoder),
            ["w0 w1 w2"],
            ["w0 w1 w1"],
            metrics=DIFFERENCE,
            layers=[0, 1, 2, 3],
        )
        share = found.share()
        np.testing.assert_allclose(share[:, -1], 1, rtol=1e-5)
        assert not share[:, :-1].any()  # the states of the other positions are equal
        assert found.tokens == ("<s>", "w0", "w1", "w2/w1")
        earlier = patching_map(
            extractor_of(decoder), ["w0 w1 w2"], ["w0 w2 w2"], metrics=DIFFERENCE
        )
        # Attention in the block above layer 1 reads it at the last position.
        share = earlier.share()
        np.testing.assert_allclose(share[:2, 2] + share[:2, 3], share[0, 2], atol=1e-2)
        assert abs(share[2, 3]) > 0.9

    def test_parts_of_blocks(self, decoder):
        found = patching_map(
            extractor_of(decoder), TEXTS[:1], SOURCES[:1], modules="mlp", metrics=DIFFERENCE
        )
        assert found.layers == (1, 2, 3)
        assert found.unit == "mlp"
        expected = interchange_effect(
            extractor_of(decoder), TEXTS[:1], SOURCES[:1], layer=Neurons((2,), 24, "mlp"),
            alignment=[(3, 3)], metrics=DIFFERENCE,
        )  # fmt: skip
        name = next(iter(expected.effects))
        np.testing.assert_allclose(found.effects[name][1, 3], expected.effects[name], rtol=1e-5)

    def test_sources_of_another_length(self, decoder):
        longer = [f"w8 {text}" for text in SOURCES]
        found = patching_map(
            extractor_of(decoder),
            TEXTS,
            longer,
            alignment="end",
            positions=range(-2, 0),
            metrics=last,
        )
        assert found.source_effects is None
        assert found.tokens == ("", "")
        with pytest.raises(ValueError, match="Shares require sources of the length of their texts"):
            found.share()

    def test_a_rule_selects_the_columns(self, decoder):
        """The last word of each text is one column, wherever it is."""
        rule = where.span("w4") | where.span("w0") | where.span("w9")
        texts = ["w0 w1 w2 w3 w4", "w2 w1 w0", "w6 w7 w8 w9"]
        sources = ["w1 w1 w2 w3 w5", "w2 w1 w1", "w6 w7 w8 w7"]
        options = dict(metrics=DIFFERENCE, layers=[0, 1, 3])
        found = patching_map(
            extractor_of(decoder), texts, sources, where=rule, positions=[-1], **options
        )
        assert found.positions == (-1,)
        assert found.mean().shape == (3, 1)
        for row, layer in enumerate(found.layers):
            expected = interchange_effect(
                extractor_of(decoder), texts, sources, layer=layer, metrics=DIFFERENCE,
                alignment=[[(5, 5)], [(3, 3)], [(4, 4)]],
            )  # fmt: skip
            for name, values in expected.effects.items():
                np.testing.assert_allclose(found.effects[name][row, 0], values, rtol=1e-5)
                assert values.any()
        # Without special tokens, the columns are the words.
        words = patching_map(
            extractor_of(decoder), texts[:1], sources[:1], where=~where.special(), **options
        )
        whole = patching_map(extractor_of(decoder), texts[:1], sources[:1], **options)
        assert words.tokens == whole.tokens[1:]
        np.testing.assert_allclose(words.mean(), whole.mean()[:, 1:], rtol=1e-5, atol=1e-7)

    def test_a_function_selects_the_columns(self, decoder):
        def third(inputs):
            return (torch.arange(inputs["input_ids"].shape[1]) == 3).expand_as(inputs["input_ids"])

        options = dict(metrics=DIFFERENCE)
        by_function = patching_map(extractor_of(decoder), TEXTS, SOURCES, where=third, **options)
        by_position = patching_map(extractor_of(decoder), TEXTS, SOURCES, positions=[3], **options)
        assert by_function.positions == (0,)
        for name, values in by_position.effects.items():
            np.testing.assert_array_equal(by_function.effects[name], values)

    def test_a_rule_with_an_alignment(self, decoder):
        longer = [f"w8 {text}" for text in SOURCES]
        options = dict(alignment="end", metrics=last, layers=[1])
        by_rule = patching_map(extractor_of(decoder), TEXTS, longer, where=where.last(2), **options)
        by_position = patching_map(
            extractor_of(decoder), TEXTS, longer, positions=[-2, -1], **options
        )
        np.testing.assert_array_equal(by_rule.effects["last"], by_position.effects["last"])

    @pytest.mark.parametrize(
        ("options", "error", "message"),
        [
            (
                {"where": where.span("w4")},
                ValueError,
                r"Text [13]: where.span\('w4'\) does not select",
            ),
            (
                {"where": where.span("w9"), "alignment": [(1, 1)]},
                ValueError,
                r"Text 0: where.span\('w9'\) does not select any of the aligned positions",
            ),
            ({"where": ~where.special()}, ValueError, "Text 0 has 5 aligned .* text 1 has 3"),
            (
                {"where": where.first(), "positions": [1]},
                ValueError,
                "contains 1, but text 0 has 1",
            ),
            ({"where": "last"}, ValueError, "'where' parameter of patching_map must be a callable"),
            ({"where": where.role("user")}, ValueError, "role"),
        ],
        ids=str,
    )
    def test_invalid_rules(self, decoder, options, error, message):
        with pytest.raises(error, match=message):
            patching_map(extractor_of(decoder), TEXTS, SOURCES, **options)

    def test_results(self, decoder):
        pytest.importorskip("pandas")
        found = patching_map(
            extractor_of(decoder), TEXTS[:1], SOURCES[:1], metrics=[DIFFERENCE, "kl"], layers=[1, 2]
        )
        frame = found.to_frame()
        assert frame.shape == (2 * 2 * 6, 3)
        np.testing.assert_array_equal(
            frame.loc["kl"]["effect"].to_numpy().reshape(2, 6), found.mean("kl")
        )
        assert frame.loc["kl"].loc[(2, 3), "token"] == "w2/w5"
        joint = frame["joint_effect"].to_numpy().reshape(2, 2, 6)
        assert (joint[1, 1] == found.joint_effects["kl"][1].mean()).all()
        assert repr(found).startswith("PatchingMap(2 layers, 6 positions, 1 text)\n  logit_diff")
        assert "w2/w5" in found._repr_html_()
        with pytest.raises(ValueError, match=r"metric must be one of .*'kl'\], got 'loss'"):
            found.mean("loss")

    @pytest.mark.parametrize(
        ("options", "error", "message"),
        [
            (
                {},
                ValueError,
                "Text 0 has 6 aligned positions, but text 1 has 4. Pass the positions",
            ),
            ({"positions": [5]}, ValueError, "contains 5, but text 1 has 4 aligned positions"),
            ({"positions": [-5]}, ValueError, "contains -5, but text 1 has 4 aligned positions"),
            ({"positions": [1, 1]}, ValueError, "positions must be distinct"),
            ({"positions": []}, TypeError, "positions must be a list of integers"),
            ({"positions": [0.5]}, TypeError, "positions must be a list of integers"),
            (
                {"positions": [0], "layers": [2, 4]},
                ValueError,
                r"between 0 .* and 3 .*got \[2, 4\]",
            ),
            ({"positions": [0], "layers": [2, 1]}, ValueError, "must be in ascending order"),
            ({"positions": [0], "modules": "none"}, ValueError, "modules='none' was not found"),
        ],
        ids=str,
    )
    def test_invalid_input(self, decoder, options, error, message):
        with pytest.raises(error, match=message):
            patching_map(extractor_of(decoder), TEXTS, SOURCES, **options)


class TestResults:
    def test_the_interval_is_over_groups(self, decoder):
        options = dict(layer=1, metrics=last, random_state=0)
        single = interchange_effect(extractor_of(decoder), TEXTS, SOURCES, **options)
        grouped = interchange_effect(
            extractor_of(decoder), TEXTS, SOURCES, groups=[0, 0, 1, 1], **options
        )
        assert single.means["last"].value == single.effects["last"].mean()
        assert grouped.means["last"].value == single.means["last"].value
        pairs = single.effects["last"].reshape(2, 2).mean(axis=1)
        assert grouped.means["last"].low == pytest.approx(pairs.min())
        assert grouped.means["last"].high == pytest.approx(pairs.max())
        assert single.place == "layer 1"
        assert "interchange at layer 1" in repr(single)

    def test_nothing_is_changed(self, decoder):
        before = {name: weight.clone() for name, weight in decoder.model.state_dict().items()}
        hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in decoder.model.modules()]
        interchange_effect(extractor_of(decoder), TEXTS, SOURCES, layer=1)
        patching_map(extractor_of(decoder), TEXTS[:1], SOURCES[:1])
        with pytest.raises(ZeroDivisionError):
            interchange_effect(
                extractor_of(decoder), TEXTS, SOURCES, layer=1, metrics=lambda outputs, batch: 1 / 0
            )
        assert hooks == [
            len(m._forward_hooks) + len(m._forward_pre_hooks) for m in decoder.model.modules()
        ]
        for name, weight in decoder.model.state_dict().items():
            assert torch.equal(weight, before[name])

    @pytest.mark.parametrize(
        ("options", "error", "message"),
        [
            ({"layer": 4}, ValueError, "does not have layer 4. Its layers are 0"),
            ({"layer": "model.none"}, ValueError, "does not have the module 'model.none'"),
            ({"neurons": [WIDTH]}, ValueError, "There are 32 neurons, .* got 32"),
            ({"neurons": [1, 1]}, ValueError, "Each neuron can be listed only once"),
            ({"sources": SOURCES[:2]}, ValueError, "one source for each of the 4 texts, got 2"),
            ({"sources": "w1"}, TypeError, "Expected a list of at least one sentence"),
            ({"groups": [0, 1]}, ValueError, "groups must contain .* 4 texts, got 2"),
            ({"metrics": "accuracy"}, ValueError, "metrics must be among 'loss'"),
            ({"metrics": []}, ValueError, "at least one metric"),
            ({"metrics": logit_difference("w0 w1", "w1")}, ValueError, "must be a single token"),
            ({"model": 3}, TypeError, "model must be a torch.nn.Module"),
            ({"confidence_level": 1}, ValueError, "The 'confidence_level' parameter"),
            ({"where": "last"}, ValueError, "The 'where' parameter"),
        ],
        ids=str,
    )
    def test_invalid_input(self, decoder, options, error, message):
        given = dict(model=extractor_of(decoder), texts=TEXTS, sources=SOURCES, layer=1) | options
        with pytest.raises(error, match=message):
            interchange_effect(**given)

    def test_metrics_that_the_model_cannot_give(self):
        network = planted("encoder")
        for metrics in ("kl", "loss", DIFFERENCE):
            for measure in (patching_map, interchange_effect):
                options = {"layer": 1} if measure is interchange_effect else {"positions": [0]}
                with pytest.raises(ValueError, match="does not return logits, so the metric"):
                    measure(extractor_of(network), TEXTS, SOURCES, metrics=metrics, **options)

    def test_probes_require_labels(self, decoder, classification):
        from sklearn.linear_model import RidgeClassifier

        metric = probe_accuracy(RidgeClassifier().fit(*classification), layer=3)
        with pytest.raises(ValueError, match="'accuracy at layer 3' cannot be measured for inter"):
            interchange_effect(extractor_of(decoder), TEXTS, SOURCES, layer=1, metrics=metric)
