import pytest

from .small_models import make
from .small_tokenizers import make_tokenizer


@pytest.fixture(scope="module")
def zoo(corpus, tiny_bert):
    """Return a function from a kind to a small model and its tokenizer."""
    made = {}

    def get(kind):
        if kind not in made:
            made[kind] = make(kind, corpus, tiny_bert)
        return made[kind]

    return get


@pytest.fixture(scope="module")
def sentences(corpus):
    return [s for s in corpus.sentences if 2 < len(s) < 9][:12]


@pytest.fixture(scope="session")
def tokenizer_of(corpus):
    """Return a function from a kind to a new small tokenizer of that class."""
    trained = {}
    return lambda kind: make_tokenizer(kind, corpus, trained)
