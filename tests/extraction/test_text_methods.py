"""Rows of tokens and prompts."""

import numpy as np
import pytest
import torch
import transformers

from sklearn_neurox import ActivationExtractor, SteeringVector, TokenActivations, intervene, where
from sklearn_neurox.extraction._conversations import ChatTemplate
from sklearn_neurox.extraction._generation import _continued
from sklearn_neurox.extraction._text_encoding import TextEncoder
from sklearn_neurox.extraction.aggregation import AGGREGATIONS

from .small_templates import ASSISTANT, SYSTEM, USER, conversations, with_template

SIZES = dict(
    hidden_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=48,
    max_position_embeddings=256,
)  # fmt: skip
CHATS = [*conversations(system=True), "Hello  world\n\n\tthe 日本 🗼 x", [5, 6, 7]]


def decoder_of(tokenizer):
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer), num_key_value_heads=2, **SIZES,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config).eval()


@pytest.fixture(scope="module")
def chat(tokenizer_of):
    """A decoder and its tokenizer, which has a chat template."""
    tokenizer = with_template(tokenizer_of("qwen2"), "chatml")
    return decoder_of(tokenizer), tokenizer


@pytest.fixture(scope="module")
def extractor(chat):
    return ActivationExtractor(*chat, layers=[0, 2])


def ids_of(text, tokenizer, **options):
    if isinstance(text, str):
        return tokenizer(text)["input_ids"]
    if isinstance(text[0], int):
        return text
    return tokenizer.apply_chat_template(text, **options)["input_ids"]


def states_alone(model, ids):
    """Return the states of the layers 0 and 2 in a plain run of a single text."""
    with torch.no_grad():
        states = model(torch.tensor([ids]), output_hidden_states=True).hidden_states
    return torch.cat([states[0][0], states[2][0]], dim=-1).numpy()


@pytest.mark.parametrize("padding_side", ["left", "right"])
@pytest.mark.parametrize("batch_tokens", [1, 300, 5000])
def test_tokens_have_the_states_of_a_plain_run(chat, padding_side, batch_tokens):
    model, tokenizer = chat
    tokenizer.padding_side = padding_side
    extractor = ActivationExtractor(model, tokenizer, layers=[0, 2], batch_tokens=batch_tokens)
    tokens = extractor.extract_tokens(CHATS)
    last = extractor.extract_prompts(CHATS)
    mean = extractor.extract_prompts(CHATS, at="mean")
    for i, text in enumerate(CHATS):
        expected = states_alone(model, ids_of(text, tokenizer))
        own = tokens[tokens.sentence_ids == i]
        np.testing.assert_allclose(own.X, expected, atol=1e-5)
        assert own.positions.tolist() == list(range(len(expected)))
        np.testing.assert_allclose(last.X[i], expected[-1], atol=1e-5)
        assert last.positions[i] == len(expected) - 1
        special = np.isin(ids_of(text, tokenizer), tokenizer.all_special_ids)
        np.testing.assert_allclose(mean.X[i], expected[~special].mean(axis=0), atol=1e-5)


@pytest.mark.parametrize("kind", ["bert", "xlm-r", "t5"])
def test_encoders(zoo, kind):
    model, tokenizer = zoo(kind)
    texts = ["the house of the king", "a man"]
    tokens = ActivationExtractor(model, tokenizer).extract_tokens(texts)
    for i, text in enumerate(texts):
        own = tokens[tokens.sentence_ids == i]
        stack = model.get_encoder() if model.config.is_encoder_decoder else model
        with torch.no_grad():
            output = stack(**tokenizer(text, return_tensors="pt"), output_hidden_states=True)
        expected = torch.cat(output.hidden_states, dim=-1)[0].numpy()
        np.testing.assert_allclose(own.X, expected, atol=1e-5)
        assert [word for word, (a, b) in zip(own.words, own.offsets, strict=True) if b > a] == [
            text[a:b] for a, b in own.offsets if b > a
        ]


def test_words_and_offsets_are_those_of_the_text(extractor):
    text = "Hello  world\n\n\tthe 日本 🗼 x"
    tokens = extractor.extract_tokens([text])
    assert [text[start:stop] for start, stop in tokens.offsets] == tokens.words.tolist()
    assert repr(tokens).startswith(f"TokenActivations({len(tokens)} tokens in 1 text, 64 neurons")


@pytest.mark.parametrize(
    ("at", "place_of"),
    [
        ("last", lambda words: len(words) - 1),
        ("first", lambda words: 0),
        (3, lambda words: 3),
        (-2, lambda words: len(words) - 2),
        (where.last(), lambda words: len(words) - 1),
        (where.after("user").first(2).last(), lambda words: first_user(words) + 2),
        (lambda text: text.text.count("\n"), lambda words: "".join(words).count("\n")),
    ],
    ids=["last", "first", "3", "-2", "rule", "rules", "function"],
)
def test_one_row_per_prompt(extractor, at, place_of):
    chats = [[USER], [USER, ASSISTANT], [SYSTEM, USER]]
    tokens = extractor.extract_tokens(chats)
    rows = extractor.extract_prompts(chats, [3, 4, 5], at=at)
    assert rows.sentence_ids.tolist() == [0, 1, 2]
    assert rows.y.tolist() == [3, 4, 5]
    for i in range(3):
        own = tokens[tokens.sentence_ids == i]
        expected = place_of(own.words.tolist())
        assert rows.positions[i] == expected
        assert rows.words[i] == own.words[expected]
        np.testing.assert_allclose(rows.X[i], own.X[expected], atol=1e-5)


def first_user(words):
    """Return the place of the last token of "user"."""
    ends = np.cumsum([len(word) for word in words])
    return int(np.searchsorted(ends, "".join(words).index("user") + 4))


def test_several_rows_of_a_prompt_in_one_run(chat, extractor, monkeypatch):
    chats = [[USER, ASSISTANT], [SYSTEM, USER, ASSISTANT]]
    at = {"end": "last", "mean": "mean", "answer": where.role("assistant").last(), "again": -1}
    calls = []
    with chat[0].get_input_embeddings().register_forward_hook(lambda *_: calls.append(1)):
        rows = extractor.extract_prompts(chats, ["a", "b"], at=at)
    assert list(rows) == list(at)
    n_calls = len(calls)
    for name, each in at.items():
        single = extractor.extract_prompts(chats, ["a", "b"], at=each)
        np.testing.assert_allclose(rows[name].X, single.X, atol=1e-6)
        assert rows[name].words.tolist() == single.words.tolist()
        assert rows[name].y.tolist() == ["a", "b"]
    assert n_calls <= 4  # a batch, and the check that padding does not matter
    np.testing.assert_array_equal(rows["end"].X, rows["again"].X)


def test_where_restricts_what_at_selects_from(extractor):
    chats = [[USER, ASSISTANT], [SYSTEM, USER, ASSISTANT]]
    tokens = extractor.extract_tokens(chats, where=where.role("assistant"))
    text = extractor.tokenizer.apply_chat_template(chats[0], tokenize=False)
    own = tokens.offsets[tokens.sentence_ids == 0]
    assert text[own[0, 0] : own[-1, 1]] == ASSISTANT["content"]
    for at, pick in (
        ("mean", lambda X: X.mean(axis=0)),
        ("last", lambda X: X[-1]),
        (1, lambda X: X[1]),
    ):
        rows = extractor.extract_prompts(chats, at=at, where=where.role("assistant"))
        for i in range(2):
            expected = pick(tokens.X[tokens.sentence_ids == i])
            np.testing.assert_allclose(rows.X[i], expected, atol=1e-5)


def test_labels_of_texts_and_of_tokens(extractor):
    texts = ["one two", "three"]
    tokens = extractor.extract_tokens(texts)
    counts = np.bincount(tokens.sentence_ids)
    by_text = extractor.extract_tokens(texts, ["a", "b"])
    assert by_text.y.tolist() == ["a"] * counts[0] + ["b"] * counts[1]
    labels = [list(range(counts[0])), list(range(counts[1]))]
    by_token = extractor.extract_tokens(texts, labels, where=where.last())
    assert by_token.y.tolist() == [counts[0] - 1, counts[1] - 1]


def test_labels_of_spans(extractor):
    texts = ["Paris is in France.", [USER, ASSISTANT]]
    place = ASSISTANT["content"].index("France")
    spans = [(0, 0, 5, "city"), (0, 12, 18, "land"), (1, 1, place, place + 6, "land")]
    tokens = extractor.extract_tokens(texts, spans=spans)
    for sentence, label, expected in (
        (0, "city", "Paris"),
        (0, "land", " France"),
        (1, "land", " France"),
    ):
        mask = (tokens.sentence_ids == sentence) & (tokens.y == label)
        assert "".join(tokens.words[mask]).strip() == expected.strip()
    whole = extractor.extract_tokens(texts, spans=spans, outside="O")
    assert len(whole) == len(extractor.extract_tokens(texts))
    assert whole[whole.y != "O"].words.tolist() == tokens.words.tolist()
    np.testing.assert_allclose(whole.X[whole.y != "O"], tokens.X, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (dict(labels=[1]), ValueError, "Got 2 texts, but labels for 1"),
        (dict(labels=[[1], [2, 3]]), ValueError, r"Text 0 has \d+ tokens, but 1 labels"),
        (dict(labels=[1, 2], spans=[(0, 0, 1, 1)]), ValueError, "cannot be used together"),
        (dict(outside="O"), ValueError, "so it needs spans"),
        (dict(spans=[]), ValueError, "spans is empty"),
        (dict(spans="a"), TypeError, "spans must be a list of tuples, got str"),
        (dict(spans=[(0, 1)]), ValueError, r"spans\[0\] must be \(text, start, stop, label\)"),
        (dict(spans=[(0, 1.0, 2, "a")]), TypeError, r"spans\[0\]: the places must be integers"),
        (dict(spans=[(2, 0, 1, "a")]), ValueError, "is in text 2, but there are 2 texts"),
        (dict(spans=[(0, 3, 3, "a")]), ValueError, r"0 <= start < stop <= 7, the length of text 0"),
        (dict(spans=[(0, 0, 99, "a")]), ValueError, "got start=0 and stop=99"),
        (dict(spans=[(0, 0, 0, 2, "a")]), ValueError, "Text 0 is not a conversation"),
        (dict(spans=[(0, 0, 3, "a"), (0, 1, 2, "b")]), ValueError, "label the token 'on?e?'"),
        (dict(spans=[(0, 0, 3, "a"), (1, 1, 2, 3)]), TypeError, "labels of spans"),
        (dict(where="last"), TypeError, "where must be a Where such as where.role"),
        (dict(where=where.span("zz")), ValueError, r"where.span\('zz'\) does not select any token"),
    ],
)  # fmt: skip
def test_tokens_that_cannot_be_selected(extractor, arguments, error, message):
    with pytest.raises(error, match=message):
        extractor.extract_tokens(["one two", "three"], **arguments)


@pytest.mark.parametrize(
    ("at", "error", "message"),
    [
        ("middle", ValueError, r"at must be one of \['last', 'first', 'mean'\], got 'middle'"),
        (1.5, TypeError, "at must be one of"),
        (True, TypeError, "at must be one of"),
        ({}, ValueError, "got an empty dict"),
        ({"a": "b"}, ValueError, "got 'b'"),
        (99, ValueError, r"Text 0 has \d+ tokens to select from, .* at=99: 'one two'"),
        (where.span("three"), ValueError, r"Text 0: where.span\('three'\) selects no token"),
        (where.first(2), ValueError, r"Text 0: where.first\(2\) selects 2 tokens, .*\.first\(\) or"),
        (lambda text: "a", TypeError, "Text 0: the function at must return the index"),
        (lambda text: 99, ValueError, r"Text 0 has \d+ tokens, but the function at returns 99"),
    ],
    ids=[str(number) for number in range(10)],
)  # fmt: skip
def test_prompts_without_their_token(extractor, at, error, message):
    with pytest.raises(error, match=message):
        extractor.extract_prompts(["one two", "three"], at=at)


def test_a_function_must_return_one_of_the_selected_tokens(extractor):
    with pytest.raises(
        ValueError, match=r"the function at returns 0, the place of .*role\('assist"
    ):
        extractor.extract_prompts(
            [[USER, ASSISTANT]], at=lambda text: 0, where=where.role("assistant")
        )


def test_a_store_depends_on_all_inputs(zoo, tmp_path):
    model, tokenizer = zoo("bert")
    extractor = ActivationExtractor(model, tokenizer)
    text = {"input_ids": tokenizer("the house")["input_ids"]}
    types = np.arange(len(text["input_ids"])) % 2
    extractor.extract_tokens([text], store=tmp_path / "a")
    with pytest.raises(ValueError, match="subwords_sha256"):
        extractor.extract_tokens([text | {"token_type_ids": types}], store=tmp_path / "a")


def test_texts_beyond_the_limit(chat):
    extractor = ActivationExtractor(*chat, max_length=5)
    texts = ["one", "one two three four five six seven"]
    with pytest.raises(ValueError, match=r"Text 1 has \d+ tokens, which exceeds the limit of 5"):
        extractor.extract_prompts(texts)
    extractor.set_params(on_truncate="drop")
    assert extractor.extract_prompts(texts, ["a", "b"]).y.tolist() == ["a"]
    with pytest.raises(ValueError, match="No text is left"):
        extractor.extract_prompts(texts[1:])
    with pytest.raises(ValueError, match="on_truncate='warn' leaves out the ends"):
        extractor.set_params(on_truncate="warn").extract_prompts(texts)
    with pytest.raises(ValueError, match="add_prefix_space=True applies to sentences of words"):
        ActivationExtractor(*chat, add_prefix_space=True).extract_tokens(texts)


def test_stores_of_tokens(extractor, tmp_path):
    tokens = extractor.extract_tokens(CHATS, list(range(len(CHATS))))
    for _ in range(2):  # the second call finds the finished store
        stored = extractor.extract_tokens(CHATS, list(range(len(CHATS))), store=tmp_path / "a")
        np.testing.assert_allclose(stored.X, tokens.X, atol=1e-5)
        for name in ("words", "sentence_ids", "positions", "offsets", "y"):
            np.testing.assert_array_equal(getattr(stored, name), getattr(tokens, name))
    about = TokenActivations.describe(tmp_path / "a")
    assert about["n_words"] == len(tokens)
    with pytest.raises(ValueError, match="contains another store"):
        extractor.extract_tokens(CHATS[1:], list(range(1, len(CHATS))), store=tmp_path / "a")
    rows = extractor.extract_prompts(CHATS, store=tmp_path / "b")
    np.testing.assert_allclose(rows.X, extractor.extract_prompts(CHATS).X, atol=1e-5)
    with pytest.raises(ValueError, match="store cannot be used with a dict"):
        extractor.extract_prompts(CHATS, at={"a": "last"}, store=tmp_path / "c")
    some = tokens[np.flatnonzero(tokens.positions % 2)]
    some.save(tmp_path / "d")
    loaded = TokenActivations.load(tmp_path / "d")
    for name in ("X", "words", "sentence_ids", "positions", "offsets", "y"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(some, name))


def test_other_templates_are_recorded_in_stores(chat, tmp_path):
    template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    extractor = ActivationExtractor(*chat, layers=[1], chat_template=template)
    extractor.extract_prompts([[USER]], store=tmp_path / "a")
    assert TokenActivations.describe(tmp_path / "a")["parameters"]["chat_template"] == template


@pytest.mark.parametrize("use_cache", [True, False])
@pytest.mark.parametrize("kind", ["greedy", "sampled"])
def test_generated_tokens_have_the_states_during_generation(chat, extractor, use_cache, kind):
    model, tokenizer = chat
    options = {"do_sample": kind == "sampled", "use_cache": use_cache}
    prompts = [[USER], [USER, ASSISTANT, USER], [SYSTEM, USER], [ASSISTANT]]
    torch.manual_seed(0)
    answers, tokens = extractor.generate(prompts, max_new_tokens=6, **options)
    own = tokens[tokens.sentence_ids == 0]
    prompt = ids_of([USER], tokenizer, add_generation_prompt=True)
    if kind == "greedy":
        output = model.generate(
            torch.tensor([prompt]), max_new_tokens=6, output_hidden_states=True,
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            return_dict_in_generate=True, pad_token_id=0, **options,
        )  # fmt: skip
        new = output.sequences[0, len(prompt) :].tolist()
        assert answers[0] == tokenizer.decode(new, skip_special_tokens=True)
        steps = [
            np.concatenate([step[layer][0].numpy() for layer in (0, 2)], axis=-1)
            for step in output.hidden_states
        ]
        collected = np.concatenate(steps) if use_cache else steps[-1]
        np.testing.assert_allclose(own.X[: len(collected)], collected, atol=1e-5)
        assert len(own) == len(prompt) + len(new)
    torch.manual_seed(0)
    again, generated = extractor.generate(
        prompts, max_new_tokens=6, where=where.generated(), **options
    )
    assert again == answers
    assert generated.positions.min() == min(
        len(ids_of(p, tokenizer, add_generation_prompt=True)) for p in prompts
    )
    only = generated[generated.sentence_ids == 0]
    np.testing.assert_allclose(only.X, own.X[len(prompt) :], atol=1e-5)
    assert "".join(own.words).startswith(
        tokenizer.apply_chat_template([USER], tokenize=False, add_generation_prompt=True)
    )


def test_generated_answers_are_messages_of_the_assistant(extractor):
    prompts = [[USER, ASSISTANT, USER]]
    _, all_answers = extractor.generate(
        prompts, max_new_tokens=5, do_sample=False, where=where.turn(-1)
    )
    _, generated = extractor.generate(
        prompts, max_new_tokens=5, do_sample=False, where=where.generated() & ~where.special()
    )
    assert all_answers.positions.tolist() == generated.positions.tolist()
    assert len(generated)


def test_answers_end_at_the_end_token(chat, extractor):
    model, tokenizer = chat
    _, free = extractor.generate(
        ["one"], max_new_tokens=6, do_sample=False, where=where.generated()
    )
    third = model.generate(
        torch.tensor([tokenizer("one")["input_ids"]]), max_new_tokens=6, do_sample=False,
        attention_mask=torch.ones(1, len(tokenizer("one")["input_ids"]), dtype=torch.long),
        pad_token_id=0,
    )[0, len(tokenizer("one")["input_ids"]) + 2].item()  # fmt: skip
    _, tokens = extractor.generate(
        ["one"], max_new_tokens=6, do_sample=False, where=where.generated(), eos_token_id=third
    )
    assert len(free) == 6
    assert len(tokens) <= 3
    np.testing.assert_allclose(tokens.X, free.X[: len(tokens)], atol=1e-5)


@pytest.mark.parametrize("how", ["config", "criteria"])
def test_answers_do_not_contain_padding(chat, how):
    model, tokenizer = chat
    extractor = ActivationExtractor(model, tokenizer, layers=[1])
    prompts = [[5, 6], [7, 8], [9, 10], [11, 12]]
    options = {"max_new_tokens": 6, "do_sample": False, "where": where.generated()}
    free = model.generate(
        torch.tensor(prompts[:1]), max_new_tokens=6, do_sample=False, pad_token_id=0,
        attention_mask=torch.ones(1, 2, dtype=torch.long),
    )[0, 2:].tolist()  # fmt: skip

    def ends(input_ids, scores, **kwargs):
        return torch.tensor([len(row) >= 4 and row[0] == 5 for row in input_ids])

    if how == "config":
        config = transformers.GenerationConfig(do_sample=False)
        before = model.generation_config.eos_token_id
        model.generation_config.eos_token_id = free[1]
        try:
            _, tokens = extractor.generate(prompts, generation_config=config, **options)
        finally:
            model.generation_config.eos_token_id = before
    else:
        criteria = transformers.StoppingCriteriaList([ends])
        _, tokens = extractor.generate(prompts, stopping_criteria=criteria, **options)
    assert (tokens.sentence_ids == 0).sum() <= 2
    assert "<pad>" not in tokens.words
    assert tokenizer.pad_token not in tokens.words


def test_the_characters_of_answers_of_sentence_pieces(tokenizer_of):
    """The first token of an answer keeps the space before it."""
    tokenizer = tokenizer_of("llama")
    prompt = tokenizer("the house")["input_ids"]
    answer = tokenizer("the house of the king")["input_ids"][len(prompt) :]
    encoder = TextEncoder(tokenizer, ChatTemplate(tokenizer))
    (text,) = encoder.encode([prompt])
    found = _continued(encoder, text, np.array(answer))
    assert found.text == "the house of the king"
    assert where.span("house of").select(found).sum() >= 2


def test_models_that_cannot_generate(chat, tiny_bert):
    model, tokenizer = chat
    with pytest.raises(TypeError, match=r"generates text, .* got LlamaModel"):
        ActivationExtractor(model.model, tokenizer).generate(["a"], max_new_tokens=2)
    with pytest.raises(TypeError, match="generate needs a loaded model"):
        ActivationExtractor("name").generate(["a"], max_new_tokens=2)
    for value, error in ((0, ValueError), (1.0, TypeError), (True, TypeError)):
        with pytest.raises(error, match="max_new_tokens must be"):
            ActivationExtractor(model, tokenizer).generate(["a"], max_new_tokens=value)
    for name in ("labels", "spans", "at"):
        with pytest.raises(TypeError, match=f"generate does not accept {name}"):
            ActivationExtractor(model, tokenizer).generate(["a"], max_new_tokens=2, **{name: [1]})
    with pytest.raises(
        ValueError, match=r"tokens, which together with max_new_tokens=999 exceed th"
    ):
        ActivationExtractor(model, tokenizer).generate(["a"], max_new_tokens=999)
    with pytest.raises(ValueError, match="does not accept the argument 'num_return_sequences'"):
        ActivationExtractor(model, tokenizer).generate(
            ["a"], max_new_tokens=2, num_return_sequences=3
        )


def test_generation_does_not_change_the_model(chat, extractor):
    model, _ = chat
    model.train()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    settings = model.generation_config.to_dict()
    extractor.generate(["one", "two three"], max_new_tokens=3, do_sample=False)
    assert model.training
    model.eval()
    assert model.generation_config.to_dict() == settings
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, before[name])


def test_transform_of_conversations_and_with_a_rule(chat):
    model, tokenizer = chat
    chats = [[USER], [USER, ASSISTANT]]
    for pooling, at in (("last", "last"), ("mean", "mean"), (where.role("user").last(), None)):
        extractor = ActivationExtractor(model, tokenizer, layers=[2], pooling=pooling)
        expected = extractor.extract_prompts(chats, at=at or pooling).X
        np.testing.assert_array_equal(extractor.transform(chats), expected)
    extractor = ActivationExtractor(model, tokenizer, layers=[2], pooling=where.span("two").last())
    assert extractor.transform(["one two three", "two"]).shape == (2, 32)


def test_edits_at_the_positions_of_a_rule(chat):
    model, tokenizer = chat
    ids = torch.tensor([[5, 6, 7, 8], [5, 6, 7, 8]])
    mask = torch.tensor([[1, 1, 1, 1], [0, 1, 1, 1]])
    seen = {}

    shift = SteeringVector(np.ones(32))
    for name, rule in (("first", where.first()), ("special", where.special())):
        extractor = ActivationExtractor(model, tokenizer)
        with (
            torch.no_grad(),
            intervene(extractor, {1: shift}, where=rule),
            model.model.layers[1].register_forward_pre_hook(
                lambda module, args, kwargs: seen.update(state=args[0].clone()), with_kwargs=True
            ),
        ):
            model(ids, attention_mask=mask)
        edited = seen["state"]
        with (
            torch.no_grad(),
            model.model.layers[1].register_forward_pre_hook(
                lambda module, args, kwargs: seen.update(state=args[0].clone()), with_kwargs=True
            ),
        ):
            model(ids, attention_mask=mask)
        moved = (edited - seen["state"]).abs().amax(dim=-1) > 0.5
        special = [[number in tokenizer.all_special_ids for number in row] for row in ids.tolist()]
        expected = {
            "first": [[True, False, False, False], [False, True, False, False]],
            "special": (torch.tensor(special) & mask.bool()).tolist(),
        }[name]
        assert moved.tolist() == expected


def test_the_mean_of_a_single_token_is_this_token():
    """So rows of single tokens and of means are aggregated in the same run."""
    states = torch.tensor([[60000.0, -3.0], [1e-7, 2.0]], dtype=torch.float16)
    mean = AGGREGATIONS["mean"](states, np.array([0, 1]), np.array([1, 1]))
    assert torch.equal(mean, states)
