"""
Prompts and conversations
=========================

In a language model, the question is often which token of a prompt carries a property.
This example trains a small decoder on conversations about invented cities.
It then asks where the model knows whether a question is to be answered with yes, and reads the
answers of the assistant token by token.
"""

# %%
# A small decoder
# ---------------
#
# Each of 40 cities is in one of 5 countries. A user asks whether a city is in a country, and the
# assistant answers. The tokenizer has a chat template, like that of any chat model on the Hugging
# Face Hub. The training takes some seconds.

import itertools
import re

import numpy as np
import torch
from matplotlib import pyplot as plt
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from sklearn_neurox import ActivationExtractor, where

random = np.random.RandomState(0)
syllables = ["ka", "ve", "lo", "mi", "su", "ra", "ten", "dor"]
cities = ["".join(pair).title() for pair in itertools.permutations(syllables, 2)][:40]
countries = ["Norland", "Sudland", "Estia", "Westia", "Midland"]
home = {city: countries[random.randint(5)] for city in cities}


def question(city, country):
    return {"role": "user", "content": f"Is {city} in {country}?"}


def answer(city, country):
    beginning = "Yes" if home[city] == country else "No"
    return {"role": "assistant", "content": f"{beginning}, {city} is in {home[city]}."}


pairs = list(itertools.product(cities, countries))
words = ["Is", "Yes", "No", "is", "in", "?", ",", ".", "user", "assistant", "\n"]
special = ["<pad>", "<|im_start|>", "<|im_end|>"]
names = [*cities, *countries]
vocabulary = [*special, *words, " is", " in", *names, *(f" {name}" for name in names)]
pieces = Tokenizer(models.WordLevel({word: i for i, word in enumerate(vocabulary)}))
pieces.pre_tokenizer = pre_tokenizers.Split(Regex(r" ?\w+|[^\w ]"), behavior="isolated")
pieces.decoder = decoders.Fuse()
tokenizer = PreTrainedTokenizerFast(
    tokenizer_object=pieces,
    pad_token="<pad>",
    eos_token="<|im_end|>",
    additional_special_tokens=["<|im_start|>"],
    model_max_length=64,
)
tokenizer.chat_template = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\n' + message.content"
    " + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
chats = [[question(*pair), answer(*pair)] for pair in pairs]
print(tokenizer.apply_chat_template(chats[0], tokenize=False))

# %%
torch.manual_seed(0)
ids = torch.tensor([tokenizer.apply_chat_template(chat)["input_ids"] for chat in chats])
model = LlamaForCausalLM(
    LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, num_hidden_layers=4, num_attention_heads=4,
        intermediate_size=128, max_position_embeddings=64, pad_token_id=0, bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
)  # fmt: skip
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
for _ in range(600):
    batch = ids[torch.randperm(len(ids))[:40]]
    model(batch, labels=batch).loss.backward()
    optimizer.step()
    optimizer.zero_grad()
model.eval()

# %%
# The right token
# ---------------
#
# ``at`` selects the token of each prompt that gets a row, by its place, by a rule such as
# ``where.role("user").last()``, or by several of them in a single run of the model. Each prompt is
# rendered by the chat template, with the markup that begins the answer.

extractor = ActivationExtractor(model, tokenizer, add_generation_prompt=True)
prompts = [[question(*pair)] for pair in pairs]
y = np.array([home[city] == country for city, country in pairs])
tokens_of_prompt = {
    "city": where.span(re.compile("|".join(cities))),
    "country": where.span(re.compile("|".join(countries))),
    "question mark": where.span("?"),
    "last token": "last",
}
rows = extractor.extract_prompts(prompts, y, at=tokens_of_prompt)

# %%
# Cross-validation by city: the cities of the test prompts are not among those of the training
# prompts. At the city, the model cannot know yet which country the question is about.

groups = np.array([city for city, _ in pairs])
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
    prompts, max_new_tokens=10, do_sample=False, where=where.generated() & ~where.special()
)
right = np.array([chat[1]["content"] == text for chat, text in zip(chats, answers, strict=True)])
print(f"{right.mean():.0%} of the answers are right, for example {answers[0]!r}")
print(tokens)

# %%
# Labels of characters
# --------------------
#
# Labels can belong to characters of a message. Each span is mapped to the tokens that contain its
# characters. Here, the names in the answers of the assistant, which is message 1.

spans = []
for i, chat in enumerate(chats):
    for match in re.finditer("|".join(names), chat[1]["content"]):
        kind = "city" if match.group() in cities else "country"
        spans.append((i, 1, *match.span(), kind))
named = ActivationExtractor(model, tokenizer).extract_tokens(
    chats, spans=spans, outside="other", where=where.role("assistant")
)
print(named.to_frame().index[:6].tolist(), named.y[:6].tolist())
for layer in (0, 2):
    scores = cross_val_score(
        probe, named.layer(layer), named.y, groups=groups[named.sentence_ids], cv=GroupKFold(5)
    )
    print(f"layer {layer}: accuracy {scores.mean():.2f}")
