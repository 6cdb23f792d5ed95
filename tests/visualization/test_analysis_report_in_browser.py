"""The page in a real browser: it is self-contained, complete and accessible."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from matplotlib.figure import Figure

from sklearn_neurox import (
    AnalysisReport,
    NeuronGrid,
    TokenActivations,
    TopWordsTable,
    visualize_activations,
)

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))),
    None,
)
QUIET = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-sync", "--disable-background-networking", "--disable-component-update",
    "--enable-logging=stderr",
]  # fmt: skip
# Inserted into a copy of the page, this script writes its findings into the title.
LOOK = """<script>addEventListener("load", () => {
  const all = selector => [...document.querySelectorAll(selector)]
  const light = color => {
    const part = v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4
    const [r, g, b] = color.match(/[\\d.]+/g).map(v => part(v / 255))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const ground = element => {
    const color = getComputedStyle(element).backgroundColor
    return color == "rgba(0, 0, 0, 0)" ? ground(element.parentElement) : color
  }
  const contrast = element => {
    const [a, b] = [light(getComputedStyle(element).color), light(ground(element))]
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
  }
  const reached = all("nav a").map(link => {
    scrollTo(0, 0); link.click()
    const top = document.querySelector(link.hash).getBoundingClientRect().top
    const atEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 2
    return top < 200 || atEnd
  })
  const scrollable = all("*").filter(e =>
    e.scrollWidth > e.clientWidth + 1 && ["auto", "scroll"].includes(getComputedStyle(e).overflowX))
  document.title = JSON.stringify({
    images: all("img").map(image => image.naturalWidth),
    reached,
    too_wide: document.documentElement.scrollWidth - innerWidth,
    headings: all("h1, h2, h3").map(heading => +heading.tagName[1]),
    contrast: Math.min(...all("p, td, th, a, h1, h2, h3, figcaption, caption, footer, b, .card span")
      .filter(e => e.innerText).map(contrast)),
    without_keyboard: scrollable.filter(e => e.tabIndex < 0).length,
    unnamed: all("[tabindex]").filter(e => !e.getAttribute("aria-label") && e.tagName != "PRE").length,
    n_scrollable: scrollable.length,
    width: innerWidth,
    dark: light(ground(document.body)) < 0.2,
  })
})</script>"""


@pytest.fixture(scope="module")
def page():
    rng = np.random.RandomState(0)
    words = np.array(["the", "kettle", "sulked", "<i>", "שלום", "北京"] * 10)
    ids, places = np.divmod(np.arange(60), 6)
    tokens = TokenActivations(rng.normal(size=(60, 8)), words, ids, places, layers=(0, 1))
    figure = Figure()
    figure.subplots().plot([1, 2])
    wide = [[f"column {i}" for i in range(30)], [list(range(30))]]
    return (
        AnalysisReport("What a <kettle> knows", "A lead.")
        .add_card("0.95", "accuracy")
        .add_section("Pictures", "Text.")
        .add_figure(figure, "A line.")
        .add_figure(visualize_activations(words[:30].tolist(), rng.normal(size=30)), "Words.")
        .add_section("Tables")
        .add_heading("Wide")
        .add_table(*wide, "Numbers")
        .add_figure(NeuronGrid(tokens, list(range(8))), "Neurons.")
        .add_figure(TopWordsTable(tokens, [0, 1]), "Words.")
        .add_section("Code")
        .add_code("x = 1")
    )


@pytest.fixture(params=[(1200, "light"), (400, "light"), (1000, "dark")], ids=str)
def seen_in_browser(request, page, tmp_path):
    """The findings and the log of a browser with some width and color scheme."""
    if BROWSER is None:
        pytest.skip("needs Chromium or Chrome")
    width, scheme = request.param
    path = tmp_path / "page.html"
    path.write_text(page.to_html().replace("</body>", f"{LOOK}</body>"), encoding="utf-8")
    command = [BROWSER, *QUIET, f"--user-data-dir={tmp_path / 'profile'}"]
    command += [f"--window-size={width},800", "--virtual-time-budget=2000", "--dump-dom"]
    if scheme == "dark":
        command.append("--blink-settings=preferredColorScheme=0")
    done = subprocess.run(
        [*command, path.as_uri()], capture_output=True, text=True, timeout=120, check=False
    )
    title = re.search(r"<title>(.*?)</title>", done.stdout, flags=re.S)
    assert title, done.stderr
    found = json.loads(title.group(1))
    assert found["dark"] == (scheme == "dark")
    return found, done.stderr


def test_a_browser_shows_everything(seen_in_browser):
    found, log = seen_in_browser
    assert "CONSOLE" not in log
    assert len(found["images"]) == 1
    assert all(found["images"])
    assert found["reached"] == [True] * 3
    assert found["too_wide"] <= 0  # wide tables scroll, not the page
    assert found["n_scrollable"] > 0


def test_the_page_is_accessible_by_keyboard_and_screen_reader(seen_in_browser):
    found, _ = seen_in_browser
    assert found["headings"][0] == 1
    steps = np.diff(found["headings"])
    assert steps.max() <= 1
    assert found["contrast"] >= 4.5  # WCAG 2, level AA
    assert found["without_keyboard"] == 0
    assert found["unnamed"] == 0
