"""The page of a regression in a real browser: what it draws, not what it says it draws."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from shootdown.regress.page import SECTIONS, write
from tests.support.browser import Browser, found
from tests.support.made_regression import FAILURES, SEEDS, TESTS, made

pytestmark = pytest.mark.skipif(found() is None, reason="no browser; Debian: apt-get install chromium")

WIDTH = 1280
BOXES = "[...document.querySelectorAll('table.grid .box')]"
BROKEN_ANCHORS = (
    "[...document.querySelectorAll('a[href^=\"#\"]')].map(a => a.hash).filter(h => !document.getElementById(h.slice(1)))"
)
TOO_WIDE = f"""[...document.querySelectorAll('main *')].filter(e => !e.closest('.grid') && !e.closest('details:not([open])'))
    .filter(e => e.getBoundingClientRect().right > {WIDTH}).map(e => e.outerHTML.slice(0, 80))"""
# Texts in cells that are higher than wide.
SQUEEZED = """[...document.querySelectorAll('td')].filter(d => d.innerText.length > 20 && !d.querySelector('details, .box'))
    .filter(d => { const r = d.getBoundingClientRect(); return r.width && r.height > r.width; }).map(d => d.innerText)"""
# Contrast of a text against the first background that is not transparent, as WCAG counts it.
CONTRAST = """(selector => {
  const linear = part => part <= .03928 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4;
  const light = colour => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(part => linear(part / 255));
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const below = element => {
    for (let e = element; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if (!/^rgba.*, 0\\)$/.test(colour)) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  return Math.min(...[...document.querySelectorAll(selector)].map(element => {
    const [dark, bright] = [light(getComputedStyle(element).color), light(below(element))].sort((x, y) => x - y);
    return (bright + .05) / (dark + .05);
  }));
})"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as made_one:
        yield made_one


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = made(tmp_path_factory.mktemp("regression"))
    write(out)
    return out


def colours(browser: Browser) -> dict[str, set[str]]:
    """By letter."""
    pairs = browser.run(f"{BOXES}.map(b => [b.textContent, getComputedStyle(b).backgroundColor])")
    return {letter: {colour for one, colour in pairs if one == letter} for letter, _ in pairs}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_is_drawn_as_it_says(browser: Browser, folder: Path, tmp_path: Path, dark: bool) -> None:
    browser.complaints.clear()
    browser.open(folder / "index.html", width=WIDTH, dark=dark)
    assert browser.run(f"{BOXES}.length") == len(TESTS) * SEEDS
    assert browser.run(f"{BOXES}.filter(b => b.offsetWidth > 15 && b.offsetHeight > 15).length") == len(TESTS) * SEEDS
    drawn = colours(browser)
    assert set(drawn) == set("PFETCL") and all(len(found) == 1 for found in drawn.values())
    assert len(set.union(*drawn.values())) == 6, "a colour for each status"
    assert browser.run(f"{BOXES}.filter(b => b.textContent === 'F').length") == 3
    assert browser.run(BROKEN_ANCHORS) == []
    assert browser.run("document.documentElement.scrollWidth") <= WIDTH and browser.run(TOO_WIDE) == []
    assert browser.run(f"{CONTRAST}('table.grid .box')") >= 3, "letters on their colours"
    assert browser.run(f"{CONTRAST}('main p, main td, main dd, main dt, main small, main th, main a:not(.box), main code')") >= 4.5
    paper = browser.run("getComputedStyle(document.body).backgroundColor")
    assert (max(map(int, re.findall(r"\d+", paper))) < 64) is dark
    picture = tmp_path / "page.png"
    browser.picture(picture)
    width, height = struct.unpack(">II", picture.read_bytes()[16:24])
    assert width == WIDTH and 2000 < height < 20_000 and picture.stat().st_size > 100_000
    assert browser.complaints == []


def test_a_box_leads_to_its_failure_and_the_command_can_be_read(browser: Browser, folder: Path) -> None:
    browser.open(folder / "index.html", width=WIDTH)
    for test, seed in FAILURES:
        browser.run(f"document.querySelector('a.box[aria-label^=\"{test}, seed {seed}:\"]').click()")
        target = browser.run("location.hash")
        assert re.fullmatch(r"#failure-\d+", target)
        shown = browser.run(f"document.querySelector('{target}').innerText")
        assert "make regress TEST=" in shown and test in shown
        assert browser.run(f"document.querySelector('{target}').getBoundingClientRect().height") > 80
        assert browser.run(f"document.querySelector('{target} code.run').getBoundingClientRect().width") > 100


def test_holes_open_without_widening_the_page(browser: Browser, folder: Path) -> None:
    browser.open(folder / "index.html", width=WIDTH)
    before = browser.run("document.documentElement.scrollHeight")
    assert browser.run("document.querySelectorAll('details').forEach(d => d.open = true)") is None
    assert browser.run("document.documentElement.scrollHeight") > before
    assert browser.run("document.documentElement.scrollWidth") <= WIDTH and browser.run(TOO_WIDE) == []
    assert browser.run("[...document.querySelectorAll('details li')].every(l => l.getBoundingClientRect().height > 10)")


def test_every_section_can_be_reached(browser: Browser, folder: Path) -> None:
    browser.open(folder / "index.html", width=WIDTH)
    for name, title in SECTIONS.items():
        browser.run(f"document.querySelector('nav a[href=\"#{name}\"]').click()")
        assert browser.run(f"document.getElementById('{name}').innerText").startswith(title)
    assert browser.run("[...document.querySelectorAll('figure svg')].every(s => s.getBoundingClientRect().width > 200)")


@pytest.mark.parametrize("what", ["interrupted", "empty", "many seeds", "narrow"])
def test_what_is_missing_or_much_is_drawn_too(browser: Browser, tmp_path: Path, what: str) -> None:
    match what:
        case "interrupted":
            made(tmp_path, failing=False, runs=17, code=False, past=1)
        case "empty":
            made(tmp_path, runs=0, code=False, past=0)
        case "many seeds":
            made(tmp_path, failing=False, seeds=60)
        case _:
            made(tmp_path)
    width = 420 if what == "narrow" else WIDTH
    write(tmp_path)
    browser.complaints.clear()
    browser.open(tmp_path / "index.html", width=width)
    assert browser.run("document.documentElement.scrollWidth") <= width
    boxes = {"interrupted": 17, "empty": 0, "many seeds": 60 * len(TESTS), "narrow": SEEDS * len(TESTS)}
    assert browser.run(f"{BOXES}.length") == boxes[what]
    assert browser.run(SQUEEZED) == [], "words stay whole, and texts have room"
    assert browser.run("document.querySelector('.verdict').innerText.length") > 20
    assert browser.run(BROKEN_ANCHORS) == [] and browser.complaints == []


def test_the_browser_tells_of_what_is_wrong(browser: Browser, tmp_path: Path) -> None:
    """What the tests above trust: errors, files that are not there, requests to elsewhere and dead anchors are seen."""
    page = tmp_path / "page.html"
    page.write_text(
        '<body><main><a href="#gone">x</a><img src="gone.png"><img src="http://127.0.0.1:9/x.png">'
        '<p style="color:#777;background:#888">x</p><p style="width:3000px">wide</p></main>'
        "<script>console.error('told'); setTimeout(() => { throw new Error('thrown') }, 0)</script></body>"
    )
    browser.complaints.clear()
    browser.open(page, width=WIDTH)
    browser.run("new Promise(done => setTimeout(done, 0))")
    told = " ".join(browser.complaints)
    assert "told" in told and "Uncaught" in told and "gone.png" in told and "asks for http://127.0.0.1:9/x.png" in told
    assert browser.run(BROKEN_ANCHORS) == ["#gone"]
    assert browser.run("document.documentElement.scrollWidth") > WIDTH and len(browser.run(TOO_WIDE)) == 1
    assert browser.run(f"{CONTRAST}('p')") < 1.5
    page.write_text('<table><td style="max-width:1em;overflow-wrap:anywhere">what it says in very few words</td></table>')
    browser.open(page, width=WIDTH)
    assert len(browser.run(SQUEEZED)) == 1
