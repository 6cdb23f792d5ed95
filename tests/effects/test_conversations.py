"""Effects on conversations, at the tokens that rules select."""

import numpy as np
import pytest
import torch
import transformers
from sklearn.linear_model import RidgeClassifier

from sklearn_neurox import (
    ActivationExtractor,
    LeaceEraser,
    SteeringVector,
    causal_effect,
    interchange_effect,
    intervene,
    probe_accuracy,
    where,
)

from ..extraction.small_templates import ASSISTANT, SYSTEM, USER, with_template
from ..extraction.small_tokenizers import make_tokenizer

CHATS = [[USER], [SYSTEM, USER, ASSISTANT, USER], [USER, ASSISTANT], [ASSISTANT, USER]]


@pytest.fixture(scope="module")
def chat(corpus):
    tokenizer = with_template(make_tokenizer("qwen2", corpus, {}), "chatml")
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=3, num_attention_heads=2,
        num_key_value_heads=1, intermediate_size=24, max_position_embeddings=128,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config).eval(), tokenizer


def last_logit(outputs, batch):
    places = batch["attention_mask"].sum(dim=1) - 1
    return outputs.logits[torch.arange(len(places)), places, 7]


@pytest.mark.parametrize(
    "rule", [where.role("user"), where.last(), where.role("user").last(), ~where.special()], ids=str
)
def test_only_the_selected_tokens_are_edited(chat, rule):
    model, tokenizer = chat
    edit = SteeringVector(np.linspace(-1, 1, 16))
    extractor = ActivationExtractor(model, tokenizer)
    found = causal_effect(
        extractor, CHATS, layer=1, edit=edit, where=rule, metrics=last_logit, placebos=(),
    )  # fmt: skip
    tokens = extractor.extract_tokens(CHATS, where=rule)
    for i, messages in enumerate(CHATS):
        ids = torch.tensor([tokenizer.apply_chat_template(messages)["input_ids"]])
        mask = torch.zeros(ids.shape, dtype=torch.bool)
        mask[0, tokens.positions[tokens.sentence_ids == i]] = True
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        with torch.no_grad():
            before = last_logit(model(**inputs), inputs)
            with intervene(model, {1: edit}, where=lambda _, mask=mask: mask):
                after = last_logit(model(**inputs), inputs)
        expected = (after - before).item()
        np.testing.assert_allclose(found.effects["last_logit"][i], expected, atol=1e-5)


def test_strings_and_token_indices_have_the_same_effects(chat):
    model, tokenizer = chat
    texts = ["one two three", "the house of the king", "a b c d e"]
    edit = SteeringVector(np.linspace(-1, 1, 16))
    by_form = [
        causal_effect(
            ActivationExtractor(model, tokenizer), form, layer=2, edit=edit, placebos=("norm",),
            n_placebos=3, metrics=("loss", "kl"), random_state=0, where=where.first(2),
        )
        for form in (texts, [tokenizer(text)["input_ids"] for text in texts])
    ]  # fmt: skip
    for metric in ("loss", "kl"):
        np.testing.assert_allclose(*(found.effects[metric] for found in by_form), atol=1e-6)
        np.testing.assert_allclose(*(found.draws(metric, "norm") for found in by_form), atol=1e-5)


class TestLabels:
    """One label for each text, whatever its form."""

    options = dict(
        layer=1, labels=[0, 1] * 4, cv=2, n_placebos=2, metrics="kl", random_state=0,
        edit=LeaceEraser(),
    )  # fmt: skip
    texts = ["one two", "two house", "king one", "the king", "of the", "two", "house of", "one"]

    @pytest.mark.parametrize("rule", [None, where.role("user"), where.last()], ids=str)
    def test_conversations(self, chat, rule):
        model, tokenizer = chat
        extractor = ActivationExtractor(model, tokenizer, layers=[1])
        chats = [[SYSTEM, {"role": "user", "content": text}] for text in self.texts]
        found = causal_effect(extractor, chats, where=rule, **self.options)
        assert (found.effects["kl"] > 0).all()
        assert list(found.placebo_effects) == ["norm", "covariance", "control_task", "largest"]

        # The edit is that of a fit on the means of the edited positions of the training texts, or
        # on their pooled states.
        selected = ~where.special() if rule is None else rule
        rows = extractor.extract_tokens(chats, where=selected)
        X = np.array([rows.X[rows.sentence_ids == i].mean(axis=0) for i in range(8)])
        train, test = np.arange(4, 8), np.arange(4)
        edit = LeaceEraser().fit(X[train], np.array(self.options["labels"])[train])
        expected = causal_effect(
            extractor, [chats[i] for i in test], layer=1, edit=edit, where=rule, metrics="kl",
            placebos=(),
        )  # fmt: skip
        np.testing.assert_allclose(
            found.effects["kl"][test], expected.effects["kl"], rtol=1e-3, atol=1e-6
        )

    def test_a_probe(self, chat):
        model, tokenizer = chat
        extractor = ActivationExtractor(model, tokenizer, layers=[2])
        chats = [[{"role": "user", "content": text}] for text in self.texts]
        X = extractor.extract_prompts(chats, at="mean").X
        probe = RidgeClassifier().fit(X, self.options["labels"])
        metric = probe_accuracy(probe, layer=2)
        options = self.options | {"metrics": metric, "where": where.role("user")}
        found = causal_effect(extractor, chats, **options)
        np.testing.assert_array_equal(
            found.unedited[metric.name], probe.predict(X) == self.options["labels"]
        )

    @pytest.mark.parametrize("pooling", ["mean", "last", where.last()], ids=str)
    def test_token_indices_are_the_same_texts(self, chat, pooling):
        model, tokenizer = chat
        extractor = ActivationExtractor(model, tokenizer, pooling=pooling)
        by_form = [
            causal_effect(extractor, form, **self.options).effects["kl"]
            for form in (self.texts, [tokenizer(text)["input_ids"] for text in self.texts])
        ]
        np.testing.assert_allclose(*by_form, atol=1e-6)


def test_a_rule_that_selects_nothing_in_training(chat):
    model, tokenizer = chat
    texts = [["one", "two"], ["two", "three"], ["king", "one"], ["king", "two"]]
    options = dict(
        layer=1, edit=LeaceEraser(), labels=[[0, 1]] * 4, cv=[([0, 1], [2, 3])],
        where=where.span("king"), metrics="kl",
    )  # fmt: skip
    extractor = ActivationExtractor(model, tokenizer)
    message = r"where.span\('king'\) does not select any position of the 2 training texts of fold 0"
    with pytest.raises(ValueError, match=message):
        causal_effect(extractor, texts, **options, placebos="norm")
    assert causal_effect(extractor, texts, **options, placebos=()).effects["kl"].any()


def test_rules_that_a_text_does_not_fit(chat):
    model, tokenizer = chat
    edit = SteeringVector(np.ones(16))
    with pytest.raises(ValueError, match="Text 0 is not a conversation"):
        causal_effect(
            ActivationExtractor(model, tokenizer), ["one two", "three"], layer=1, edit=edit,
            where=where.role("user"), metrics="loss", placebos=(),
        )  # fmt: skip


def test_interchanges_that_replace_nothing(chat):
    model, tokenizer = chat
    extractor = ActivationExtractor(model, tokenizer)
    texts, sources = ["one two", "the house"], ["two one", "the king"]
    for rule, text in ((where.span("zz"), "[01]"), (where.span("two"), "1")):
        with pytest.raises(ValueError, match=rf"Text {text}: where.span\(.*\) does not select any"):
            interchange_effect(
                extractor, texts, sources, layer=1, where=rule, alignment="start", metrics="kl"
            )
