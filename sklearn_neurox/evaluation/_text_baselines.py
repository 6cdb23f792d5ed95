"""Baselines that read texts instead of activations: their length, one token, or a TF-IDF table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

# Names of the baselines, which layerwise_scores accepts as names of controls.
LENGTH, SINGLE_TOKEN, TF_IDF = TEXT_BASELINES = ("length", "single token", "tf-idf")
# Runs of word characters, and single other characters, such as punctuation.
TOKEN_PATTERN = r"(?u)\w+|[^\w\s]"


def check_texts(texts: Iterable[Any], *, name: str) -> list[str]:
    """Convert an iterable of texts to a list.

    Raises
    ------
    TypeError
        If it is a single string, or contains something other than strings.
    ValueError
        If it is empty.
    """
    if isinstance(texts, str):
        raise TypeError(f"{name} must be a list of texts, got a single string: {texts[:60]!r}.")
    if not isinstance(texts, Iterable):
        raise TypeError(f"{name} must be a list of texts, got {texts!r:.60}.")
    listed = list(texts)
    if not listed:
        raise ValueError(f"{name} is empty: expected at least one text.")
    for place, text in enumerate(listed):
        if not isinstance(text, str):
            hint = " Render conversations to strings first." if isinstance(text, list) else ""
            raise TypeError(
                f"{name} must contain strings, but {name}[{place}] is {text!r:.60} "
                f"({type(text).__name__}).{hint}"
            )
    return [str(text) for text in listed]


def count_tokens(texts: Sequence[str]) -> tuple[csr_array, NDArray]:
    """Return how often each lowercase token occurs in each text, and the tokens.

    The vocabulary is that of all texts, which do not include labels.
    """
    counter = CountVectorizer(token_pattern=TOKEN_PATTERN, dtype=np.float64)
    try:
        counts = counter.fit_transform(texts)
    except ValueError:  # of scikit-learn: no text contains a token
        return csr_array((len(texts), 1)), np.array([""], dtype=object)
    return csr_array(counts), counter.get_feature_names_out()


def text_features(name: str, texts: Sequence[str], counts: csr_array | None = None) -> Any:
    """Return the features that a baseline reads, one row for each text.

    If `counts` is None, :func:`count_tokens` computes it.
    """
    if name == LENGTH:
        sizes = [[len(text), len(text.split())] for text in texts]
        return np.array(sizes, dtype=np.float64)
    if counts is None:
        counts, _ = count_tokens(texts)
    return (counts > 0).astype(np.float64) if name == SINGLE_TOKEN else counts


def text_baseline(name: str, is_number: bool) -> Any:
    """Return the estimator of a baseline, for labels or for numbers.

    - "length" is a tree with eight leaves on the numbers of characters and of words;
    - "single token" predicts one of two values, by whether a text contains one token;
    - "tf-idf" is a logistic regression, or a ridge regression.
    """
    tree = DecisionTreeRegressor if is_number else DecisionTreeClassifier
    if name == LENGTH:
        return tree(max_leaf_nodes=8, min_samples_leaf=5, random_state=0)
    if name == SINGLE_TOKEN:
        return tree(max_depth=1, random_state=0)
    linear = Ridge() if is_number else LogisticRegression(C=10, max_iter=1000)
    return make_pipeline(TfidfTransformer(sublinear_tf=True), linear)
