"""Outcomes of runs whose logits are given."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from sklearn_neurox import logit_difference, probe_accuracy
from sklearn_neurox.effects.outcomes import find_outcomes
from sklearn_neurox.extraction._encoding import EncodedSentence, Pieces
from sklearn_neurox.extraction.text_runs import TextRun

IDS = torch.tensor([[3, 1, 2, 0], [2, 2, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])


def run_of(logits=None, final=None, states=None):
    """A run on two texts of four and two tokens, with one row each."""
    texts = [
        EncodedSentence(0, ["a"], [0], {"input_ids": [3, 1, 2, 0]}, [None, 0, 0, None]),
        EncodedSentence(1, ["b"], [0], {"input_ids": [2, 2]}, [0, 0]),
    ]
    return TextRun(
        SimpleNamespace(logits=logits),
        {"input_ids": IDS, "attention_mask": MASK},
        texts,
        Pieces([None, 0, 0, None, 1, 1, None, None], None),
        torch.tensor([[0, 1, 1, 0], [1, 1, 0, 0]], dtype=torch.bool),
        final,
        states or {},
    )


def measure(metric, run, unedited=None, **options):
    (outcome,) = find_outcomes(metric, None, 2, **options)
    return outcome.measure(run, unedited or run)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_loss_is_the_mean_cross_entropy_of_the_next_token():
    logits = draw(2, 4, 5)
    expected = [
        torch.nn.functional.cross_entropy(logits[0, :3], IDS[0, 1:]),
        torch.nn.functional.cross_entropy(logits[1, :1], IDS[1, 1:2]),
    ]
    torch.testing.assert_close(measure("loss", run_of(logits)), torch.stack(expected))


def test_the_divergence_is_the_mean_over_the_positions_of_a_text():
    one, other = draw(2, 4, 5), draw(2, 4, 5, seed=1)
    found = measure("kl", run_of(other), run_of(one))
    for text, n in ((0, 4), (1, 2)):
        expected = torch.nn.functional.kl_div(
            other[text, :n].log_softmax(-1), one[text, :n].log_softmax(-1),
            log_target=True, reduction="batchmean",
        )  # fmt: skip
        torch.testing.assert_close(found[text], expected)
    assert torch.equal(measure("kl", run_of(one), run_of(one)), torch.zeros(2))


def test_the_divergence_of_one_distribution_per_text():
    one, other = draw(2, 3), draw(2, 3, seed=1)
    expected = torch.distributions.kl_divergence(
        torch.distributions.Categorical(logits=one), torch.distributions.Categorical(logits=other)
    )
    torch.testing.assert_close(measure("kl", run_of(other), run_of(one)), expected)


def test_the_output_is_pooled_over_the_rows():
    one, other = draw(2, 4, 5), draw(2, 4, 5, seed=1)
    found = measure("output", run_of(final=other), run_of(final=one))
    rows = [(each[0, 1:3].mean(0), each[1, :2].mean(0)) for each in (one, other)]
    for text, pair in enumerate(zip(*rows, strict=True)):
        expected = 1 - torch.nn.functional.cosine_similarity(*pair, dim=0)
        torch.testing.assert_close(found[text].float(), expected)


@pytest.mark.parametrize("n_virtual", [0, 2])
def test_the_logit_difference_is_at_the_last_position(n_virtual):
    logits = draw(2, n_virtual + 4, 5)
    found = measure(logit_difference(4, 1), run_of(logits))
    last = [logits[0, n_virtual + 3], logits[1, n_virtual + 1]]
    assert found.tolist() == [float(each[4] - each[1]) for each in last]
    found = measure(logit_difference([4, 3], [1, 2]), run_of(logits))
    assert found.tolist() == [float(last[0][4] - last[0][1]), float(last[1][3] - last[1][2])]


def test_tokens_by_their_text(tiny_bert):
    tokenizer = tiny_bert[1]
    (outcome,) = find_outcomes(logit_difference("the", "a"), tokenizer, 2)
    assert outcome.name == "logit_difference('the', 'a')"
    assert [outcome.right, outcome.wrong] == tokenizer.convert_tokens_to_ids(["the", "a"])
    with pytest.raises(ValueError, match=r"right must be a single token, but 'xylophone' consists"):
        find_outcomes(logit_difference("xylophone", "a"), tokenizer, 2)
    with pytest.raises(ValueError, match=r"wrong must contain one token for each of the 2 texts"):
        find_outcomes(logit_difference("the", ["a", "a", "a"]), tokenizer, 2)
    with pytest.raises(ValueError, match="must contain indices"):
        logit_difference("the", "a")(
            SimpleNamespace(logits=draw(2, 4, 5)), {"attention_mask": MASK}
        )


def test_a_logit_difference_is_immutable():
    with pytest.raises(AttributeError):
        logit_difference(1, 2).right = 3
    with pytest.raises(TypeError, match="right must be the index or the text"):
        logit_difference(None, 2)
    with pytest.raises(TypeError, match="wrong must be the index or the text"):
        logit_difference(1, [1.5])


def test_the_accuracy_of_a_probe():
    states = draw(2, 4, 5)
    X = torch.stack([states[0, 1:3].mean(0), states[1, :2].mean(0)]).numpy()
    probe = LogisticRegression(C=1e6).fit(X, ["x", "y"])
    metric = probe_accuracy(probe, layer=2)
    for labels, expected in ((["x", "y"], [1, 1]), (["y", "y"], [0, 1])):
        run = run_of(states={metric.name: states})
        found = measure(metric, run, labels=[np.array([label]) for label in labels])
        assert found.tolist() == expected
    with pytest.raises(ValueError, match="'accuracy at layer 2' requires labels"):
        find_outcomes(metric, None, 2)
    with pytest.raises(NotFittedError):
        probe_accuracy(DummyClassifier(), layer=2)


def test_a_function():
    def n_tokens(outputs, batch):
        return batch["attention_mask"].sum(dim=1) + 10 * batch["text_ids"]

    def three(outputs, batch):
        return torch.zeros(3)

    assert measure(n_tokens, run_of()).tolist() == [4, 12]
    with pytest.raises(ValueError, match=r"'three' must return one number for each of the 2"):
        measure(three, run_of())


@pytest.mark.parametrize(
    ("metrics", "error", "match"),
    [
        ("accuracy", ValueError, "metrics must be among 'loss', 'kl', 'output'"),
        ((), ValueError, "at least one metric"),
        (("kl", "kl"), ValueError, "'kl' twice"),
        ((3,), TypeError, "must be a name or a function"),
        ((dict,), TypeError, "must be a name or a function"),
    ],
)
def test_invalid_metrics(metrics, error, match):
    with pytest.raises(error, match=match):
        find_outcomes(metrics, None, 2)


class TestWhatAModelCannotGive:
    """The message says what can be used instead."""

    @staticmethod
    def check(metric, run, again=None):
        (outcome,) = find_outcomes(metric, None, 2)
        outcome.check(run, again)

    @pytest.mark.parametrize("metric", ["loss", "kl", logit_difference(1, 2)])
    def test_without_logits(self, metric):
        with pytest.raises(ValueError, match=r"does not return logits.* Use 'output'"):
            self.check(metric, run_of())

    def test_logits_of_texts(self):
        self.check("kl", run_of(draw(2, 3)))
        with pytest.raises(ValueError, match=r"several tokens at each position.*\(2, 3\).*'kl'"):
            self.check("loss", run_of(draw(2, 3)))
        with pytest.raises(ValueError, match=r"Use 'output'"):
            self.check("kl", run_of(draw(2, 1)))

    def test_a_model_that_is_not_causal(self):
        logits = draw(2, 4, 5)
        self.check("loss", run_of(logits), lambda inputs: run_of(logits))
        with pytest.raises(ValueError, match="is not causal"):
            self.check("loss", run_of(logits), lambda inputs: run_of(draw(2, 4, 5, seed=1)))

    def test_an_unknown_token(self):
        with pytest.raises(ValueError, match="wrong contains the token 7"):
            self.check(logit_difference(1, 7), run_of(draw(2, 4, 5)))
