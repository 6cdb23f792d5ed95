"""Files with words that the package itself does not write."""

import numpy as np

from sklearn_neurox.activations._neurox_files import write_hdf5, write_json
from sklearn_neurox.activations._neurox_writing import sentences_of


def write_foreign(path, tokens):
    """Write activations without checking their words, as NeuroX does."""
    starts = np.flatnonzero(np.diff(tokens.sentence_ids, prepend=-1))
    ends = [*starts[1:], len(tokens)]
    slices = [slice(start, end) for start, end in zip(starts, ends, strict=True)]
    path.unlink(missing_ok=True)
    write = write_hdf5 if path.suffix == ".hdf5" else write_json
    write(path, sentences_of(tokens, slices, tokens.layers, None))
