"""The embedded corpus."""

from ._tagged_sentences import load_tagged_sentences

__all__ = ["load_tagged_sentences"]
