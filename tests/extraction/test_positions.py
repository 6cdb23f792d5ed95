"""Rules that select tokens of a text."""

import pickle
import re

import numpy as np
import pytest
import torch
from sklearn.base import clone

from sklearn_neurox import EncodedText, Where, where
from sklearn_neurox.extraction.texts import Message

#        0    1   2    3   4    5    6
TEXT = "<s>ab cd? ef. gh<e>"
TOKENS = ["<s>", "ab", " cd", "?", " ef", ".", " gh", "<e>"]
OFFSETS = [[0, 3], [3, 5], [5, 8], [8, 9], [9, 12], [12, 13], [13, 16], [16, 19]]


class Vocabulary:
    def convert_ids_to_tokens(self, ids):
        return [TOKENS[number] for number in ids]


def text_of(**changes):
    fields = dict(
        index=3, text=TEXT, inputs={"input_ids": np.arange(8)}, tokenizer=Vocabulary(),
        is_special=np.isin(np.arange(8), [0, 7]), known_offsets=np.array(OFFSETS),
        turns=(Message("user", ((3, 9),)), Message("assistant", ((10, 13),))),
    )  # fmt: skip
    return EncodedText(**(fields | changes))


def places(rule, **changes):
    return np.flatnonzero(rule.select(text_of(**changes))).tolist()


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (where, [0, 1, 2, 3, 4, 5, 6, 7]),
        (where.first(), [0]),
        (where.last(2), [6, 7]),
        (where.last(99), [0, 1, 2, 3, 4, 5, 6, 7]),
        (where.special(), [0, 7]),
        (~where.special(), [1, 2, 3, 4, 5, 6]),
        (where.role("user"), [1, 2, 3]),
        (where.role("user", "assistant"), [1, 2, 3, 4, 5]),
        (where.role(), [1, 2, 3, 4, 5]),
        (where.role("system"), []),
        (where.turn(1), [4, 5]),
        (where.turn(-2), [1, 2, 3]),
        (where.turn(2), []),
        (where.span("cd"), [2]),
        (where.span(" "), [2, 4, 6]),
        (where.span("d? e"), [2, 3, 4]),
        (where.span(re.compile(r"[a-d]+")), [1, 2]),
        (where.span("zz"), []),
        (where.after("cd"), [3, 4, 5, 6, 7]),
        (where.after(re.compile("c|e")), [3, 4, 5, 6, 7]),
        (where.after("<e>"), []),
        (where.after("zz"), []),
        (where.role("user").last(), [3]),
        (where.role("user").first(2), [1, 2]),
        (where.role("assistant").span("."), [5]),
        (where.last() & where.special(), [7]),
        (where.last() & ~where.special(), []),
        ((~where.special()).last(), [6]),
        (where.first() | where.last(), [0, 7]),
        (where.after("ab") & where.role("user"), [2, 3]),
        (where.role("user").after("ab"), [2, 3]),
        (where.role("assistant").after("e"), [5]),
        (where.role("assistant").after("ab"), []),
        (where.special().after(re.compile("<.>")), [7]),
        (where.span(re.compile("x*")), []),
    ],
)
def test_rules(rule, expected):
    assert places(rule) == expected
    # Theorems: negation, idempotence, De Morgan, and a copy that selects the same.
    others = [place for place in range(8) if place not in expected]
    assert places(~rule) == others
    assert places(rule & rule) == places(rule | rule) == expected
    assert places(~(rule & where.first(3))) == places(~rule | ~where.first(3))
    assert places(pickle.loads(pickle.dumps(rule))) == expected
    assert places(clone(rule, safe=False)) == expected


@pytest.mark.parametrize(
    "written",
    [
        "where.role('assistant').last()",
        "where.span('Paris') & ~where.special()",
        "(where.first() | where.turn(-1)).last(3)",
        "where.after('</think>').role('user', 'tool')",
        "~(where.generated() & where.special())",
        "where.span(re.compile('a+'))",
    ],
)
def test_rules_are_written_as_they_are_called(written):
    rule = eval(written)
    assert isinstance(rule, Where)
    assert repr(rule) == written


def test_generated_tokens():
    assert places(where.generated(), n_prompt=5) == [5, 6, 7]
    with pytest.raises(ValueError, match=r"Text 3: where.generated\(\) selects tokens that the"):
        places(where.generated())


def test_texts_without_messages_or_characters():
    with pytest.raises(ValueError, match="Text 3 is not a conversation"):
        places(where.role("user"), turns=None)
    with pytest.raises(ValueError, match="Text 3: the characters of each token are not known"):
        places(where.span("cd"), known_offsets=None)
    assert places(where.last(), turns=None, known_offsets=None) == [7]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: where.last(0), ValueError, "n must be a positive integer, got 0"),
        (lambda: where.first(True), ValueError, "n must be a positive integer, got True"),
        (lambda: where.role(3), TypeError, "role must be a string that is not empty, got 3"),
        (lambda: where.turn("1"), TypeError, "number must be an integer, got '1'"),
        (lambda: where.span(""), TypeError, "pattern must be a string that is not empty or a com"),
        (lambda: where.span(re.compile(b"a")), TypeError, "pattern must be a string"),
        (lambda: where & 3, TypeError, "unsupported operand"),
        (lambda: where.first() and where.last(), TypeError, "Combine rules by &, | and ~"),
        (lambda: not where.last(), TypeError, "Combine rules by &, | and ~"),
    ],
)
def test_arguments_that_are_not_valid(make, error, message):
    with pytest.raises(error, match=message):
        make()


MASK = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 0, 0, 0]])
IDS = torch.tensor([[9, 9, 7, 1, 8], [7, 1, 2, 3, 8], [7, 8, 9, 9, 9]])


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (where, MASK.bool().tolist()),
        (where.first(), [[0, 0, 1, 0, 0], [1, 0, 0, 0, 0], [1, 0, 0, 0, 0]]),
        (where.last(), [[0, 0, 0, 0, 1], [0, 0, 0, 0, 1], [0, 1, 0, 0, 0]]),
        (where.special(), [[0, 0, 1, 0, 1], [1, 0, 0, 0, 1], [1, 1, 0, 0, 0]]),
        (~where.special(), [[0, 0, 0, 1, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0]]),
    ],
)
def test_positions_of_running_networks(rule, expected):
    """Padding is on either side, and is never selected."""
    found = rule({"input_ids": IDS, "attention_mask": MASK}, special_ids={7, 8})
    assert found.dtype == torch.bool
    assert found.tolist() == [[bool(each) for each in row] for row in expected]


def test_running_networks_do_not_receive_the_text():
    inputs = {"input_ids": IDS, "attention_mask": MASK}
    for rule in (where.role("user"), where.span("a"), where.after("a"), where.generated()):
        with pytest.raises(ValueError, match=r"where.* needs the text, but a running network"):
            rule(inputs)
    with pytest.raises(ValueError, match="needs the indices of the tokens and of special tokens"):
        where.special()({"attention_mask": MASK})
    with pytest.raises(ValueError, match=r"require input_ids or an attention_mask of shape"):
        where.last()({"inputs_embeds": torch.zeros(2, 3, 4)})
    step = {"input_ids": IDS[:, -1:], "attention_mask": torch.ones_like(MASK)}  # with a cache
    assert where.special()(step, special_ids={7, 8})[:, -1].tolist() == [True, True, False]
    assert (~where.special())(step, special_ids={7, 8})[:, -1].tolist() == [False, False, True]
    without_mask = where.last()({"input_ids": IDS})
    assert without_mask[:, -1].all()
    assert not without_mask[:, :-1].any()
