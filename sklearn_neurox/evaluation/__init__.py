"""Evaluation: where a property is encoded, and whether a probe reads or memorizes it."""

from .ablation_curve import AblationCurve, ablation_curve
from .audit import audit_corpus
from .calibration import CalibrationBin, CalibrationCurve
from .compare_scores import compare_scores
from .comparison import PairDifference, ScoreComparison
from .conditional_codelength import ConditionalCodelength, conditional_codelength
from .control import ControlTask, make_control_task, make_control_tasks
from .corpus_audit import CorpusAudit, LeakExample, TokenLabel
from .decision_metrics import recall_at_fpr
from .description_length import Codelength, codelength
from .erasure_report import ErasureReport, erasure_report
from .held_out import HeldOutPredictions
from .layer_scores import LayerwiseScores
from .layers import layerwise_scores
from .metrics import (
    accuracy_and_f1,
    compute_score,
    pearson,
    pearson_and_spearman,
    spearman,
)
from .nested import NestedScores, nested_layer_scores
from .operating_point import OperatingPoint, operating_point
from .permutation import PermutationTest
from .probe_report import probe_report
from .probe_report_result import ProbeReport
from .sampling import balanced_indices
from .scorers import get_scorer
from .selectivity import selectivity_curve, selectivity_score
from .selectivity_result import Selectivity, SelectivityCurve
from .threshold import tune_threshold
from .transfer import transfer_scores
from .transfer_result import TransferScores

__all__ = [
    "AblationCurve",
    "CalibrationBin",
    "CalibrationCurve",
    "Codelength",
    "ConditionalCodelength",
    "ControlTask",
    "CorpusAudit",
    "ErasureReport",
    "HeldOutPredictions",
    "LayerwiseScores",
    "LeakExample",
    "NestedScores",
    "OperatingPoint",
    "PairDifference",
    "PermutationTest",
    "ProbeReport",
    "ScoreComparison",
    "Selectivity",
    "SelectivityCurve",
    "TokenLabel",
    "TransferScores",
    "ablation_curve",
    "accuracy_and_f1",
    "audit_corpus",
    "balanced_indices",
    "codelength",
    "compare_scores",
    "compute_score",
    "conditional_codelength",
    "erasure_report",
    "get_scorer",
    "layerwise_scores",
    "make_control_task",
    "make_control_tasks",
    "nested_layer_scores",
    "operating_point",
    "pearson",
    "pearson_and_spearman",
    "probe_report",
    "recall_at_fpr",
    "selectivity_curve",
    "selectivity_score",
    "spearman",
    "transfer_scores",
    "tune_threshold",
]
