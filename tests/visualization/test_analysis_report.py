"""The page contains all text, tables and figures, and escapes them."""

import pytest
from matplotlib.figure import Figure

from sklearn_neurox import AnalysisReport, visualize_activations


@pytest.fixture
def report():
    figure = Figure()
    figure.subplots().plot([1, 2])
    return (
        AnalysisReport("Tags & <layers>", "A lead.")
        .add_card("0.95", "accuracy")
        .add_section("One", "Text.")
        .add_figure(figure, 'A "line" that rises.')
        .add_section("Two")
        .add_heading("Detail")
        .add_table(["name", "score"], [["<a>", 0.12345], ["b", 1]], "Scores")
        .add_figure(visualize_activations(["a", "b"], [1, -1]), "")
        .add_code("x < 1")
    )


def test_the_page_is_self_contained(report, read_page):
    page = read_page(report.to_html())
    assert [tag for tag, attrs in page.elements if tag in ("script", "link")] == []
    assert all(image["src"].startswith("data:image/") and image["alt"] for image in page.all("img"))
    assert len(page.all("img")) == 1
    assert len(page.all("svg")) == 1
    links = [attributes["href"] for attributes in page.all("a")]
    ids = {attributes["id"] for attributes in page.all("h2")}
    assert links == ["#section-1", "#section-2"]
    assert {link[1:] for link in links} == ids


def test_text_is_escaped(report, read_page):
    page = read_page(report.to_html())
    for text in ("Tags & <layers>", "<a>", "0.123", "x < 1", 'A "line" that rises.'):
        assert text in page.text


def test_it_is_saved_and_shown(report, tmp_path):
    path = report.save(tmp_path / "new" / "report.html")
    assert path.read_text(encoding="utf-8") == report.to_html()
    assert report._repr_html_().startswith('<iframe title="Tags &amp; &lt;layers&gt;" srcdoc=')
    assert repr(report) == "AnalysisReport('Tags & <layers>', 2 sections)"


def test_a_failed_save_keeps_the_old_page(report, tmp_path, monkeypatch):
    path = report.save(tmp_path / "report.html")
    before = path.read_bytes()

    def full(descriptor):
        raise OSError("No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        report.add_section("Three").save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_errors_are_raised_immediately(report):
    with pytest.raises(TypeError, match=r"Expected a string, got float 0.93"):
        report.add_card(0.93, "accuracy")
    with pytest.raises(TypeError, match="Expected a string, got NoneType"):
        AnalysisReport(None)
    with pytest.raises(TypeError, match="an object with _repr_html_, got str"):
        report.add_figure("x", "y")
    assert "\ud800" not in report.add_text("\ud800").to_html()


def test_numpy_numbers_are_numbers(report):
    import numpy as np

    page = report.add_table(["a"], [[np.float32(0.98765)], [np.int64(3)], [True]]).to_html()
    assert ">0.988<" in page
    assert ">3<" in page


def test_results_and_displays_can_be_added(report, classification, read_page):
    from sklearn.linear_model import RidgeClassifier

    from sklearn_neurox import LayerwiseScoresDisplay, layerwise_scores

    result = layerwise_scores(RidgeClassifier(), *classification, n_layers=3)
    ax = Figure().subplots()
    display = LayerwiseScoresDisplay(result).plot(ax=ax)
    page = read_page(report.add_frame(result.to_frame()).to_html())
    assert "layerscorestdgainbaseline" in page.text
    for figure in (display, ax, ax.figure):
        report.add_figure(figure, "The same.")
    assert len(read_page(report.to_html()).all("img")) == 4


def test_rows_have_as_many_cells_as_the_header(report):
    with pytest.raises(
        ValueError, match="Each row must have 2 cells, one for each column, got 1 cells in row 0"
    ):
        report.add_table(["a", "b"], [["only"]])


def test_objects_with_html_can_be_added(report):
    class Shown:
        def _repr_html_(self):
            return "<p>its own HTML</p>"

    page = report.add_figure(Shown(), "A <caption>").to_html()
    assert "<figure><p>its own HTML</p><figcaption>A &lt;caption&gt;</figcaption></figure>" in page
    with pytest.raises(TypeError, match="an object with _repr_html_, got type"):
        report.add_figure(Shown, "The class, not an object.")


def test_an_error_leaves_the_page_unchanged(report):
    before = report.to_html()
    for heading, text in ((3, ""), ("Three", 5)):
        with pytest.raises(TypeError, match="Expected a string"):
            report.add_section(heading, text)
    assert report.to_html() == before
    assert (
        '<h2 id="section-3">Three</h2>\n<p>Text.</p>'
        in report.add_section("Three", "Text.").to_html()
    )


def test_small_numbers_keep_their_digits(report):
    page = report.add_table(["lambda"], [[1e-5], [0.0], [0.0123], [-3.14159e-4]]).to_html()
    for shown in (">1e-05<", ">0.000<", ">0.012<", ">-0.000314<"):
        assert shown in page
    with pytest.raises(TypeError, match="Each row must be a list of cells, got 'xy' in row 0"):
        report.add_table(["a", "b"], ["xy"])
