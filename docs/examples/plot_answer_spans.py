"""
An answer labeled by spans
==========================

Labels of parts of an answer, such as wrong claims, quotations or steps of reasoning, are labels of
characters. This example labels parts of the answers of a small decoder, trains a probe on their
tokens, and draws a conversation with the predictions of the probe.
"""

# %%
# Answers with labeled spans
# --------------------------
#
# The small decoder of :download:`cities.py <../examples/cities.py>` answers questions about cities.
# An answer affirms that a city is in a country, or denies it. We label the countries accordingly. A
# span is (conversation, message, first character, end, label), where the answer is message 1.
import re

import numpy as np
from cities import CHATS, COUNTRIES, load_decoder

from sklearn_neurox import ActivationExtractor, where

model, tokenizer = load_decoder()
spans = []
for i, (_, reply) in enumerate(CHATS):
    for match in re.finditer("|".join(COUNTRIES), reply["content"]):
        is_denied = reply["content"][: match.start()].endswith("not in ")
        spans.append((i, 1, *match.span(), "denied" if is_denied else "affirmed"))
print(CHATS[1][1]["content"], spans[1:3])

# %%
# One row per token of the answers. Each span is mapped to the tokens that contain its characters,
# and ``outside`` is the label of the other tokens. A span without a token would be an error.
extractor = ActivationExtractor(model, tokenizer)
tokens = extractor.extract_tokens(
    CHATS, spans=spans, outside="other", where=where.role("assistant")
)
print(tokens)
print(list(zip(tokens.words[:13].tolist(), tokens.y[:13].tolist(), strict=True)))

# %%
# A probe on tokens
# -----------------
#
# The tokens of a conversation are not independent, so they belong to the same fold:
# ``sentence_ids`` are the numbers of the conversations. The embeddings of countries are the same
# whether they are affirmed or denied, so layer 0 shows what the words alone reveal.
from matplotlib import pyplot as plt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score
from sklearn.model_selection import GroupKFold, cross_val_predict

probe = LogisticRegression(max_iter=1000)
labels = ["affirmed", "denied", "other"]
recalls = []
for layer in tokens.layers:
    predicted = cross_val_predict(
        probe, tokens.layer(layer), tokens.y, groups=tokens.sentence_ids, cv=GroupKFold(5)
    )
    recalls.append(recall_score(tokens.y, predicted, average=None, labels=labels))
    print(layer, dict(zip(labels, recalls[-1].round(2).tolist(), strict=True)))

figure, ax = plt.subplots(layout="constrained")
for label, line, values in zip(labels, ("o-", "^--", "s:"), np.transpose(recalls), strict=True):
    ax.plot(tokens.layers, values, line, label=label)
ax.set(xlabel="Layer (0: embeddings)", xticks=tokens.layers, ylim=(0, 1.05))
ax.set(ylabel="Recall (5 folds of conversations)", title="Countries in the answers")
ax.legend()
plt.show()

# %%
# A conversation
# --------------
#
# The picture shows a conversation that the probe is not trained on: blue tokens are predicted as
# affirmed, and red ones as denied. The probe is applied to every token, although it is trained on
# those of answers. It does not confuse the country in the question with those in the answer.
from sklearn_neurox import visualize_activations

layer, unseen = 2, 1
train = tokens.sentence_ids != unseen
probe.fit(tokens.layer(layer)[train], tokens.y[train])
chat = extractor.extract_tokens([CHATS[unseen]])
chances = dict(zip(probe.classes_, probe.predict_proba(chat.layer(layer)).T, strict=True))
shown = [word.strip() or "\\n" for word in chat.words]
visualize_activations(shown, chances["affirmed"] - chances["denied"])
