"""Probing and neuron analysis of neural networks, as scikit-learn estimators.

Every public name lives in a room (``sklearn_neurox.probes``, ``.neurons``, ``.evaluation``,
``.activations``, ``.datasets``, ``.visualization``) and can be imported from here. Rooms load
when a name of theirs is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .activations import *
    from .datasets import *
    from .evaluation import *
    from .neurons import *
    from .probes import *
    from .visualization import *

__version__ = "0.1.0"

_ROOMS = {
    "activations": (
        "ActivationExtractor",
        "ModuleActivations",
        "StoreWriter",
        "TokenActivations",
        "aggregate_bpe",
        "aggregate_characters",
        "aggregate_subwords",
        "annotate",
        "binarize_labels",
        "describe_store",
        "load_store",
        "numeric_labels",
        "read_activations",
        "read_conllu",
        "read_labelled_sentences",
        "read_parallel",
        "read_sentences",
        "write_activations",
    ),
    "datasets": ("load_tagged_sentences",),
    "evaluation": (
        "AblationCurve",
        "Codelength",
        "ControlTask",
        "LayerwiseScores",
        "ProbeReport",
        "Selectivity",
        "SelectivityCurve",
        "ablation_curve",
        "accuracy_and_f1",
        "balanced_indices",
        "codelength",
        "compute_score",
        "get_scorer",
        "layerwise_scores",
        "make_control_task",
        "pearson",
        "pearson_and_spearman",
        "probe_report",
        "selectivity_curve",
        "selectivity_score",
        "spearman",
    ),
    "neurons": (
        "AveragePrecisionSelector",
        "CorrelationClustering",
        "GaussianSelector",
        "IndependentNeuronSelector",
        "LayerSelector",
        "NeuronAblator",
        "NeuronSelector",
        "ProbelessSelector",
        "RandomSelector",
        "VotingSelector",
        "WeightMassSelector",
        "average_precision_scores",
        "bottom_neurons",
        "cross_model_correlation_scores",
        "mean_difference_scores",
        "random_neurons",
        "ranking_overlap",
        "threshold_neurons",
        "top_neurons",
        "top_words",
        "vote",
        "weight_mass_ordering",
    ),
    "probes": (
        "GaussianProbeClassifier",
        "LinearProbeClassifier",
        "LinearProbeClassifierCV",
        "LinearProbeRegressor",
        "LinearProbeRegressorCV",
        "load_probe",
        "save_probe",
    ),
    "visualization": (
        "AblationCurveDisplay",
        "AnalysisReport",
        "CodelengthDisplay",
        "DendrogramDisplay",
        "LayerwiseScoresDisplay",
        "NeuronGrid",
        "NeuronsPerClassDisplay",
        "ProbeReportDisplay",
        "RankingOverlapDisplay",
        "RedundancyDisplay",
        "RegularizationPathDisplay",
        "SelectivityCurveDisplay",
        "SelectivityDisplay",
        "TopWordsTable",
        "TransformersVisualizer",
        "visualize_activations",
    ),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = sorted(_ROOM_OF)


def __getattr__(name: str) -> Any:
    if name in _ROOM_OF:
        return getattr(import_module(f".{_ROOM_OF[name]}", __name__), name)
    if name in _ROOMS:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__, *_ROOMS])
