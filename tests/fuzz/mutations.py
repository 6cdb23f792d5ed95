"""Damaged copies of valid files."""

from hypothesis import strategies as st


@st.composite
def damaged(draw, content: bytes, *, max_changes: int = 4) -> bytes:
    """Draw a copy of `content` in which a few runs of bytes are replaced, removed or repeated."""
    for _ in range(draw(st.integers(1, max_changes))):
        start = draw(st.integers(0, max(len(content) - 1, 0)))
        stop = min(start + draw(st.integers(0, 16)), len(content))
        change = draw(st.sampled_from(["replace", "remove", "repeat", "truncate"]))
        if change == "replace":
            content = content[:start] + draw(st.binary(min_size=1, max_size=8)) + content[stop:]
        elif change == "remove":
            content = content[:start] + content[stop:]
        elif change == "repeat":
            content = content[:stop] + content[start:]
        else:
            content = content[:start]
    return content
