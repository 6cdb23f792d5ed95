"""HTML of the report of a probe, for notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .._html import element, escape, format_value, table
from ._probe_scores import ClassScore

_N_SHOWN = 20  # classes or mistakes in a table


def report_html(report: Any) -> str:
    """Return the tables of a :class:`ProbeReport`."""
    tables = [_table(f"{report!r}", ["", "score"], _summary_rows(report))]
    if not report.per_class:
        head = ["row", "target", "prediction"]
        return "".join([*tables, _table("Largest errors", head, report.largest_errors())])
    frequent = sorted(report.per_class, key=lambda each: -each.support)[:_N_SHOWN]
    caption = f"{len(frequent)} of {len(report.per_class)} classes"
    return "".join(
        [*tables, _table(caption, list(ClassScore._fields), frequent), _html_mistakes(report)]
    )


def _summary_rows(report: Any) -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = list(report.scores.items())
    if report.majority is not None:
        label, score = report.majority
        what, label = ("accuracy", repr(label)) if report.per_class else ("rmse", f"{label:.3g}")
        rows.append((f"{what} of always predicting {label}", score))
    for name, part in (("seen", report.seen), ("unseen", report.unseen)):
        if part is not None:
            about = f"{part.n_words:,} words of {part.n_types:,} {name} types"
            rows.append((about, part.score))
    return rows


def _html_mistakes(report: Any) -> str:
    labels = report.classes
    if len(labels) <= _N_SHOWN:
        pairs = zip(labels, report.confusion_matrix, strict=True)
        rows = [(label, *row) for label, row in pairs]
        return _table("Label (row) and prediction (column)", ["", *labels], rows)
    head = ["label", "prediction", "samples"]
    return _table("Most frequent mistakes", head, report.mistakes(_N_SHOWN))


def _table(caption: str, head: Sequence[Any], rows: Iterable[Sequence[Any]]) -> str:
    heads = [element("th", _text(value), scope="col") for value in head]
    return table(heads, [map(_row, rows)], caption=caption)


def _row(values: Sequence[Any]) -> list[str]:
    first, *rest = map(_text, values)
    return [element("th", first, scope="row"), *(element("td", value) for value in rest)]


def _text(value: Any) -> str:
    return escape(format_value(value))
