"""A small decoder that knows in which country each of 40 invented cities is, for several examples.

A user asks whether a city is in a country, and the assistant answers. The tokenizer has a chat
template, like that of any chat model on the Hugging Face Hub. The training takes some seconds.
"""

import itertools
from functools import cache

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

SYLLABLES = ["ka", "ve", "lo", "mi", "su", "ra", "ten", "dor"]
CITIES = ["".join(pair).title() for pair in itertools.permutations(SYLLABLES, 2)][:40]
COUNTRIES = ["Norland", "Sudland", "Estia", "Westia", "Midland"]
HOMES = np.random.RandomState(0).choice(COUNTRIES, len(CITIES)).tolist()
HOME = dict(zip(CITIES, HOMES, strict=True))
PAIRS = list(itertools.product(CITIES, COUNTRIES))
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\n' + message.content"
    " + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def question(city, country):
    return {"role": "user", "content": f"Is {city} in {country}?"}


def answer(city, country):
    if HOME[city] == country:
        text = f"Yes, {city} is in {country}."
    else:
        text = f"No, {city} is not in {country}, it is in {HOME[city]}."
    return {"role": "assistant", "content": text}


CHATS = [[question(*pair), answer(*pair)] for pair in PAIRS]


@cache
def load_decoder():
    """Return the trained model and its tokenizer."""
    tokenizer = make_tokenizer()
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, num_hidden_layers=4, num_attention_heads=4,
        intermediate_size=128, initializer_range=0.1, max_position_embeddings=64,
        pad_token_id=tokenizer.pad_token_id, bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    inputs = tokenizer.apply_chat_template(
        CHATS, padding=True, return_dict=True, return_tensors="pt"
    )
    labels = inputs["input_ids"].masked_fill(inputs["attention_mask"] == 0, -100)
    steps = 300
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=7e-3, total_steps=steps, pct_start=0.1
    )
    for _ in range(steps):
        batch = torch.randperm(len(CHATS))[:32]
        own = {name: ids[batch] for name, ids in inputs.items()}
        model(**own, labels=labels[batch]).loss.backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    return model.eval(), tokenizer


def make_tokenizer():
    pieces = Tokenizer(models.BPE())
    pieces.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pieces.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=450, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    contents = [message["content"] for chat in CHATS for message in chat]
    pieces.train_from_iterator([*contents, *["user assistant\nassistant"] * 100], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=pieces,
        chat_template=TEMPLATE,
        pad_token="<pad>",
        eos_token="<|im_end|>",
        additional_special_tokens=["<|im_start|>"],
        model_max_length=64,
    )
