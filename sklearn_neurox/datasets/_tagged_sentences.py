"""English sentences tagged with parts of speech."""

from __future__ import annotations

from importlib.resources import as_file, files

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils._param_validation import StrOptions, validate_params

from .corpora import iter_conllu


@validate_params(
    {"subset": [StrOptions({"all", "train", "test"})]}, prefer_skip_nested_validation=True
)
def load_tagged_sentences(*, subset="all"):
    """Load the embedded corpus: English sentences with Universal POS tags.

    480 sentences of 15 genres (news, fiction, dialogue, messages, recipes, laws, ...), written
    and tagged for this project by the guidelines of Universal Dependencies v2 [1]_; the tags were
    read a second time. All 17 tags occur in the training and in the test part. It is small on
    purpose: enough to try everything out, too little for a claim about English.

    Parameters
    ----------
    subset : {"all", "train", "test"}, default="all"
        Part to load. Every fifth sentence of a genre belongs to the test part.

    Returns
    -------
    sklearn.utils.Bunch
        With the attributes

        sentences : list of list of str
            Words, split as in Universal Dependencies: "does n't".
        tags : list of list of str
            Universal POS tags, of the same shape.
        genres : ndarray of str of shape (n_sentences,)
            Genre of each sentence.
        is_train : ndarray of bool of shape (n_sentences,)
            Which sentences belong to the training part.

    References
    ----------
    .. [1] M.-C. de Marneffe, C. D. Manning, J. Nivre and D. Zeman (2021). Universal
       Dependencies. Computational Linguistics 47(2).

    Examples
    --------
    >>> from sklearn_neurox import load_tagged_sentences
    >>> corpus = load_tagged_sentences()
    >>> len(corpus.sentences), sum(len(words) for words in corpus.sentences)
    (480, 6378)
    >>> list(zip(corpus.sentences[400], corpus.tags[400]))[:4]
    [('Honestly', 'ADV'), (',', 'PUNCT'), ('I', 'PRON'), ('burned', 'VERB')]
    """
    resource = files(__package__) / "data" / "tagged_sentences.conllu"
    with as_file(resource) as path:
        corpus = [
            sentence
            for sentence in iter_conllu(path)
            if subset in ("all", sentence.comments["split"])
        ]
    return Bunch(
        sentences=[[row["form"] for row in sentence.rows] for sentence in corpus],
        tags=[[row["upos"] for row in sentence.rows] for sentence in corpus],
        genres=np.array([sentence.comments["genre"] for sentence in corpus]),
        is_train=np.array([sentence.comments["split"] == "train" for sentence in corpus]),
    )
