"""The encoder of a translation model of OpenNMT-py: rows are what it computes itself."""

import argparse
import warnings
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_neurox import LayerSelector, ModuleActivations
from sklearn_neurox.extraction import aggregate_bpe

with warnings.catch_warnings():  # it says much about decorators of older versions of torch
    warnings.simplefilter("ignore")
    pytest.importorskip("onmt")
    onmt_opts = pytest.importorskip("onmt.opts")
    onmt_parse = pytest.importorskip("onmt.utils.parse")
    onmt_builder = pytest.importorskip("onmt.model_builder")
    onmt_saver = pytest.importorskip("onmt.models.model_saver")
    onmt_optimizers = pytest.importorskip("onmt.utils.optimizers")
    onmt_text = pytest.importorskip("onmt.inputters.text_utils")
    pyonmttok = pytest.importorskip("pyonmttok")

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")

SENTENCES = [
    ["it", "is", "un@@", "likely", "to", "sul@@", "k", "."],
    ["nobody", "asked", "it", "."],
    ["asked"],
]
SIZE = 16
FLAGS = {
    "transformer": "-encoder_type transformer -decoder_type transformer -heads 2 -transformer_ff 32 -position_encoding",
    "brnn": "-encoder_type brnn -decoder_type rnn -rnn_type LSTM",
}


def save(path, kind):
    """Save a model with random weights as OpenNMT-py saves one that it trains."""
    parser = onmt_parse.ArgumentParser()
    onmt_opts.train_opts(parser)
    flags = f"-data none -src_vocab none -save_model {path} -layers 2 -param_init 0.5"
    flags += f" -hidden_size {SIZE} -word_vec_size {SIZE} {FLAGS[kind]}"
    options = parser.parse_args(flags.split())
    parser.update_model_opts(options)
    parser.validate_model_opts(options)
    words = sorted({word for sentence in SENTENCES for word in sentence} - {"nobody"})
    specials = ["<unk>", "<blank>", "<s>", "</s>"]
    vocabulary = pyonmttok.build_vocab_from_tokens(words, special_tokens=specials)
    vocabularies = {"src": vocabulary, "tgt": vocabulary}
    vocabularies |= {"data_task": "seq2seq", "decoder_start_token": "<s>"}
    torch.manual_seed(0)
    model = onmt_builder.build_model(options, options, vocabularies, None, -1)
    optimizer = onmt_optimizers.Optimizer.from_opt(model, options)
    onmt_saver.ModelSaver(str(path), model, options, vocabularies, optimizer).save(1)
    return f"{path}_step_1.pt", model


def load(checkpoint):
    parser = onmt_parse.ArgumentParser()
    onmt_opts.translate_opts(parser)
    options = parser.parse_args(["-model", checkpoint, "-src", "none"])
    with torch.serialization.safe_globals([argparse.Namespace]):
        vocabularies, model, _ = onmt_builder.load_test_model(options)
    return vocabularies, model


@pytest.fixture(scope="module", params=list(FLAGS))
def any_model(request, tmp_path_factory):
    checkpoint, saved = save(tmp_path_factory.mktemp("onmt") / request.param, request.param)
    return request.param, saved, *load(checkpoint)


@pytest.fixture(scope="module")
def transformer(tmp_path_factory):
    return load(save(tmp_path_factory.mktemp("onmt") / "model", "transformer")[0])


@pytest.fixture(scope="module")
def brnn(tmp_path_factory):
    return load(save(tmp_path_factory.mktemp("onmt") / "model", "brnn")[0])


def encoder_input(vocabularies):
    """Return what gives the encoder's two arguments for the words of a sentence."""

    def encode(words):
        ids = vocabularies["src"](words)
        return torch.tensor(ids)[None, :, None], torch.tensor([len(ids)])

    return encode


class StackedLSTM(nn.Module):
    """The layers of an LSTM, one after the other; an ``nn.LSTM`` shows only its last."""

    def __init__(self, lstm):
        super().__init__()
        weights = lstm.state_dict()
        for k in range(lstm.num_layers):
            width = lstm.input_size if k == 0 else 2 * lstm.hidden_size
            layer = nn.LSTM(width, lstm.hidden_size, batch_first=True, bidirectional=True)
            ours = {n.replace(f"_l{k}", "_l0"): w for n, w in weights.items() if f"_l{k}" in n}
            layer.load_state_dict(ours)
            self.add_module(str(k), layer)

    def forward(self, states):
        finals = []
        for layer in self.children():
            states, final = layer(states)
            finals.append(final)
        return states, tuple(torch.cat(parts) for parts in zip(*finals, strict=True))


@contextmanager
def split(encoder):
    """Put the layers of the encoder's LSTM in a row, for a while."""
    lstm = encoder.rnn
    encoder.rnn = StackedLSTM(lstm)
    try:
        yield
    finally:
        encoder.rnn = lstm


def own_forward(encoder, encode):
    """Rows that the encoder itself returns for all sentences."""
    encoder.eval()
    with torch.inference_mode():
        return np.concatenate([encoder(*encode(words))[0][0].numpy() for words in SENTENCES])


class TestAnyEncoder:
    LAST = {"transformer": "layer_norm", "brnn": "rnn"}

    def test_rows_are_those_of_its_own_forward(self, any_model):
        kind, _, vocabularies, model = any_model
        encode = encoder_input(vocabularies)
        tokens = ModuleActivations(model.encoder, [self.LAST[kind]]).extract(
            SENTENCES, encode=encode
        )
        np.testing.assert_array_equal(tokens.X, own_forward(model.encoder, encode))
        assert tokens.X.shape == (sum(map(len, SENTENCES)), SIZE)
        assert tokens.words.tolist() == [word for words in SENTENCES for word in words]

    def test_a_loaded_checkpoint_reads_as_the_model_that_was_saved(self, any_model):
        kind, saved, vocabularies, loaded = any_model
        layers = ["embeddings", self.LAST[kind]]
        encode = encoder_input(vocabularies)
        saved.train()  # as a model in training; nothing drops out of what is read
        before = ModuleActivations(saved.encoder, layers).extract(SENTENCES, encode=encode)
        after = ModuleActivations(loaded.encoder, layers).extract(SENTENCES, encode=encode)
        np.testing.assert_array_equal(after.X, before.X)
        assert saved.encoder.training

    def test_inputs_are_those_of_its_own_pipeline(self, any_model):
        _, _, vocabularies, _ = any_model
        encode = encoder_input(vocabularies)
        for words in SENTENCES:
            example = {"src": {"src": " ".join(words)}, "tgt": None}
            example |= {"cid": "infer", "cid_line_number": 0}
            numbers = onmt_text.numericalize(vocabularies, example)
            batch = onmt_text.tensorify(vocabularies, [(numbers, 0)], torch.device("cpu"))
            src, lengths = encode(words)
            assert torch.equal(src, batch["src"])
            assert torch.equal(lengths, batch["srclen"].long())

    def test_a_word_that_the_vocabulary_lacks_is_unknown(self, any_model):
        kind, _, vocabularies, model = any_model
        reader = ModuleActivations(model.encoder, [self.LAST[kind]])
        encode = encoder_input(vocabularies)
        rows = [
            reader.extract([[word, "."]], encode=encode).X for word in ("nobody", "<unk>", "asked")
        ]
        np.testing.assert_array_equal(rows[0], rows[1])
        assert not np.allclose(rows[0], rows[2])

    def test_pieces_become_words(self, any_model):
        kind, _, vocabularies, model = any_model
        reader = ModuleActivations(model.encoder, ["embeddings", self.LAST[kind]])
        pieces = reader.extract(SENTENCES, encode=encoder_input(vocabularies))
        X, words = aggregate_bpe(pieces.X, pieces.words.tolist(), "mean")
        assert words == [
            "it",
            "is",
            "unlikely",
            "to",
            "sulk",
            ".",
            "nobody",
            "asked",
            "it",
            ".",
            "asked",
        ]
        np.testing.assert_allclose(X[2], pieces.X[2:4].mean(axis=0), atol=1e-6)
        np.testing.assert_array_equal(X[6:], pieces.X[8:])


class TestTransformer:
    def test_each_layer_is_what_its_block_gives(self, transformer):
        vocabularies, model = transformer
        encoder, encode = model.encoder, encoder_input(vocabularies)
        names = ["embeddings", "transformer.0", "transformer.1", "layer_norm"]
        tokens = ModuleActivations(encoder, names).extract(SENTENCES, encode=encode)
        blocks = []
        encoder.eval()
        with torch.inference_mode():
            for words in SENTENCES:
                states = [encoder.embeddings(encode(words)[0])]
                nothing_masked = torch.zeros(1, 1, len(words), len(words), dtype=torch.bool)
                for block in encoder.transformer:
                    states.append(block(states[-1], nothing_masked))
                states.append(encoder.layer_norm(states[-1]))
                blocks.append(torch.cat(states, dim=-1)[0].numpy())
        np.testing.assert_allclose(tokens.X, np.concatenate(blocks), atol=1e-6)
        second = LayerSelector(2, n_layers=4).fit_transform(tokens.X)
        np.testing.assert_array_equal(second, tokens.X[:, 2 * SIZE : 3 * SIZE])

    def test_the_neurons_of_the_feed_forward_network(self, transformer):
        vocabularies, model = transformer
        reader = ModuleActivations(model.encoder, ["transformer.1.feed_forward.w_1"])
        assert reader.extract(SENTENCES, encode=encoder_input(vocabularies)).X.shape == (13, 32)


class TestBidirectionalLSTM:
    def test_each_half_ends_in_the_state_of_its_direction(self, brnn):
        vocabularies, model = brnn
        encode = encoder_input(vocabularies)
        tokens = ModuleActivations(model.encoder, ["rnn"]).extract(SENTENCES, encode=encode)
        halves = {
            direction: LayerSelector(0, n_layers=1, direction=direction).fit_transform(tokens.X)
            for direction in ("forward", "backward")
        }
        assert halves["forward"].shape == halves["backward"].shape == (13, SIZE // 2)
        for i, words in enumerate(SENTENCES):
            with torch.inference_mode():
                _, (hidden, _), _ = model.encoder(*encode(words))
            rows = np.flatnonzero(tokens.sentence_ids == i)
            # (layers x directions, batch, units): the last two are those of the last layer.
            np.testing.assert_allclose(halves["forward"][rows[-1]], hidden[-2, 0], atol=1e-6)
            np.testing.assert_allclose(halves["backward"][rows[0]], hidden[-1, 0], atol=1e-6)

    def test_layers_in_a_row_compute_what_the_encoder_computes(self, brnn):
        vocabularies, model = brnn
        encode = encoder_input(vocabularies)
        expected = own_forward(model.encoder, encode)
        with split(model.encoder):
            tokens = ModuleActivations(model.encoder, ["rnn.0", "rnn.1"]).extract(
                SENTENCES, encode=encode
            )
        np.testing.assert_allclose(tokens.X[:, SIZE:], expected, atol=1e-6)

    def test_halves_of_the_first_layer_have_read_one_side(self, brnn):
        """The second layer reads both halves of the first: its own have read both sides."""
        vocabularies, model = brnn
        encode = encoder_input(vocabularies)
        sentence, other_end = ["it", "is", "to", "asked", "."], ["it", "is", "to", "asked", "sul@@"]
        with split(model.encoder):
            reader = ModuleActivations(model.encoder, ["rnn.0", "rnn.1"])
            X, X_other = (
                reader.extract([words], encode=encode).X[:-1] for words in (sentence, other_end)
            )

        def differs(layer, direction):
            selector = LayerSelector(layer, n_layers=2, direction=direction).fit(X)
            changed = np.abs(selector.transform(X) - selector.transform(X_other)) > 1e-7
            return changed.any()

        assert not differs(0, "forward")
        assert differs(0, "backward")
        assert differs(1, "forward")
