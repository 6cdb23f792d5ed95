import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_neurox import TokenActivations


@pytest.fixture
def tokens():
    return TokenActivations(
        X=np.arange(18.0).reshape(3, 6),
        words=np.array(["To", "be", "or"], dtype=object),
        sentence_ids=np.array([0, 0, 1]),
        positions=np.array([0, 1, 0]),
        layers=(0, 3),
        y=np.array(["PART", "AUX", "CCONJ"]),
    )


def test_layers_are_views_named_by_their_number(tokens):
    assert np.shares_memory(tokens.layer(3), tokens.X)
    np.testing.assert_array_equal(tokens.layer(3), tokens.X[:, 3:])
    assert tokens.neuron_names[[0, 3]].tolist() == ["layer_0_neuron_0", "layer_3_neuron_0"]
    with pytest.raises(
        ValueError, match=r"X does not contain layer 1. It contains the layers 0, 3"
    ):
        tokens.layer(1)


def test_to_frame(tokens):
    frame = tokens.to_frame()
    assert list(frame) == list(tokens.neuron_names)
    assert frame.index.names == ["sentence_id", "position", "word"]
    assert frame.loc[(0, 1, "be"), "layer_3_neuron_2"] == 11


def test_repr_and_len(tokens):
    assert repr(tokens) == (
        "TokenActivations(3 words in 2 sentences, 6 neurons in 2 layers, float64, with labels)"
    )
    assert len(tokens) == 3


@pytest.mark.parametrize("column", ["words", "sentence_ids", "positions", "y"])
def test_lengths(tokens, column):
    from dataclasses import replace

    with pytest.raises(ValueError, match=f"X has 3 rows, but {column} has 1"):
        replace(tokens, **{column: np.array([0])})
    with pytest.raises(
        ValueError, match="X has 6 neurons, which cannot be divided into 4 layers of equal width"
    ):
        replace(tokens, layers=(0, 1, 2, 3))
    for layers, message in (((), "layers is empty"), ((1, 1), "Each layer .* 1 is repeated")):
        with pytest.raises(ValueError, match=message):
            replace(tokens, layers=layers)


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        (
            np.ma.array([9, 1, 2], mask=[1, 0, 0]),
            ValueError,
            r"y must not have masked values, but y\[0\] is masked",
        ),
        ([1, np.nan, 2], ValueError, r"y must not contain NaN or infinity: y\[1\] = nan"),
        (np.array([1, 2, -np.inf]), ValueError, r"NaN or infinity: y\[2\] = -inf"),
        (
            np.array(["a", None, "b"], dtype=object),
            TypeError,
            "contains NoneType and string labels",
        ),
        ([True, 1, 0], TypeError, "contains boolean and number labels"),
        ([["a"], ["b", "c"], []], TypeError, "y must be a flat list"),
        (np.zeros((3, 2)), ValueError, r"y must have shape \(n_samples,\), got \(3, 2\)"),
        ("abc", TypeError, "y must be a list with one entry per sample"),
    ],
    ids=["masked", "nan", "infinity", "none", "kinds", "nested", "columns", "string"],
)
def test_labels_are_checked(tokens, y, error, message):
    from dataclasses import replace

    with pytest.raises(error, match=message):
        replace(tokens, y=y)


@pytest.mark.parametrize("y", [["a", "b", "c"], [1, 2, 3], [True, False, True], [0.5, 1.5, 2]])
def test_labels_are_arrays(tokens, y):
    from dataclasses import replace

    for given in (y, np.array(y), np.array(y, dtype=object), np.ma.array(y)):
        labels = replace(tokens, y=given).y
        assert type(labels) is np.ndarray
        assert labels.dtype == np.array(y).dtype
        assert labels.tolist() == y


class TestSomeOfTheWords:
    @pytest.mark.parametrize(
        "rows",
        [slice(1, None), [1, 2], [-2, -1], np.array([False, True, True]), [False, True, True]],
        ids=str,
    )
    def test_rows(self, tokens, rows):
        some = tokens[rows]
        np.testing.assert_array_equal(some.X, tokens.X[1:])
        assert some.words.tolist() == ["be", "or"]
        assert some.sentence_ids.tolist() == [0, 1]
        assert some.positions.tolist() == [1, 0]
        assert some.y.tolist() == ["AUX", "CCONJ"]
        assert some.layers == (0, 3)
        assert some.neuron_names.tolist() == tokens.neuron_names.tolist()
        assert len(tokens) == 3

    def test_a_slice_is_a_view(self, tokens):
        assert np.shares_memory(tokens[:2].X, tokens.X)
        assert not np.shares_memory(tokens[[0, 1]].X, tokens.X)

    def test_a_slice_of_a_store_stays_on_the_disk(self, tokens, tmp_path):
        tokens.save(tmp_path / "store")
        stored = TokenActivations.load(tmp_path / "store")
        assert isinstance(stored[:2].X, np.memmap)
        assert stored[stored.y == "AUX"].words.tolist() == ["be"]

    def test_in_another_order_and_none(self, tokens):
        assert tokens[[2, 0, 0]].words.tolist() == ["or", "To", "To"]
        assert len(tokens[[]]) == len(tokens[tokens.words == "no"]) == 0

    def test_without_labels(self, tokens):
        from dataclasses import replace

        assert replace(tokens, y=None)[:1].y is None

    @pytest.mark.parametrize("rows", [0, "To", ["To"], [0.0], None, (0, 1, "a"), [[0]], 1.5])
    def test_what_chooses_no_words(self, tokens, rows):
        with pytest.raises(
            TypeError, match="selected by a slice, a mask or a list of integers, got"
        ):
            tokens[rows]

    def test_what_is_not_there(self, tokens):
        with pytest.raises(IndexError, match="The mask has 2 values, but there are 3 words"):
            tokens[[True, False]]
        for place in (3, -4):
            with pytest.raises(IndexError, match=f"Word {place} does not exist: there are 3 words"):
                tokens[[0, place]]

    def test_they_are_no_sequence(self, tokens):
        with pytest.raises(TypeError, match="not iterable"):
            iter(tokens)


class TestFromSentences:
    X = np.arange(12.0).reshape(3, 4)
    SENTENCES = [["to", "be"], ["or"]]

    def build(self, arrays=None, sentences=SENTENCES, labels=None, **options):
        arrays = [self.X[:2], self.X[2:]] if arrays is None else arrays
        return TokenActivations.from_sentences(arrays, sentences, labels, **options)

    @pytest.mark.parametrize(
        "arrays", [None, X, [X[:2].tolist(), X[2:]]], ids=["list", "rows", "nested"]
    )
    def test_rows_words_and_places(self, arrays):
        tokens = self.build(arrays, labels=[["A", "B"], ["C"]], layers=(4, 8), unit="mlp")
        np.testing.assert_array_equal(tokens.X, self.X)
        assert tokens.words.tolist() == ["to", "be", "or"]
        assert tokens.sentence_ids.tolist() == [0, 0, 1]
        assert tokens.positions.tolist() == [0, 1, 0]
        assert tokens.y.tolist() == ["A", "B", "C"]
        assert tokens.neuron_names[-1] == "layer_8_mlp_1"

    def test_one_layer_unless_told(self):
        assert self.build().layers == (0,)

    def test_sentence_numbers_and_strings(self):
        tokens = self.build(sentences=["to be", "or"], sentence_ids=[7, 3])
        assert tokens.words.tolist() == ["to", "be", "or"]
        assert tokens.sentence_ids.tolist() == [7, 7, 3]

    def test_labels_in_one_array(self):
        assert self.build(labels=np.array([1.5, 2, 3])).y.tolist() == [1.5, 2, 3]
        for values in (["A", "B", "C"], [True, False, True]):
            y = self.build(labels=np.array(values, dtype=object)).y
            assert y.tolist() == values
            assert y.dtype == np.array(values).dtype

    def test_labels_in_an_array_of_lists(self):
        labels = np.empty(2, dtype=object)
        labels[:] = [["A", "B"], ["C"]]
        assert self.build(labels=labels).y.tolist() == ["A", "B", "C"]

    def test_what_save_writes_is_the_same(self, tmp_path):
        tokens = self.build(labels=[["A", "B"], ["C"]], layers=(4, 8), sentence_ids=[7, 9])
        tokens.save(tmp_path / "store")
        stored = TokenActivations.load(tmp_path / "store")
        for name in ("X", "words", "sentence_ids", "positions", "y"):
            np.testing.assert_array_equal(getattr(stored, name), getattr(tokens, name))
        assert stored.neurons == tokens.neurons

    @pytest.mark.parametrize(
        ("changes", "error", "message"),
        [
            ({"arrays": [X]}, ValueError, "Got 2 sentences, but 1 array"),
            ({"arrays": [X[:1], X[2:]]}, ValueError, r"Sentence 0 .* shape \(2, 4\), got \(1, 4\)"),
            ({"arrays": [X[:2], X[2:, :3]]}, ValueError, r"Sentence 1 .* got \(1, 3\)"),
            ({"arrays": [X[:2], X[2]]}, ValueError, r"Sentence 1 .* got \(4,\)"),
            ({"arrays": X[:2]}, ValueError, "have 3 words, but the activations have 2 rows"),
            ({"arrays": [X[:2], X[2:].astype("f4")]}, ValueError, "Sentence 1 .* dtype float32"),
            ({"arrays": [X[:2], [["a"] * 4]]}, TypeError, "Sentence 1 must contain floating-point"),
            ({"labels": [["A"], ["B"]]}, ValueError, "Sentence 0 has 2 words, but 1 label"),
            ({"labels": np.array(["A", "B"])}, ValueError, "X has 3 rows, but y has 2"),
            ({"labels": [["A", 1], ["B"]]}, TypeError, "one kind"),
            ({"sentences": "to be or"}, TypeError, "list of sentences"),
            ({"sentence_ids": [1]}, ValueError, "sentence_ids must contain 2 integers"),
            ({"sentence_ids": [4, 4]}, ValueError, "different for each sentence, but 4 is rep"),
            (
                {"layers": (1, 2, 3)},
                ValueError,
                "X has 4 neurons, which cannot be divided into 3 layers of equal width",
            ),
            ({"layers": "ab"}, TypeError, "layers must be a list"),
            ({"layers": 0}, TypeError, "layers must be a list"),
            ({"unit": ""}, ValueError, "unit must be a non-empty string, got ''"),
            ({"unit": None}, ValueError, "unit must be a non-empty string, got None"),
        ],
    )
    def test_errors(self, changes, error, message):
        with pytest.raises(error, match=message):
            self.build(**changes)


def test_select_layers(tokens):
    other = tokens.select(layers=[3, 0])
    np.testing.assert_array_equal(other.layer(0), tokens.layer(0))
    np.testing.assert_array_equal(other.X, np.hstack([tokens.layer(3), tokens.layer(0)]))
    assert other.layers == (3, 0)
    assert tokens.select(layers=[3]).neuron_names.tolist() == tokens.neuron_names[3:].tolist()
    with pytest.raises(ValueError, match="does not contain layer 1"):
        tokens.select(layers=[1])


class TestByText:
    def test_one_array_per_text(self, tokens):
        texts = tokens.by_text()
        assert len(texts) == len(np.unique(tokens.sentence_ids))
        assert texts.text_ids.tolist() == list(dict.fromkeys(tokens.sentence_ids.tolist()))
        for number, X in zip(texts.text_ids, texts, strict=True):
            np.testing.assert_array_equal(X, tokens.X[tokens.sentence_ids == number])
            assert np.shares_memory(X, tokens.X)  # the rows of each text are adjacent
        assert [len(X) for X in texts[1:]] == [len(texts[i]) for i in range(1, len(texts))]
        assert repr(texts).startswith("TextActivations(")

    def test_rows_that_are_not_adjacent(self):
        tokens = TokenActivations.from_sentences(np.arange(5.0)[:, None], ["a b", "c", "d e"])
        texts = tokens[[3, 0, 2, 4, 1]].by_text()
        assert [X.ravel().tolist() for X in texts] == [[3, 4], [0, 1], [2]]
        assert texts.text_ids.tolist() == [2, 0, 1]
        assert texts.tokens(0).words.tolist() == ["d", "e"]

    def test_labels_of_texts(self):
        tokens = TokenActivations.from_sentences(np.zeros((3, 1)), ["a b", "c"])
        assert tokens.by_text().y is None
        labeled = TokenActivations.from_sentences(np.zeros((3, 1)), ["a b", "c"], [[1, 1], [2]])
        assert labeled.by_text().y.tolist() == [1, 2]
        mixed = TokenActivations.from_sentences(np.zeros((3, 1)), ["a b", "c"], [[1, 2], [2]])
        assert mixed.by_text().y is None

    def test_searches_index_it_by_text(self):
        """Pooled by hand, the search finds the same scores."""
        rng = np.random.default_rng(0)
        sentences = [["w"] * n for n in rng.integers(1, 4, size=30)]
        y = rng.integers(2, size=30)
        X = [
            rng.normal(size=(len(words), 3)) + 2 * label
            for words, label in zip(sentences, y, strict=True)
        ]
        texts = TokenActivations.from_sentences(X, sentences).by_text()
        pool = FunctionTransformer(lambda texts: np.array([X.mean(axis=0) for X in texts]))
        grid = {"logisticregression__C": [0.01, 1.0]}
        search = GridSearchCV(make_pipeline(pool, LogisticRegression()), grid, cv=5).fit(texts, y)
        pooled = GridSearchCV(
            make_pipeline(FunctionTransformer(), LogisticRegression()), grid, cv=5
        ).fit(np.array([x.mean(axis=0) for x in X]), y)
        np.testing.assert_allclose(
            search.cv_results_["mean_test_score"], pooled.cv_results_["mean_test_score"]
        )
