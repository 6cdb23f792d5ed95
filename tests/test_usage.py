"""What the pages say about the use of a property."""

import numpy as np
import pytest

from sklearn_neurox import ActivationExtractor, CausalEffect
from sklearn_neurox._cli import usage
from sklearn_neurox._cli.usage import add_unmeasured_usage, conclude, measure_usage
from sklearn_neurox.visualization import AnalysisReport


def effect_of(**draws):
    """An effect of .4, and the mean effects of the draws of each placebo."""
    placebos = {
        kind: {"output": np.tile(np.array(values)[:, None], 2)} for kind, values in draws.items()
    }
    return CausalEffect.from_effects({"output": np.array([0.3, 0.5])}, placebos)


LOW, HIGH = np.full(19, 0.1), np.append(np.full(18, 0.1), 0.6)


@pytest.mark.parametrize(
    ("draws", "expected"),
    [
        ((LOW, LOW, LOW), "This is more than every draw of all placebos."),
        (
            (HIGH, LOW, LOW),
            "not more than the effects of random edits that move the states as far,",
        ),
        (
            (LOW, HIGH, HIGH),
            "edits along the directions in which the states vary and edits made from random labels",
        ),
    ],
)
def test_a_conclusion_requires_all_placebos(draws, expected):
    norm, covariance, control = draws
    text = conclude(
        "Edit", "NOUN", effect_of(norm=norm, covariance=covariance, control_task=control)
    )
    assert text.startswith("Edit: the edit changes the sentence embedding by 0.400")
    assert expected in text
    assert ("does not show" in text) == any(each is HIGH for each in draws)


SENTENCES = [["one", "two"], ["two", "one"], ["king", "two"], ["two", "three"]]


@pytest.mark.parametrize(
    ("labels", "label", "message"),
    [
        (["N", "N"], None, "The use of any label cannot be measured on 4 sentences"),
        (["N", "V"], "X", "The use of the label 'X' cannot be measured"),
    ],
)
def test_a_label_that_is_not_in_all_folds(tiny_bert, labels, label, message):
    extractor = ActivationExtractor(*tiny_bert, layers=[1])
    with pytest.raises(ValueError, match=message):
        measure_usage(extractor, SENTENCES, [labels] * 4, layer=1, label=label)
    with pytest.raises(ValueError, match="requires at least 2 sentences, got 1"):
        measure_usage(extractor, SENTENCES[:1], [labels], layer=1)


def test_the_most_frequent_label_that_can_be_measured(tiny_bert, monkeypatch):
    """The most frequent one, N, is that of words of a single sentence."""
    monkeypatch.setattr(usage, "causal_effect", lambda *args, labels, **options: labels)
    extractor = ActivationExtractor(*tiny_bert, layers=[1])
    sentences = [["one"] * 5, ["two"] * 2, ["two"] * 2]
    labels = [["N", "N", "N", "N", "V"], ["V", "D"], ["D", "V"]]
    found = measure_usage(extractor, sentences, labels, layer=1)
    assert found.label == "V"
    for is_label in found.effects.values():
        assert is_label == [[each == found.label for each in own] for own in labels]
    labels = [["V", "V", "V", "V", "V"], ["V", "N"], ["N", "V"]]
    assert measure_usage(extractor, sentences, labels, layer=1).label == "V"
    assert found.n_folds == 3
    two = measure_usage(extractor, sentences[1:], labels[1:], layer=1)
    assert two.n_folds == 2


def test_a_page_says_why_the_use_is_unknown():
    page = AnalysisReport("Title", "Summary")
    error = ValueError("direction must not be 0.")
    error.add_note("This error occurred in fold 0.")
    add_unmeasured_usage(page, 2, error)
    html = page.to_html()
    assert "Editing layer 2 while the network runs failed" in html
    assert "The reason: direction must not be 0. This error occurred in fold 0." in html
