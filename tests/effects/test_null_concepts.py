"""Concepts that do not exist are rarely called significant."""

import numpy as np
import pytest

from sklearn_neurox import (
    ActivationExtractor,
    DirectionProjector,
    MeanDifferenceClassifier,
    NeuronAblator,
    ProbelessSelector,
    causal_effect,
    make_control_task,
)

N_CONCEPTS = 200


def mean_difference(X, y):
    direction = MeanDifferenceClassifier().fit(X, y).direction_
    return DirectionProjector(direction, center=X.mean(axis=0))


EDITS = (
    {"edit": mean_difference},
    {"edit": NeuronAblator([], mode="mean"), "ranking": ProbelessSelector(n_neurons=3)},
)


def p_value(extractor, sentences, seed, edit):
    """Return the p-value of a concept whose labels are random labels of the word types."""
    words = [word for sentence in sentences for word in sentence]
    random = np.random.RandomState(seed)
    labels = make_control_task(words, np.arange(len(words)) % 2, random_state=random).labels
    ends = np.cumsum([len(sentence) for sentence in sentences])
    found = causal_effect(
        extractor, sentences, layer=1, labels=[part.tolist() for part in np.split(labels, ends[:-1])],
        cv=[(np.arange(20), np.arange(20, 30))], metrics="output", placebos="control_task",
        n_placebos=19, random_state=random, **edit,
    )  # fmt: skip
    return found.p_value("output", "control_task")


@pytest.fixture(scope="module")
def extractor(tiny_bert):
    return ActivationExtractor(*tiny_bert, batch_tokens=100_000)


@pytest.fixture(scope="module")
def sentences(corpus):
    return [sentence for sentence in corpus.sentences if 4 < len(sentence) < 10][:30]


@pytest.mark.slow
def test_the_control_task_is_calibrated(extractor, sentences):
    """With 19 draws, a p-value of .05 is the smallest, and has the probability .05."""
    found = [
        p_value(extractor, sentences, seed, edit) for edit in EDITS for seed in range(N_CONCEPTS)
    ]
    assert 0.03 <= np.mean(np.array(found) <= 0.05) <= 0.07
    assert np.mean(found) == pytest.approx(0.525, abs=0.05)


def test_a_few_null_concepts(extractor, sentences):
    """The smallest p-value of all would have a probability of 1e-5."""
    found = [p_value(extractor, sentences, seed, edit) for edit in EDITS for seed in range(2)]
    assert max(found) > 0.05
