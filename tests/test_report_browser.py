"""verify.report.html in a real Chromium: light and dark, wide and narrow, by keyboard, alone.

$MSRPROOF_SCREENSHOTS names a folder that gets pictures of the pages.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.report_sample import REFUTED, REPORT, STEPS, TRACE, with_results
from verify.report.html import render

pytestmark = pytest.mark.external

TWO = replace(
    REFUTED,
    property="leak.BLUE",
    trace=replace(
        TRACE,
        steps=tuple(
            replace(STEPS[2], phase=phase, op=op, before=0, after=after)
            for phase, op, after in (
                ("A:host", "host", 0),
                ("A:guest", "guest", 1 << 63),
                ("A:put", "WRITE", 3),
                ("B:load", "WRITE", 3),
            )
        ),
    ),
)
SCREENS = {"wide": (1280, 900), "tablet": (768, 1024), "phone": (360, 740)}

# The lowest contrast of any text with what is behind it, as WCAG 2 counts it, and that text.
CONTRAST = """() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const part = (value) =>
      (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = colour.map(part);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const colour = rgb(getComputedStyle(element).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour.slice(0, 3);
    }
    return [255, 255, 255];
  };
  let worst = [99, ""];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement, text = walker.currentNode.textContent.trim();
    if (!text || !element.checkVisibility()) continue;
    const pair = [light(rgb(getComputedStyle(element).color).slice(0, 3)), light(behind(element))];
    const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    if (ratio < worst[0]) worst = [ratio, text];
  }
  return worst;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, driven by Playwright."""
    api = pytest.importorskip("playwright.sync_api", reason="no playwright (make browser)")
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        pytest.skip("no Chromium (make browser)")
    with api.sync_playwright() as playwright:
        # Root cannot have Chromium's sandbox; the page is our own.
        running = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield running
        running.close()


class Shown:
    """A page on a screen, and what it complained of or asked for."""

    def __init__(self, browser: Any, path: Path, screen: str, scheme: str) -> None:
        width, height = SCREENS[screen]
        self.context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, offline=True
        )
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        if folder := os.environ.get("MSRPROOF_SCREENSHOTS"):
            name = f"{path.stem}-{screen}-{scheme}.png"
            self.page.screenshot(path=Path(folder) / name, full_page=True)


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """`show(screen, scheme)`: the sample on that screen."""
    shown: list[Shown] = []

    def open_(screen: str, scheme: str = "light") -> Shown:
        path = tmp_path / "report.html"
        report = with_results(*REPORT.results, TWO)
        path.write_text(render(report), encoding="utf-8")
        shown.append(Shown(browser, path, screen, scheme))
        return shown[-1]

    yield open_
    for one in shown:
        one.context.close()


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read(show: Any, screen: str, scheme: str) -> None:
    shown = show(screen, scheme)
    ratio, text = shown.page.evaluate(CONTRAST)
    assert ratio >= 4.5, text
    width = shown.page.evaluate("document.documentElement.scrollWidth")
    assert width <= SCREENS[screen][0], "the page must not scroll sideways"
    assert shown.complaints == [] and [url[:5] for url in shown.requests] == ["file:"]


def test_light_and_dark_differ(show: Any) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    light, dark = (show("wide", scheme).page.evaluate(paper) for scheme in ("light", "dark"))
    assert (light, dark) == ("rgb(255, 255, 255)", "rgb(22, 22, 26)")


def test_its_own_style_is_all_that_it_may_use(show: Any) -> None:
    shown = show("wide")
    shown.page.evaluate("document.body.append(document.createElement('img'))")
    shown.page.evaluate("document.querySelector('img').src = 'http://127.0.0.1:9/x.png'")
    shown.page.evaluate("document.body.setAttribute('style', 'color: red')")
    assert any("Content Security Policy" in text for text in shown.complaints)


def test_by_keyboard(show: Any) -> None:
    page = show("wide").page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent.trim().slice(0, 12)"))
        if page.evaluate("document.activeElement.matches('.trace summary')"):
            break
    assert reached[:2] == ["restore.BLUE", "leak.BLUE"], reached
    details = "document.querySelector('.trace details').open"
    assert page.evaluate(details)
    page.keyboard.press("Enter")
    assert not page.evaluate(details)
    page.keyboard.press("Space")
    assert page.evaluate(details)
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "where one is must show"


def test_a_link_leads_to_its_trace(show: Any) -> None:
    page = show("wide").page
    page.click("text=leak.BLUE >> nth=0")
    assert page.evaluate("location.hash") == "#trace-4"
    assert page.evaluate("document.querySelector('#trace-4').getBoundingClientRect().top") < 900


@pytest.mark.parametrize("screen", SCREENS)
def test_the_line_runs_from_the_cause_to_the_violation(show: Any, screen: str) -> None:
    page = show(screen).page
    boxes = page.evaluate(
        """() => [...document.querySelectorAll('#trace-1 .timeline .wire')]
          .filter((cell) => cell.matches('.start, .on, .end'))
          .map((cell) => cell.getBoundingClientRect())
          .map((box) => [box.top, box.bottom])"""
    )
    assert len(boxes) == 2
    for (_, bottom), (top, _) in pairwise(boxes):
        assert abs(bottom - top) <= 1.5, "no gap between the parts"
    cause, wrong = (
        page.locator(f"#trace-1 .cell.{name}").bounding_box() for name in ("cause", "wrong")
    )
    assert abs(cause["y"] - boxes[0][0]) <= 1.5 and abs(wrong["y"] - boxes[-1][0]) <= 1.5


def test_the_source_is_beside_the_registers_or_below_on_a_phone(show: Any) -> None:
    def places(screen: str) -> tuple[dict[str, float], dict[str, float]]:
        page = show(screen).page
        row = page.locator("#trace-1 tr:has(.cause)")
        return row.locator(".cell").first.bounding_box(), row.locator(".source").bounding_box()

    cell, source = places("wide")
    assert source["x"] > cell["x"] and abs(source["y"] - cell["y"]) <= 1.5
    cell, source = places("phone")
    assert source["y"] >= cell["y"] + cell["height"] - 1.5
