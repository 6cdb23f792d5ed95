"""Near duplicates among texts, by MinHash signatures and the Jaccard similarity of shingles."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

_SHINGLE = 5  # characters
# Texts whose similarity is 0.8 share at least one of the bands with a probability of 0.998.
_N_BANDS, _ROWS_PER_BAND = 12, 4
# Shingles of more than this share of the texts, and more than this number of them, belong to a
# template or to common words.
_MAX_SHARE, _MIN_COMMON = 0.05, 20
# In a larger set of candidates, each text is compared with this number of others.
_MAX_CANDIDATES = 32
_BITS = 22  # of the hash, for counting how often a shingle occurs
_AT_ONCE = 2**22  # characters, or cells of a matrix, that are processed at a time
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


def normalize(text: str) -> str:
    """Return a text without differences in case, spaces and Unicode forms."""
    return " ".join(unicodedata.normalize("NFKC", text).split()).casefold()


def near_duplicates(texts: Sequence[str], threshold: float, seed: int) -> csr_array:
    """Find pairs of similar texts.

    Parameters
    ----------
    texts : sequence of n_texts str
        Distinct normalized texts.
    threshold : float
        Minimum Jaccard similarity of their sets of shingles of five characters: of all of them, and
        of those that at most 5 % of the texts contain. Texts with a common template have a high
        similarity of the first kind only, and texts that differ in frequent words of the second.
    seed : int
        Determines the hash functions.

    Returns
    -------
    csr_array of shape (n_texts, n_texts)
        The lower of both similarities of the pairs that were found, symmetric, and 0 for others.
    """
    every = _hash_texts(texts)
    rare = _without_common(every)
    pairs = _candidates(rare, seed)
    similarity = np.minimum(_jaccard(rare, pairs), _jaccard(every, pairs))
    found = similarity >= threshold
    (one, other), values = pairs[:, found], similarity[found]
    rows, columns = np.concatenate([one, other]), np.concatenate([other, one])
    entries = (np.concatenate([values, values]), (rows, columns))
    return csr_array(entries, shape=(len(texts), len(texts)))


class _Shingles(NamedTuple):
    """Hashes of the shingles of all texts, one text after the other, and where each text starts."""

    hashes: NDArray[np.uint64]
    starts: NDArray[np.intp]  # n_texts + 1

    def of(self, texts: NDArray[np.intp]) -> csr_array:
        """Return the sets of shingles of some texts, (n_texts, n_shingles)."""
        lengths = np.diff(self.starts)[texts]
        rows = np.repeat(np.arange(len(texts)), lengths)
        places = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        hashes = self.hashes[places + np.repeat(self.starts[texts], lengths)]
        columns = np.unique(hashes, return_inverse=True)[1]
        shape = (len(texts), int(columns.max(initial=-1)) + 1)
        sets = csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)
        sets.data[:] = 1  # repetitions within a text were summed
        return sets


def _hash_texts(texts: Sequence[str]) -> _Shingles:
    lengths = np.array([max(len(text), _SHINGLE) for text in texts])
    batches = np.cumsum(lengths) // _AT_ONCE
    hashes = np.concatenate(
        [
            _hash_shingles([texts[i] for i in chosen.tolist()], lengths[chosen])
            for chosen in (np.flatnonzero(batches == batch) for batch in np.unique(batches))
        ]
    )
    return _Shingles(hashes, np.concatenate([[0], np.cumsum(lengths - _SHINGLE + 1)]))


def _without_common(shingles: _Shingles) -> _Shingles:
    sizes = np.diff(shingles.starts)
    buckets = (shingles.hashes >> np.uint64(64 - _BITS)).astype(np.intp)  # collisions are rare
    most = max(_MIN_COMMON, _MAX_SHARE * len(sizes))
    is_rare = (np.bincount(buckets, minlength=1 << _BITS) <= most)[buckets]
    rows = np.repeat(np.arange(len(sizes)), sizes)
    kept = np.bincount(rows[is_rare], minlength=len(sizes))
    return _Shingles(shingles.hashes[is_rare], np.concatenate([[0], np.cumsum(kept)]))


def _hash_shingles(texts: Sequence[str], lengths: NDArray[np.intp]) -> NDArray[np.uint64]:
    """Hash all runs of five characters within the texts, padded to at least one run."""
    joined = "".join(text.ljust(_SHINGLE, "\0") for text in texts)
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    hashes = np.zeros(len(codes) - _SHINGLE + 1, dtype=np.uint64)
    for i in range(_SHINGLE):
        hashes = (hashes + codes[i : i + len(hashes)]) * _FACTOR
        hashes ^= hashes >> np.uint64(29)
    ends = np.cumsum(lengths)
    within = np.ones(len(codes), dtype=bool)
    for i in range(1, _SHINGLE):  # runs that would cross the end of a text
        within[ends - i] = False
    return hashes[within[: len(hashes)]]


def _signatures(shingles: _Shingles, seed: int) -> NDArray[np.uint64]:
    """Return the MinHash signatures of texts with at least one shingle, (n_hashes, n_texts)."""
    random = np.random.RandomState(seed)
    n_hashes = _N_BANDS * _ROWS_PER_BAND
    factors, offsets = random.randint(2**62, size=(2, n_hashes)).astype(np.uint64) * 2 + 1
    starts = shingles.starts[:-1][np.diff(shingles.starts) > 0]
    signatures = np.empty((n_hashes, len(starts)), dtype=np.uint64)
    for signature, factor, offset in zip(signatures, factors, offsets, strict=True):
        hashes = shingles.hashes * factor
        hashes += offset
        hashes >>= np.uint64(32)
        signature[:] = np.minimum.reduceat(hashes, starts)
    return signatures


def _candidates(shingles: _Shingles, seed: int) -> NDArray[np.intp]:
    """Return pairs of texts that share a band of their signatures, (2, n_pairs)."""
    texts = np.flatnonzero(np.diff(shingles.starts))
    if len(texts) < 2:
        return np.empty((2, 0), dtype=np.intp)
    signatures = _signatures(shingles, seed)
    found = []
    for band in np.split(signatures, _N_BANDS):
        keys = np.zeros(len(texts), dtype=np.uint64)
        for row in band:
            keys = (keys + row) * _FACTOR
            keys ^= keys >> np.uint64(29)
        order = np.argsort(keys, kind="stable")
        for step in range(1, _MAX_CANDIDATES + 1):  # texts with the same key are adjacent
            same = np.flatnonzero(keys[order[step:]] == keys[order[:-step]])
            if not len(same):
                break
            pair = np.sort(np.array([order[same], order[same + step]]), axis=0)
            found.append(pair[0] * len(texts) + pair[1])
    if not found:
        return np.empty((2, 0), dtype=np.intp)
    return texts[np.array(np.divmod(np.unique(np.concatenate(found)), len(texts)))]


def _jaccard(shingles: _Shingles, pairs: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the similarity of the sets of each pair."""
    texts, places = np.unique(pairs, return_inverse=True)
    places = places.reshape(pairs.shape)
    sets = shingles.of(texts)
    sizes = np.diff(sets.indptr)
    step = max(1, int(_AT_ONCE / max(sizes.mean() if len(sizes) else 1, 1)))
    shared = np.zeros(pairs.shape[1])
    for start in range(0, pairs.shape[1], step):
        one, other = places[:, start : start + step]
        shared[start : start + step] = sets[one].multiply(sets[other]).sum(axis=1)
    return shared / (sizes[places].sum(axis=0) - shared)
