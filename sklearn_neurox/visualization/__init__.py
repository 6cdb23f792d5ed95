"""Visualization: displays of results, activations over text, tables and pages."""

from .ablation_curve_display import AblationCurveDisplay
from .analysis_report import AnalysisReport
from .calibration_curve_display import CalibrationCurveDisplay
from .causal_effect_display import CausalEffectDisplay
from .codelength_display import CodelengthDisplay
from .dendrogram_display import DendrogramDisplay
from .layerwise_scores_display import LayerwiseScoresDisplay
from .neuron_grid import NeuronGrid
from .neurons_per_class_display import NeuronsPerClassDisplay
from .patching_display import PatchingDisplay
from .probe_report_display import ProbeReportDisplay
from .ranking_overlap_display import RankingOverlapDisplay
from .redundancy_display import RedundancyDisplay
from .regularization_path_display import RegularizationPathDisplay
from .roc_display import RocDisplay
from .score_comparison_display import ScoreComparisonDisplay
from .selectivity_displays import SelectivityCurveDisplay, SelectivityDisplay
from .text import visualize_activations
from .top_words_table import TopWordsTable
from .transfer_scores_display import TransferScoresDisplay
from .transformers_visualizer import TransformersVisualizer

__all__ = [
    "AblationCurveDisplay",
    "AnalysisReport",
    "CalibrationCurveDisplay",
    "CausalEffectDisplay",
    "CodelengthDisplay",
    "DendrogramDisplay",
    "LayerwiseScoresDisplay",
    "NeuronGrid",
    "NeuronsPerClassDisplay",
    "PatchingDisplay",
    "ProbeReportDisplay",
    "RankingOverlapDisplay",
    "RedundancyDisplay",
    "RegularizationPathDisplay",
    "RocDisplay",
    "ScoreComparisonDisplay",
    "SelectivityCurveDisplay",
    "SelectivityDisplay",
    "TopWordsTable",
    "TransferScoresDisplay",
    "TransformersVisualizer",
    "visualize_activations",
]
