"""
Pitfall: the wrong token
========================

In a decoder, a property of a prompt is readable at some of its tokens only, and the last token of a
conversation belongs to the chat template. This example reads the same property at each token of a
prompt, and shows what happens if the wrong side of a batch is padded.
"""

# %%
# The small decoder of :download:`cities.py <../examples/cities.py>` knows in which country each of
# 40 invented cities is, and answers questions about it. The property is whether the answer is yes.
# Each prompt is a question to which the chat template has been applied, together with the markup
# that begins the answer. Most of its tokens belong to the template.
import re

import numpy as np
from cities import CITIES, HOME, PAIRS, load_decoder, question

from sklearn_neurox import ActivationExtractor, where

model, tokenizer = load_decoder()
prompts = [[question(*pair)] for pair in PAIRS]
y = np.array([HOME[city] == country for city, country in PAIRS])
cities, countries = map(np.array, zip(*PAIRS, strict=True))
extractor = ActivationExtractor(model, tokenizer, add_generation_prompt=True)
names = [ascii(word)[1:-1] for word in extractor.extract_tokens(prompts[:1]).words]
print(names)

# %%
# A probe for each token, in the embeddings and in layers 2 and 4. Cross-validation is grouped by
# city, so the cities of the test prompts are not among those of the training prompts. ``at``
# accepts a dict of several tokens, for which the model runs only once.
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score

probe = LogisticRegression(class_weight="balanced", max_iter=2000)


def accuracy(X, y=y):
    options = {"groups": cities, "cv": GroupKFold(5), "scoring": "balanced_accuracy"}
    return cross_val_score(probe, X, y, **options).mean()


rows = extractor.extract_prompts(prompts, y, at={i: i for i in range(len(names))}).values()
by_layer = {layer: [accuracy(each.layer(layer)) for each in rows] for layer in (0, 2, 4)}
asked = [accuracy(each.layer(2), countries) for each in rows]
for scores in zip(names, *by_layer.values(), asked, strict=True):
    print("{:14} {:.2f} {:.2f} {:.2f}   {:.2f}".format(*scores))

# %%
# Before the country, the model cannot know the answer. At the country, the answer is readable to
# some degree, and less so at each of the tokens between the country and the last token. Only at the
# last token, from which the model predicts the answer, is it readable without errors.
#
# The tokens in between are not without information: they encode the country that the question is
# about (last column). Each property has its own tokens.
#
# Rules name the tokens that are meant. Without ``add_generation_prompt=True``, the last token is
# the line break after ``<|im_end|>``.
city = re.compile("|".join(CITIES))
choices = {
    "subject": where.span(city).last(),
    "after the subject": where.after(city).first(),
    "last of the user": where.role("user").last(),
    "last of the prompt": "last",
    "mean of the prompt": "mean",
}
chosen = extractor.extract_prompts(prompts, y, at=choices)
selected = {name: accuracy(each.layer(2)) for name, each in chosen.items()}
bare = ActivationExtractor(model, tokenizer, layers=[2]).extract_prompts(prompts, y)
selected["last, without generation prompt"] = accuracy(bare.X)

# %%
# With plain ``transformers``, the last token depends on the side of the padding. ``[:, -1]`` is
# correct if the left side is padded. If it is the right side, this is a padding token. It reads the
# prompt as well, so the accuracy may be high, but its state depends on the amount of padding.
# ``attention_mask.sum(1) - 1`` is correct if the right side is padded. If it is the left side, it
# is another token of the prompt, or a padding token.
import torch


def states(side, length):
    """Return the states of layer 2, and the index of the last token if the right side is padded."""
    tokenizer.padding_side = side
    inputs = tokenizer.apply_chat_template(
        prompts, add_generation_prompt=True, padding="max_length", max_length=length,
        return_dict=True, return_tensors="pt",
    )  # fmt: skip
    with torch.no_grad():
        hidden = model(**inputs, output_hidden_states=True).hidden_states[2]
    return hidden.numpy(), inputs["attention_mask"].sum(1).numpy() - 1


every = np.arange(len(prompts))
for side in ("left", "right"):
    hidden, last = states(side, 24)
    selected[f"[:, -1], padded on the {side}"] = accuracy(hidden[:, -1])
    selected[f"[sum(mask) - 1], padded on the {side}"] = accuracy(hidden[every, last])
for name, score in selected.items():
    print(f"{name:40} {score:.2f}")

short, long = states("right", 16)[0][:, -1], states("right", 24)[0][:, -1]
size = np.linalg.norm(long, axis=1)
print("change by more padding:", (np.linalg.norm(long - short, axis=1) / size).mean().round(2))

# %%
from matplotlib import pyplot as plt

figure, axes = plt.subplots(
    1, 2, figsize=(12, 4.4), layout="constrained", gridspec_kw={"width_ratios": [3, 2]}
)
styles = {0: ("0.5", "s", ":"), 2: ("#0072B2", "o", "-"), 4: ("#D55E00", "^", "--")}
for layer, (color, marker, line) in styles.items():
    label = f"yes or no, layer {layer}" if layer else "yes or no, embeddings"
    axes[0].plot(by_layer[layer], color=color, marker=marker, linestyle=line, label=label)
axes[0].plot(asked, color="#009E73", linewidth=1, label="country of the question, layer 2")
axes[0].set_xticks(range(len(names)), names, rotation=90, family="monospace")
axes[0].set(title="The same probe at each token of a prompt", ylim=(0, 1.05))
axes[0].set(ylabel="Balanced accuracy (mean of 5 folds)", xlabel="Token")
axes[0].legend(loc="lower right")
colors = ["#0072B2" if score > 0.99 else "#56B4E9" for score in selected.values()]
bars = axes[1].barh(list(selected), list(selected.values()), color=colors)
axes[1].bar_label(bars, fmt=lambda value: f"{value:.2f}".lstrip("0"), padding=3)
axes[1].invert_yaxis()
axes[1].set(xlim=(0, 1.15), xlabel="Balanced accuracy", title="Ways to choose a token (layer 2)")
for draw in (axes[0].axhline, axes[1].axvline):
    draw(0.5, color="0.4", linestyle=":", linewidth=1)
plt.show()
