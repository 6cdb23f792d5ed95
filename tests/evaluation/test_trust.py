"""What every function of the room keeps to: one score, honest labels, no step that spoils another."""

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_neurox import (
    LinearProbeClassifier,
    WeightMassSelector,
    ablation_curve,
    balanced_indices,
    codelength,
    get_scorer,
    layerwise_scores,
    make_control_task,
    probe_report,
    selectivity_curve,
    selectivity_score,
)

WORDS = np.tile(np.arange(50), 3)
FUNCTIONS = {
    "layerwise_scores": lambda probe, X, y, cv=3, **more: layerwise_scores(
        probe, X, y, n_layers=3, cv=cv, **more
    ),
    "ablation_curve": lambda probe, X, y, cv=3, **more: ablation_curve(
        probe, X, y, ranking=np.arange(12), cv=cv, **more
    ),
    "selectivity_score": lambda probe, X, y, cv=3, **more: selectivity_score(
        probe, X, y, WORDS, cv=cv, random_state=0, **more
    ),
    "selectivity_curve": lambda probe, X, y, cv=3, **more: selectivity_curve(
        probe, X, y, WORDS, param_name="alpha", param_range=[1.0], cv=cv, random_state=0, **more
    ),
}


class Untouched(RidgeClassifier):
    """An estimator that must not be fitted."""

    def fit(self, X, y, sample_weight=None):
        raise AssertionError("The work had begun.")


class TestSteps:
    """A step that works in place changes what it was given, and nothing else."""

    @pytest.mark.parametrize("mode", ["zero", "mean", "retrain"])
    def test_of_an_ablation(self, classification, mode):
        X, y = classification
        X = 3 * X + 5
        curves = [
            ablation_curve(
                make_pipeline(StandardScaler(copy=copy), LogisticRegression()),
                X,
                y,
                ranking=WeightMassSelector(
                    make_pipeline(StandardScaler(copy=copy), RidgeClassifier())
                ),
                fractions=[0.25, 0.5],
                mode=mode,
                random_state=0,
            )
            for copy in (True, False)
        ]
        np.testing.assert_array_equal(curves[0].full_scores, curves[1].full_scores)
        for keep, scores in curves[0].scores.items():
            np.testing.assert_array_equal(scores, curves[1].scores[keep])

    def test_of_a_report(self, classification):
        X, y = classification
        X = 3 * X + 5
        before = X.copy()
        reports = [
            probe_report(
                make_pipeline(StandardScaler(copy=copy), LogisticRegression()).fit(X.copy(), y),
                X,
                y,
                random_state=0,
            )
            for copy in (True, False)
        ]
        np.testing.assert_array_equal(X, before)
        np.testing.assert_array_equal(reports[0].probabilities, reports[1].probabilities)

    def test_a_report_does_not_change_with_y(self, classification):
        X, y = classification
        y = y.copy()
        report = probe_report(RidgeClassifier().fit(X, y), X, y, random_state=0)
        y[:] = 0
        assert set(report.labels) == {0, 1, 2}


class TestLabels:
    """Nothing is made a label that is none, and no two labels are made one."""

    @pytest.mark.parametrize("name", FUNCTIONS)
    @pytest.mark.parametrize(
        ("odd", "error", "message"),
        [
            (np.nan, TypeError, "y must be of one kind, but holds number and str"),
            (1, TypeError, "y must be of one kind, but holds number and str"),
            (None, TypeError, "y must be of one kind, but holds NoneType and str"),
        ],
        ids=str,
    )
    def test_of_a_list(self, classification, name, odd, error, message):
        X, y = classification
        labels = [f"tag{label}" for label in y]
        labels[7] = odd
        with pytest.raises((error, ValueError), match=rf"{message}|y\[7\] is nan"):
            FUNCTIONS[name](Untouched(), X, labels)

    @pytest.mark.parametrize(
        "call",
        [
            lambda y: make_control_task(range(len(y)), y, random_state=0),
            balanced_indices,
            lambda y: codelength(LogisticRegression(), np.ones((len(y), 1)), y),
        ],
        ids=["make_control_task", "balanced_indices", "codelength"],
    )
    @pytest.mark.parametrize("odd", [np.nan, None, 1], ids=str)
    def test_of_other_functions(self, call, odd):
        with pytest.raises((TypeError, ValueError), match="y must"):
            call(["N", "V", odd, "N"] * 5)
        with pytest.raises(ValueError, match=r"y must not hold NaN or infinity: y\[1\] is nan"):
            call([1.0, np.nan, 2.0, 1.0] * 5)

    def test_numbers_that_come_as_objects_are_numbers(self, classification):
        X, y = classification
        objects = y.astype(object)
        expected = probe_report(RidgeClassifier().fit(X, y), X, y, random_state=0)
        found = probe_report(RidgeClassifier().fit(X, y), X, objects, random_state=0)
        assert found.to_dict() == expected.to_dict()

    def test_one_label_is_no_control_task(self):
        with pytest.raises(ValueError, match="A control task needs two labels, but y has only 'N'"):
            make_control_task(list("abc"), ["N"] * 3)


class TestScores:
    @pytest.mark.parametrize("name", FUNCTIONS)
    @pytest.mark.parametrize("scoring", [["accuracy", "f1_macro"], {"a": "accuracy"}], ids=type)
    def test_there_is_one(self, classification, name, scoring):
        with pytest.raises(ValueError, match="scoring must be one score, a name or a callable"):
            FUNCTIONS[name](Untouched(), *classification, scoring=scoring)

    def test_a_search_names_its_own(self, classification):
        X, _ = classification
        search = GridSearchCV(Ridge(), {"alpha": [1.0]}, scoring="neg_mean_squared_error", cv=2)
        result = layerwise_scores(make_pipeline(search), X, X[:, 0], n_layers=3, cv=2)
        assert result.metric == "neg_mean_squared_error"
        search.set_params(scoring=lambda *args: 0.0)
        assert layerwise_scores(search, X, X[:, 0], n_layers=3, cv=2).metric == "score"

    def test_a_scorer_that_does_not_fit_the_baseline_fails_first(self, classification):
        def score(estimator, X, y):
            return float(estimator.decision_function(X)[0, 0])

        with pytest.raises(AttributeError, match="DummyClassifier"):
            layerwise_scores(Untouched(), *classification, n_layers=3, scoring=score)


@pytest.mark.parametrize("steps", [[], [StandardScaler()]], ids=len)
def test_what_learns_nothing_is_refused(classification, steps):
    X, y = classification
    frozen = FrozenEstimator(LogisticRegression().fit(X, y))
    estimator = make_pipeline(*steps, frozen) if steps else frozen
    with pytest.raises(ValueError, match=r"selectivity trains on labels .* learns nothing"):
        selectivity_score(estimator, X, y, WORDS)
    with pytest.raises(ValueError, match="codelength trains on"):
        codelength(estimator, X, y)
    with pytest.raises(ValueError, match="mode='retrain'"):
        ablation_curve(estimator, X, y, ranking=np.arange(12), mode="retrain")
    ablation_curve(estimator, X, y, ranking=np.arange(12), cv=2)  # as it is: that is its use


class TestUnseenLabels:
    """Labels that training has not are said once, of all folds, whatever the score."""

    @pytest.mark.parametrize("name", FUNCTIONS)
    @pytest.mark.parametrize("scoring", [None, "f1_macro"])
    @pytest.mark.parametrize(
        "probe", [RidgeClassifier(), LinearProbeClassifier(max_epochs=1, random_state=0)], ids=type
    )
    def test_one_warning(self, classification, name, scoring, probe):
        X, y = classification
        labels = np.array(["a", "b", "c"])[y].astype(object)
        labels[3] = "rare"
        if name == "selectivity_curve" and not hasattr(probe, "alpha"):
            pytest.skip("has another parameter")
        with pytest.warns(UserWarning, match="labels that training has not") as caught:
            FUNCTIONS[name](probe, X, labels, scoring=scoring, cv=KFold(3))
        about = [str(each.message) for each in caught if "training" in str(each.message)]
        assert about == [
            "On 1 of 3 folds, 1 test words in all have labels that training has not: 'rare'. They "
            "count as wrong; leave rare labels out, if that is not what you mean."
        ]
        (place,) = {each.filename for each in caught if "rare" in str(each.message)}
        assert place == __file__


class TestMistakes:
    """What is often meant otherwise, said before any work."""

    def test_scores_of_neurox_have_their_names(self, classification):
        X, _ = classification
        by_name = layerwise_scores(Ridge(), X, X[:, 0], n_layers=3, cv=2, scoring="pearson")
        by_scorer = layerwise_scores(
            Ridge(), X, X[:, 0], n_layers=3, cv=2, scoring=get_scorer("pearson")
        )
        np.testing.assert_array_equal(by_name.scores, by_scorer.scores)
        assert by_name.metric == "pearson"

    @pytest.mark.parametrize(
        ("changes", "error", "message"),
        [
            (dict(scoring="acuracy"), ValueError, "no scorer 'acuracy'. Did you mean 'accuracy'"),
            (dict(estimator=StandardScaler()), TypeError, "StandardScaler does not"),
            (
                dict(y=np.arange(150) + 0.5),
                ValueError,
                "numbers that are no classes, but Untouched",
            ),
            (dict(y=[["a", "b"], ["c"]]), TypeError, "y must be one flat list"),
        ],
    )
    def test_of_a_call(self, classification, changes, error, message):
        X, y = classification
        call = {"estimator": Untouched(), "X": X, "y": y, "n_layers": 3} | changes
        if len(call["y"]) < 150:
            call["X"] = X[: len(call["y"])]
        with pytest.raises(error, match=message):
            layerwise_scores(call.pop("estimator"), call.pop("X"), call.pop("y"), **call)

    def test_labels_of_a_control_task_are_no_words(self, classification):
        X, y = classification
        labels = np.array(["a", "b", "c"])[y]
        task = make_control_task(WORDS, labels, random_state=0)
        with pytest.raises(ValueError, match="give the ControlTask itself, not its labels"):
            layerwise_scores(Untouched(), X, labels, n_layers=3, control={"task": task.labels})

    def test_words_and_labels_swapped(self):
        words = [f"w{i}" for i in range(60)]
        tags = ["N", "V", "A"] * 20
        make_control_task(words, tags, random_state=0)
        with pytest.warns(UserWarning, match=r"60 and 3: are words and y in each other's place\?"):
            make_control_task(tags, words, random_state=0)

    def test_sentences_are_no_words(self):
        with pytest.raises(
            TypeError, match="words must be one flat list of words, but holds lists"
        ):
            make_control_task([["a", "b"], ["c"]], ["N", "V"])
