"""HTML: what is escaped, how values are shown, and tables that parsers read."""

from xml.etree import ElementTree

import numpy as np
import pytest

from sklearn_neurox._html import element, escape, format_value, printable, table


def test_text_is_escaped():
    assert escape("<b> & \"quotes\" 'too'") == "&lt;b&gt; &amp; &quot;quotes&quot; &#x27;too&#x27;"


def test_control_characters_are_replaced():
    assert (
        printable("a\x00b\x1b\tc\ud800")
        == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}\tc\N{REPLACEMENT CHARACTER}"
    )
    with pytest.raises(TypeError, match="Expected a string, got int 5"):
        printable(5)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (0.75, "0.750"),
        (np.float32(0.75), "0.750"),
        (0.0, "0.000"),
        (0.0012345, "0.00123"),
        (-0.0012345, "-0.00123"),
        (12, "12"),
        (np.int64(12), "12"),
        (True, "True"),
        ("0.5", "0.5"),
    ],
)
def test_values_are_rounded(value, shown):
    assert format_value(value) == shown


def test_an_element_has_escaped_attributes():
    assert element("th", "a", scope="col", class_="x", aria_label='"b"', title=None) == (
        '<th scope="col" class="x" aria-label="&quot;b&quot;">a</th>'
    )


def test_a_table_is_well_formed():
    head = [element("th", name, scope="col") for name in ("word", "score")]
    bodies = [[[element("td", "a"), element("td", "1")]], [[element("td", "b", colspan=2)]]]
    plain = ElementTree.fromstring(table(head, bodies, caption="a < b"))
    assert plain.tag == "table"
    assert [child.tag for child in plain] == ["caption", "thead", "tbody", "tbody"]
    assert plain.findtext("caption") == "a < b"
    assert [cell.text for cell in plain.iter("td")] == ["a", "1", "b"]

    attributes = {"region": {"class": "scroll"}, "table": {"style": "margin:0"}}
    region = ElementTree.fromstring(table(head, bodies, label="Scores", attributes=attributes))
    assert region.attrib == {
        "role": "region", "aria-label": "Scores", "tabindex": "0", "class": "scroll",
    }  # fmt: skip
    (inner,) = region
    assert inner.attrib == {"style": "margin:0"}
    assert inner.find("caption") is None
