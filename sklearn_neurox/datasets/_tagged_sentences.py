"""The embedded corpus: English sentences tagged with parts of speech."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import Literal

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils._param_validation import StrOptions, validate_params

from ._conllu import iter_conllu


@validate_params(
    {"subset": [StrOptions({"all", "train", "test"})]}, prefer_skip_nested_validation=True
)
def load_tagged_sentences(*, subset: Literal["all", "train", "test"] = "all") -> Bunch:
    """Load the embedded corpus: English sentences with Universal POS tags.

    The corpus consists of 480 sentences of 15 genres (news, fiction, dialogue, messages, recipes,
    laws, ...). They were written for this project and tagged according to the guidelines of
    Universal Dependencies v2 [1]_; the tags were checked in a second pass. All 17 tags occur in
    both the training and the test part. The corpus is deliberately small: it is large enough to try
    out the package, but too small to draw conclusions about English.

    Parameters
    ----------
    subset : {"all", "train", "test"}, default="all"
        Part to load. Every fifth sentence of a genre belongs to the test part.

    Returns
    -------
    sklearn.utils.Bunch
        Dictionary-like object with the attributes

        sentences : list of list of str
            Words, split as in Universal Dependencies, such as "does n't".
        tags : list of list of str
            Universal POS tags, in the same shape.
        genres : ndarray of str of shape (n_sentences,)
            Genre of each sentence.
        is_train : ndarray of bool of shape (n_sentences,)
            Whether each sentence belongs to the training part.

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
