"""The effect of an edit is that of the edit alone, and is measured on texts that it has not seen."""

import numpy as np
import pytest
import torch
import transformers
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import SelectKBest
from sklearn.model_selection import KFold, LeaveOneOut, ShuffleSplit

from sklearn_neurox import (
    ActivationExtractor,
    CausalEffect,
    DirectionProjector,
    LeaceEraser,
    LinearProbeClassifier,
    MeanDifferenceClassifier,
    NeuronAblator,
    Neurons,
    ProbelessSelector,
    SteeringVector,
    causal_effect,
    intervene,
    logit_difference,
    probe_accuracy,
)

from ..planted import LAYER, WIDTH, planted

FEW = dict(n_placebos=3, random_state=0)


@pytest.fixture(scope="module")
def decoder():
    return planted("decoder", n_texts=20)


@pytest.fixture(scope="module")
def encoder():
    return planted("encoder", n_texts=20)


def effect_of(network, edit, **options):
    options = {"layer": LAYER, "tokenizer": network.tokenizer} | FEW | options
    return causal_effect(network.model, network.texts, edit=edit, **options)


def ablate(neurons):
    return NeuronAblator(neurons).fit(np.zeros((1, WIDTH)))


class TestTruth:
    """Effects that are known."""

    def test_an_edit_that_changes_nothing(self, decoder):
        metrics = ["loss", "kl", "output", logit_difference("w1", "w2")]
        found = effect_of(decoder, ablate([]), metrics=metrics)
        for metric, effects in found.effects.items():
            assert not effects.any()
            assert (found.means[metric].low, found.means[metric].high) == (0, 0)
            assert not found.share(metric, "norm") < 1
            assert found.p_value(metric, "norm") == found.p_value(metric, "covariance") == 1

    @pytest.mark.parametrize("seed", range(4))
    def test_neurons_that_are_read_and_their_copies(self, seed):
        """Probes have the same score on both."""
        network = planted("decoder", seed, n_texts=12)
        options = dict(metrics=["loss", "kl"], placebos=())
        used = effect_of(network, ablate(network.used), **options)
        copies = effect_of(network, ablate(network.copies), **options)
        for metric in ("loss", "kl"):
            assert used.means[metric].low > 0
            assert (used.effects[metric] > 0).all()
            assert not copies.effects[metric].any()

    @pytest.mark.slow
    @pytest.mark.parametrize("seed", range(100))
    def test_many_planted_networks(self, seed):
        self.test_neurons_that_are_read_and_their_copies(seed)

    def test_the_neurons_that_a_probe_selects(self, decoder):
        """It selects both, or an arbitrary one of them, because they are equal."""
        found = effect_of(
            decoder,
            NeuronAblator([], mode="mean"),
            ranking=ProbelessSelector(n_neurons=4),
            labels=decoder.labels,
            metrics="loss",
        )
        assert found.means["loss"].low > 0
        assert found.share("loss", "norm") == 0

    def test_erasing_the_class(self, encoder):
        """Linear erasure removes what the network reads."""
        erased = effect_of(
            encoder, LeaceEraser(), labels=encoder.labels, metrics="output", placebos=()
        )
        ablated = effect_of(
            encoder, ablate([*encoder.used, *encoder.copies]), metrics="output", placebos=()
        )
        assert erased.means["output"].value == pytest.approx(
            ablated.means["output"].value, rel=0.15
        )

    @pytest.mark.parametrize("layer", [0, 1, 2])
    def test_a_linear_network(self, corpus, layer):
        """Blocks that add nothing and no normalization: logits are products of the states."""
        network = planted("decoder")
        model = network.model
        with torch.no_grad():
            for block in model.model.layers:
                block.self_attn.o_proj.weight.zero_()
                block.mlp.down_proj.weight.zero_()
        model.model.norm = torch.nn.Identity()
        direction = np.random.RandomState(0).normal(size=WIDTH)
        found = causal_effect(
            model, network.texts, tokenizer=network.tokenizer, layer=layer,
            edit=SteeringVector(direction, 2), metrics=logit_difference(5, 9), **FEW,
        )  # fmt: skip
        head = model.lm_head.weight.detach().double().numpy()
        expected = 2 * (head[5] - head[9]) @ direction
        (effects,) = found.effects.values()
        np.testing.assert_allclose(effects, expected, rtol=1e-4)
        (score,) = found.means.values()
        assert score.low == pytest.approx(score.high)

    @pytest.mark.parametrize("metric", ["loss", "kl"])
    def test_the_definition_of_the_effect(self, decoder, metric):
        """By plain runs of one text at a time."""
        edit = SteeringVector(np.random.RandomState(0).normal(size=WIDTH))
        found = effect_of(decoder, edit, metrics=metric, placebos=())
        for text, effect in zip(decoder.texts, found.effects[metric], strict=True):
            inputs = decoder.tokenizer(text, return_tensors="pt")
            inputs.pop("token_type_ids", None)
            with torch.no_grad():
                before = decoder.model(**inputs).logits[0].log_softmax(-1)
                with intervene(decoder.model, {LAYER: edit}):
                    after = decoder.model(**inputs).logits[0].log_softmax(-1)
            if metric == "kl":
                expected = (before.exp() * (before - after)).sum(-1).mean()
            else:
                ids = inputs["input_ids"][0, 1:, None]
                expected = (before[:-1].gather(1, ids) - after[:-1].gather(1, ids)).mean()
            assert effect == pytest.approx(float(expected), rel=1e-3, abs=1e-6)


def by_variance(X, y):
    return X.var(axis=0)


class TestFolds:
    """Edits are made from the training texts only."""

    def test_the_rows_are_those_of_the_extractor(self, encoder):
        extractor = ActivationExtractor(encoder.model, encoder.tokenizer, layers=[LAYER])
        splits = list(KFold(4).split(encoder.texts))
        words = extractor.extract(encoder.texts, encoder.labels)
        of_texts = [sum(labels) > 3 for labels in encoder.labels]
        for labels, X, y, owners in (
            (encoder.labels, words.X, words.y, words.sentence_ids),
            (of_texts, extractor.transform(encoder.texts), np.array(of_texts), np.arange(20)),
        ):
            seen = []

            def remember(X, y, seen=seen):
                seen.append((X, y))
                return ablate([])

            effect_of(encoder, remember, labels=labels, cv=splits, metrics="output", placebos=())
            for (train, _), (X_seen, y_seen) in zip(splits, seen, strict=True):
                rows = np.isin(owners, train)
                np.testing.assert_allclose(X_seen, X[rows], rtol=1e-5, atol=1e-6)
                np.testing.assert_array_equal(y_seen, y[rows])

    def test_a_fold_has_the_effect_of_its_edit(self, encoder):
        train, test = np.arange(12), np.arange(12, 20)
        extractor = ActivationExtractor(encoder.model, encoder.tokenizer, layers=[LAYER])
        tokens = extractor.extract(encoder.texts, encoder.labels)
        rows = tokens.sentence_ids < 12
        eraser = LeaceEraser().fit(tokens.X[rows], tokens.y[rows])
        whole = effect_of(encoder, eraser, metrics="output", placebos=())
        found = effect_of(
            encoder, LeaceEraser(), labels=encoder.labels, cv=[(train, test)], metrics="output",
            placebos=(),
        )  # fmt: skip
        np.testing.assert_array_equal(found.text_ids, test)
        np.testing.assert_allclose(
            found.effects["output"], whole.effects["output"][test], rtol=1e-4, atol=1e-7
        )

    def test_groups_are_not_split(self, encoder):
        groups = np.arange(20) // 4
        seen = []

        def remember(X, y):
            seen.append(set(y.tolist()))
            return ablate([])

        effect_of(encoder, remember, labels=groups, groups=groups, metrics="output", placebos=())
        assert [len(labels) for labels in seen] == [4] * 5

    def test_a_selector_of_scikit_learn(self, encoder):
        labels = [sum(labels) > 3 for labels in encoder.labels]
        found = effect_of(
            encoder,
            NeuronAblator([]),
            ranking=SelectKBest(by_variance, k=3),
            labels=labels,
            metrics="output",
        )
        assert found.edit == "NeuronAblator of SelectKBest"

    def test_control_labels(self, encoder):
        """The same for each word, and drawn again for each placebo."""
        seen = []

        def remember(X, y):
            seen.append((X, y))
            return DirectionProjector(MeanDifferenceClassifier().fit(X, y).direction_)

        found = effect_of(
            encoder, remember, labels=encoder.labels, metrics="output", cv=2, n_placebos=4
        )
        assert found.placebo_effects["control_task"]["output"].shape == (4, 20)
        assert len(seen) == 2 * 5
        words = [word for text in encoder.texts for word in text.split()]
        sizes = [len(labels) for labels in encoder.labels]
        owners = np.repeat(np.arange(20), sizes)
        splits = list(KFold(2).split(encoder.texts))
        for fold, (train, _) in enumerate(splits):
            types = np.array(words)[np.isin(owners, train)]
            drawn = [y for _, y in seen[5 * fold + 1 : 5 * fold + 5]]
            for y in drawn:
                assert all(len(set(y[types == word].tolist())) == 1 for word in set(types))
            assert len({tuple(y.tolist()) for y in drawn}) == 4

    @pytest.mark.parametrize("vary", [False, True])
    def test_control_labels_of_groups(self, encoder, vary):
        """If the labels do not differ within groups, neither do those of the control task."""
        groups = np.arange(20) // 2
        labels = groups % 2
        if vary:
            labels = np.where(np.arange(20) == 5, 1 - labels, labels)
        seen = []

        def remember(X, y):
            seen.append(y)
            return ablate([])

        effect_of(
            encoder, remember, labels=labels, groups=groups, metrics="output", cv=2,
            placebos="control_task", n_placebos=8,
        )  # fmt: skip
        controls = [y for fold in (0, 1) for y in seen[9 * fold + 1 : 9 * fold + 9]]
        pairs = [len(set(y[i : i + 2].tolist())) for y in controls for i in range(0, 10, 2)]
        assert (max(pairs) == 1) is not vary


class TestSettings:
    def test_batches_do_not_matter(self, decoder):
        edit = LeaceEraser()
        found = [
            causal_effect(
                ActivationExtractor(decoder.model, decoder.tokenizer, batch_tokens=size),
                decoder.texts, layer=LAYER, edit=edit, labels=decoder.labels, **FEW,
            )
            for size in (1, 10_000)
        ]  # fmt: skip
        for metric in ("loss", "kl"):
            np.testing.assert_allclose(
                found[0].effects[metric], found[1].effects[metric], rtol=1e-3, atol=1e-6
            )
            for kind in found[0].placebo_effects:
                np.testing.assert_allclose(
                    found[0].placebo_effects[kind][metric],
                    found[1].placebo_effects[kind][metric],
                    rtol=1e-2, atol=1e-5,
                )  # fmt: skip

    def test_some_positions(self, decoder):
        """An edit of the last position does not change the predictions before it."""

        def last(inputs):
            mask = inputs["attention_mask"].bool()
            places = torch.arange(mask.shape[1]) * mask
            return places == places.max(dim=1, keepdim=True).values

        edit = SteeringVector(np.ones(WIDTH))
        found = effect_of(decoder, edit, where=last, metrics=["loss", "kl"])
        assert not found.effects["loss"].any()
        assert (found.effects["kl"] > 0).all()
        assert not found.placebo_effects["norm"]["loss"].any()
        assert (found.placebo_effects["norm"]["kl"] > 0).all()

    def test_neurons_of_the_feed_forward_network(self, decoder):
        place = Neurons([LAYER + 1], 24, "mlp")
        options = dict(layer=place, metrics="kl", placebos="norm")
        for neurons, used in ((decoder.mlp_used, True), (decoder.mlp_copies, False)):
            edit = NeuronAblator(neurons).fit(np.zeros((1, 24)))
            found = effect_of(decoder, edit, **options)
            assert found.effects["kl"].any() == used

    def test_damage(self, decoder):
        others = decoder.texts[:7]
        edit = ablate(decoder.used)
        found = effect_of(decoder, edit, unrelated=others, placebos=())
        alone = causal_effect(
            decoder.model, others, tokenizer=decoder.tokenizer, layer=LAYER, edit=edit, **FEW
        )
        for metric in ("loss", "kl"):
            assert found.damage[metric].value == pytest.approx(alone.means[metric].value)

    def test_damage_of_metrics_with_values_for_each_text(self, decoder):
        metrics = ["kl", logit_difference([5] * 20, 6)]
        found = effect_of(
            decoder, ablate(decoder.used), metrics=metrics, unrelated=["w1 w2"], placebos=()
        )
        assert list(found.damage) == ["kl"]

    def test_a_probe_on_a_later_layer(self, encoder):
        extractor = ActivationExtractor(encoder.model, encoder.tokenizer, layers=[2])
        tokens = extractor.extract(encoder.texts, encoder.labels)
        probe = LinearProbeClassifier(solver="owlqn", lambda_l1=1e-3).fit(tokens.X, tokens.y)
        assert probe.score(tokens.X, tokens.y) == 1
        metric = probe_accuracy(probe, layer=2)
        found = effect_of(
            encoder, ablate(range(WIDTH)), labels=encoder.labels, layer=2, metrics=metric,
            placebos=(),
        )  # fmt: skip
        (unedited,) = found.unedited.values()
        assert (unedited == 1).all()
        guess = probe.predict(np.zeros((1, WIDTH)))[0]
        expected = [np.mean(np.array(labels) == guess) - 1 for labels in encoder.labels]
        np.testing.assert_allclose(found.effects["accuracy at layer 2"], expected)

    def test_a_metric_of_the_user(self, decoder):
        def top(outputs, batch):
            return outputs.logits.max(dim=-1).values.mean(dim=1) * 0 + batch["text_ids"]

        found = effect_of(decoder, ablate(decoder.used), metrics=top, placebos=())
        np.testing.assert_array_equal(found.unedited["top"], np.arange(20))

    def test_the_same_seed(self, decoder):
        options = dict(labels=decoder.labels, metrics="kl")
        one, other = (effect_of(decoder, LeaceEraser(), **options) for _ in range(2))
        again = effect_of(decoder, LeaceEraser(), **options, random_state=1)
        for kind in ("norm", "covariance", "control_task"):
            draws = [each.placebo_effects[kind]["kl"] for each in (one, other, again)]
            np.testing.assert_array_equal(draws[0], draws[1])
            assert not np.array_equal(draws[0], draws[2])
        assert one.means == other.means

    def test_the_model_is_not_changed(self, decoder):
        before = {name: each.clone() for name, each in decoder.model.state_dict().items()}
        decoder.model.train()
        effect_of(decoder, LeaceEraser(), labels=decoder.labels)
        assert decoder.model.training
        decoder.model.eval()
        for name, tensor in decoder.model.state_dict().items():
            assert torch.equal(tensor, before[name])

    def test_an_encoder_decoder(self, decoder):
        sizes = dict(d_model=16, encoder_layers=3, decoder_layers=1, encoder_ffn_dim=24,
                     decoder_ffn_dim=24, encoder_attention_heads=2, decoder_attention_heads=2)  # fmt: skip
        config = transformers.BartConfig(vocab_size=20, max_position_embeddings=40, **sizes)
        model = transformers.BartForConditionalGeneration(config).eval()
        options = dict(
            tokenizer=decoder.tokenizer, layer=2, edit=SteeringVector(np.ones(16)), **FEW
        )
        found = causal_effect(model, decoder.texts, metrics="output", **options)
        assert (found.effects["output"] > 0).all()
        with pytest.raises(ValueError, match=r"does not return logits.*Use 'output'"):
            causal_effect(model, decoder.texts, **options)


class TestIntervals:
    def test_against_the_formula(self, decoder):
        found = effect_of(decoder, ablate(decoder.used), metrics="kl", placebos=())
        effects = found.effects["kl"]
        width = found.means["kl"].high - found.means["kl"].low
        assert width == pytest.approx(2 * 1.96 * effects.std() / np.sqrt(20), rel=0.15)

    def test_copies_of_a_text_do_not_make_it_narrower(self, decoder):
        texts = [text for text in decoder.texts for _ in range(4)]
        options = dict(
            tokenizer=decoder.tokenizer, layer=LAYER, edit=ablate(decoder.used), metrics="kl",
            placebos=(), random_state=0,
        )  # fmt: skip
        widths = []
        for each, groups in ((decoder.texts, None), (texts, np.arange(80) // 4), (texts, None)):
            mean = causal_effect(decoder.model, each, groups=groups, **options).means["kl"]
            widths.append(mean.high - mean.low)
        assert widths[1] == pytest.approx(widths[0], rel=0.15)
        assert widths[2] == pytest.approx(widths[0] / 2, rel=0.15)


@pytest.fixture(scope="module")
def result():
    zeros = {"kl": np.zeros(4)}
    draws = np.array([[1.0, 3.0], [-5.0, 1.0], [0.0, 0.0], [4.0, 2.0]])
    from sklearn_neurox._bootstrap import Score

    return CausalEffect(
        effects={"kl": np.array([1.0, 3.0])},
        unedited=zeros,
        means={"kl": Score(2.0, 1.0, 3.0)},
        placebo_effects={"norm": {"kl": draws}, "largest": {"kl": np.array([[9.0, 9.0]])}},
        text_ids=np.arange(2),
        damage={"kl": Score(0.5, None, None)},
        edit="LeaceEraser",
        place="layer 3",
    )


class TestResult:
    def test_p_values(self, result):
        assert result.draws("kl", "norm").tolist() == [2, -2, 0, 3]
        assert result.share("kl", "norm") == 0.75
        assert result.p_value("kl", "norm") == 4 / 5
        assert np.isnan(result.p_value("kl", "largest"))
        assert result.share("kl", "largest") == 1
        with pytest.raises(ValueError, match=r"placebo must be one of \['norm', 'largest'\]"):
            result.draws("kl", "covariance")
        with pytest.raises(ValueError, match=r"metric must be one of \['kl'\], got 'loss'"):
            result.draws("loss", "norm")

    def test_frame(self, result):
        frame = result.to_frame()
        assert frame.index.tolist() == [("kl", "norm"), ("kl", "largest")]
        assert frame.columns.tolist() == [
            "effect", "low", "high", "median", "placebo_low", "placebo_high", "share", "p", "damage",
        ]  # fmt: skip
        row = frame.loc["kl", "norm"]
        assert (row["effect"], row["low"], row["high"], row["damage"]) == (2, 1, 3, 0.5)
        assert (row["median"], row["share"], row["p"]) == (1, 0.75, 0.8)
        assert np.isnan(frame.loc[("kl", "largest"), "p"])

    def test_text(self, result):
        assert str(result) == (
            "CausalEffect(LeaceEraser at layer 3, 2 texts)\n"
            "  kl: 2.000 [1.000, 3.000]; median of placebos: norm 1.000 (p=0.800), largest 9.000"
        )

    def test_html(self, result):
        page = result._repr_html_()
        assert "<caption>CausalEffect(LeaceEraser at layer 3, 2 texts)</caption>" in page
        assert page.count("<tr>") == 3
        assert "<td>0.800</td>" in page


def projector(X, y):
    return DirectionProjector(MeanDifferenceClassifier().fit(X, y).direction_)


class TestInvalidInput:
    """Every message says what was expected."""

    @pytest.mark.parametrize(
        ("edit", "options", "error", "match"),
        [
            (LeaceEraser, {}, TypeError, "edit must be a transformer"),
            (3, {}, TypeError, "edit must be a transformer"),
            (LeaceEraser(), {}, ValueError, "LeaceEraser is fitted on labels"),
            (projector, {}, ValueError, "projector is fitted on labels"),
            (LeaceEraser(), {"labels": [1, 2]}, ValueError, "one value for each of the 20 texts"),
            (LeaceEraser(), {"labels": [1] * 20, "groups": [1]}, ValueError, "groups must contain"),
            (
                LeaceEraser(),
                {"labels": np.arange(20) % 2, "groups": np.arange(20) % 3},
                ValueError,
                "There are 5 folds, but there are only 3 groups",
            ),
            (
                LeaceEraser(),
                {"labels": np.arange(20) % 2, "cv": ShuffleSplit(5, random_state=0)},
                ValueError,
                "each text in at most one test set",
            ),
            (
                LeaceEraser(),
                {"labels": np.arange(20) % 2, "cv": [(np.arange(9), np.arange(8, 20))]},
                ValueError,
                "Fold 0 of cv contains text 8 both in training and in test",
            ),
            (SteeringVector(np.ones(5)), {}, ValueError, "states of 5 neurons, but layer 1 has 32"),
            (ablate([1]), {"layer": 7}, ValueError, "does not have layer 7"),
            (ablate([1]), {"layer": "nowhere"}, ValueError, "nowhere"),
            (ablate([1]), {"placebos": "control_task"}, ValueError, "made from labels"),
            (NeuronAblator([1]), {"placebos": "control_task"}, ValueError, "made without labels"),
            (ablate([1]), {"placebos": ["norm", "random"]}, ValueError, "placebos must be"),
            (ablate([1]), {"placebos": ["norm", "norm"]}, ValueError, "distinct"),
            (ablate([1]), {"n_placebos": 0}, ValueError, "n_placebos"),
            (ablate([1]), {"where": 3}, ValueError, "where"),
            (ablate([1]), {"metrics": logit_difference(1, 99)}, ValueError, "the token 99"),
            (
                NeuronAblator([]),
                {"ranking": ProbelessSelector(), "labels": np.arange(20) % 2},
                ValueError,
                "keeps all 32 neurons",
            ),
            (LeaceEraser(), {"ranking": ProbelessSelector()}, TypeError, "parameter neurons"),
            (NeuronAblator([]), {"ranking": [1, 2]}, TypeError, "ranking must be a selector"),
            (
                lambda X, y: LeaceEraser(),
                {"labels": np.arange(20) % 2},
                NotFittedError,
                "is not fitted",
            ),
        ],
    )
    def test_before_any_work(self, decoder, edit, options, error, match):
        with pytest.raises(error, match=match):
            effect_of(decoder, edit, **options)

    def test_models(self, encoder, decoder):
        with pytest.raises(TypeError, match="model must be a torch"):
            causal_effect(3, ["a"], layer=1, edit=ablate([1]))
        with pytest.raises(ValueError, match="requires its tokenizer"):
            causal_effect(decoder.model, ["a"], layer=1, edit=ablate([1]))
        extractor = ActivationExtractor(decoder.model, decoder.tokenizer)
        with pytest.raises(ValueError, match="already has a tokenizer"):
            causal_effect(extractor, ["a"], layer=1, edit=ablate([1]), tokenizer=decoder.tokenizer)
        with pytest.raises(ValueError, match=r"BertModel does not return logits.*Use 'output'"):
            effect_of(encoder, ablate([1]))

    def test_texts(self, decoder):
        options = dict(tokenizer=decoder.tokenizer, layer=1, edit=ablate([1]), **FEW)
        with pytest.raises(TypeError, match="list of at least one sentence"):
            causal_effect(decoder.model, "w1 w2", **options)
        with pytest.raises(ValueError, match="where does not select any position of any text"):
            causal_effect(
                decoder.model,
                ["w1 w2"],
                where=lambda inputs: torch.zeros_like(inputs["input_ids"], dtype=torch.bool),
                **options,
            )

    def test_a_probe_below_the_edit(self, encoder):
        probe = LinearProbeClassifier(solver="owlqn", lambda_l1=0.1).fit(
            np.eye(WIDTH), np.arange(WIDTH) % 2
        )
        with pytest.raises(ValueError, match="is below layer 2, which is edited"):
            effect_of(
                encoder, ablate([1]), layer=2, labels=encoder.labels,
                metrics=probe_accuracy(probe, layer=1),
            )  # fmt: skip

    def test_control_labels_that_cannot_be_drawn(self, decoder):
        with pytest.raises(ValueError, match="labels of a control task could not be drawn"):
            causal_effect(
                decoder.model, ["w1", "w2"], tokenizer=decoder.tokenizer, layer=1,
                edit=projector, labels=[0, 1], cv=LeaveOneOut(), metrics="kl",
                placebos="control_task", n_placebos=1,
            )  # fmt: skip

    def test_a_direction_of_zeros_names_the_fold(self, encoder):
        """The mean difference is 0 in the second fold only."""
        calls = []

        def difference(X, y):
            calls.append(len(y))
            return SteeringVector(X.mean(axis=0) * (len(calls) != 2))

        with pytest.raises(ValueError, match="direction must not be 0") as caught:
            effect_of(
                encoder, difference, labels=encoder.labels, cv=3, metrics="output", placebos=()
            )
        assert caught.value.__notes__ == ["The error occurred in fold 1."]

    def test_a_placebo_that_fails_is_named(self, encoder):
        calls = []

        def first_only(X, y):  # the first call is that of the edit itself
            calls.append(len(y))
            return SteeringVector(X.mean(axis=0) * (len(calls) == 1))

        with pytest.raises(ValueError, match="direction must not be 0") as caught:
            effect_of(
                encoder, first_only, labels=encoder.labels, cv=3, metrics="output",
                placebos=("control_task",),
            )  # fmt: skip
        assert caught.value.__notes__ == [
            "The error occurred for the placebo 'control_task'.",
            "The error occurred in fold 0.",
        ]
