"""Threads that share a model: its edits belong to one thread, which waits for extractions."""

import copy
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest
import torch

from sklearn_neurox import ActivationExtractor, ModuleActivations, SteeringVector, intervene

SENTENCES = [["The", "rain"], ["It", "is", "over"]]
EDIT = {1: SteeringVector(np.ones(16), strength=3.0)}
EDITED = r"^BertModel is being edited by `intervene` in another thread\. Use a copy of the model"


@pytest.fixture
def model(tiny_bert):
    return copy.deepcopy(tiny_bert[0])


@pytest.fixture
def extract(model, tiny_bert):
    return lambda: ActivationExtractor(model, tiny_bert[1], layers=[1]).extract(SENTENCES).X


@pytest.fixture
def thread():
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool


def test_an_edited_model_belongs_to_one_thread(model, extract, thread):
    plain = extract()
    inputs = dict(X=torch.ones(2, 3, dtype=torch.long).numpy())
    part = ModuleActivations(model.embeddings, "word_embeddings")

    def edit():
        with intervene(model, EDIT):
            pass

    with intervene(model, EDIT):
        for use in (extract, edit):
            with pytest.raises(RuntimeError, match=EDITED):
                thread.submit(use).result()
        with pytest.raises(RuntimeError, match=r"^BertEmbeddings is being edited"):
            thread.submit(part.fit_transform, **inputs).result()
        with intervene(model, EDIT):
            np.testing.assert_allclose(extract(), plain + 6, atol=1e-5)
        with pytest.raises(RuntimeError, match=EDITED):
            thread.submit(extract).result()
        np.testing.assert_allclose(extract(), plain + 3, atol=1e-5)
    np.testing.assert_array_equal(thread.submit(extract).result(), plain)
    thread.submit(edit).result()
    np.testing.assert_array_equal(extract(), plain)


def test_an_edit_waits_for_the_extraction_of_another_thread(model, extract, thread):
    """Otherwise, the extraction would be edited, and would remove the edit at its end."""
    plain = extract()
    runs, goes_on, is_open = Event(), Event(), Event()

    def wait(*_):
        runs.set()
        assert goes_on.wait(60)

    def edit():
        with intervene(model, EDIT):
            is_open.set()
            return extract()

    with ThreadPoolExecutor(max_workers=1) as other:
        with model.embeddings.register_forward_hook(wait):
            first = thread.submit(extract)
            assert runs.wait(60)
        second = other.submit(edit)
        was_open = is_open.wait(0.3)
        goes_on.set()
        np.testing.assert_array_equal(first.result(60), plain)
        np.testing.assert_allclose(second.result(60), plain + 3, atol=1e-5)
    assert not was_open


def test_a_model_is_released_after_an_error(model, extract, thread):
    with pytest.raises(KeyError), intervene(model, EDIT):
        raise KeyError
    with pytest.raises(ValueError, match="edits states of 3 neurons"):
        intervene(model, {1: SteeringVector(np.ones(3))}).__enter__()
    assert thread.submit(extract).result().shape == (5, 16)
