"""The planted causes are those that the description of the networks states."""

import numpy as np
import pytest
import torch

from sklearn_neurox import (
    ActivationExtractor,
    LinearProbeClassifier,
    NeuronAblator,
    Neurons,
    intervene,
)

from .planted import WIDTH, planted


@pytest.fixture(scope="module", params=["decoder", "encoder"])
def network(request):
    return planted(request.param)


def output(network, edits=None):
    inputs = network.tokenizer(network.texts, return_tensors="pt", padding=True)
    with torch.no_grad(), intervene(network.model, edits or {}):
        return network.model(**inputs)[0]


def zero(neurons, width=WIDTH):
    return NeuronAblator(list(neurons)).fit(np.zeros((1, width)))


def test_probes_read_both(network):
    extractor = ActivationExtractor(network.model, network.tokenizer)
    tokens = extractor.extract([text.split() for text in network.texts], network.labels)
    for layer in tokens.layers[:-1]:
        X = tokens.layer(layer)
        np.testing.assert_array_equal(X[:, network.used], X[:, network.copies])
        probe = LinearProbeClassifier(lambda_l2=0.01, solver="owlqn")
        assert probe.fit(X[:, network.copies], tokens.y).score(X[:, network.copies], tokens.y) == 1


def test_probes_read_both_within_the_block(network):
    extractor = ActivationExtractor(
        network.model, network.tokenizer, layers=[network.layer + 1], modules="mlp"
    )
    X = extractor.extract([text.split() for text in network.texts]).X
    assert X[:, network.mlp_used].any(axis=0).all()
    np.testing.assert_array_equal(X[:, network.mlp_used], X[:, network.mlp_copies])


@pytest.mark.parametrize("kind", ["decoder", "encoder"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_only_one_of_them_is_read(kind, seed):
    network = planted(kind, seed)
    plain = output(network)
    for layer in range(3):
        assert torch.equal(output(network, {layer: zero(network.copies)}), plain)
        is_same = torch.equal(output(network, {layer: zero(network.used)}), plain)
        assert is_same == (layer > network.layer)
    within = Neurons((network.layer + 1,), 24, "mlp")
    assert not torch.allclose(output(network, {within: zero(network.mlp_used, 24)}), plain)
    assert torch.equal(output(network, {within: zero(network.mlp_copies, 24)}), plain)


def test_the_decoder_predicts_the_class_of_the_next_word():
    network = planted("decoder")
    inputs = network.tokenizer(network.texts[0], return_tensors="pt")
    scores = output(network, {})[0, : inputs.input_ids.shape[1]].log_softmax(-1)
    assert scores[1:-1].argmax(-1).remainder(2).equal(inputs.input_ids[0, 2:].remainder(2))
