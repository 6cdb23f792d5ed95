"""
Prompts and conversations
=========================

In a language model, the question is often which token of a prompt carries a property.
This example asks where a small decoder knows whether a question is to be answered with yes, and
reads the answers of the assistant token by token.
"""

# %%
# A small decoder
# ---------------
#
# Each of 40 cities is in one of 5 countries. A user asks whether a city is in a country, and the
# assistant answers. The tokenizer has a chat template, like that of any chat model on the Hugging
# Face Hub. :download:`cities.py <../examples/cities.py>` trains the model in some seconds.

import re

import numpy as np
from cities import CHATS, CITIES, COUNTRIES, HOME, PAIRS, load_decoder, question
from matplotlib import pyplot as plt
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score

from sklearn_neurox import ActivationExtractor, where

model, tokenizer = load_decoder()
print(tokenizer.apply_chat_template(CHATS[1], tokenize=False))

# %%
# The right token
# ---------------
#
# ``at`` selects the token of each prompt that gets a row, by its place, by a rule such as
# ``where.role("user").last()``, or by several of them in a single run of the model. Each prompt is
# rendered by the chat template, with the markup that begins the answer.

extractor = ActivationExtractor(model, tokenizer, add_generation_prompt=True)
prompts = [[question(*pair)] for pair in PAIRS]
y = np.array([HOME[city] == country for city, country in PAIRS])
tokens_of_prompt = {
    "city": where.span(re.compile("|".join(CITIES))),
    "country": where.span(re.compile("|".join(COUNTRIES))),
    "question mark": where.span("?"),
    "last token": "last",
}
rows = extractor.extract_prompts(prompts, y, at=tokens_of_prompt)

# %%
# Cross-validation by city: the cities of the test prompts are not among those of the training
# prompts. At the city, the model cannot know yet which country the question is about.

groups = np.array([city for city, _ in PAIRS])
probe = LogisticRegression(class_weight="balanced", max_iter=2000)
fig, ax = plt.subplots()
for name, tokens in rows.items():
    scores = [
        cross_val_score(
            probe, tokens.layer(layer), y, groups=groups, cv=GroupKFold(5),
            scoring="balanced_accuracy",
        ).mean()
        for layer in tokens.layers
    ]  # fmt: skip
    ax.plot(tokens.layers, scores, marker="o", label=name)
    print(f"{name}: {np.round(scores, 2)}")
ax.set(xlabel="layer", ylabel="balanced accuracy", xticks=tokens.layers)
ax.axhline(0.5, color="gray", linestyle=":", label="chance")
ax.legend()
plt.show()

# %%
# The tokens of an answer
# -----------------------
#
# ``generate`` returns the answers, and the states of one run over the prompts and answers. Rules
# select the tokens: here those that the model has generated, without special tokens.

answers, tokens = extractor.generate(
    prompts, max_new_tokens=20, do_sample=False, where=where.generated() & ~where.special()
)
right = np.array([chat[1]["content"] == text for chat, text in zip(CHATS, answers, strict=True)])
print(f"{right.mean():.0%} of the answers are right, for example {answers[0]!r}")
print(tokens)
