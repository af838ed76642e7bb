"""A report's line charts as images for Prefect's pages, taken from the report itself."""

import base64
import html
import re
from collections.abc import Iterator
from pathlib import Path

FIGURE = re.compile(r'<figure[^>]* aria-label="([^"]*)"[^>]*>\s*(<svg.*?</svg>)', re.DOTALL)
COLOUR = re.compile(r"--([\w-]+): (#[0-9a-f]{3,8});")
NAMESPACES = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'


def read_figures(report: Path) -> Iterator[tuple[str, str]]:
    """Yield each chart of a report: what it shows, and the image as a ``data:`` address.

    In the page a chart has the page's colours; alone it gets the light ones, those defined first.
    """
    page = report.read_text(encoding="utf-8")
    colours: dict[str, str] = {}
    for name, colour in COLOUR.findall(page):
        colours.setdefault(name, colour)
    for label, svg in FIGURE.findall(page):
        image = svg.replace("<svg ", f'<svg {NAMESPACES} style="background: {colours["paper"]}" ', 1)
        image = re.sub(r"var\(--([\w-]+)\)", lambda found: colours[found[1]], image)
        encoded = base64.b64encode(image.encode()).decode()
        yield html.unescape(label), f"data:image/svg+xml;base64,{encoded}"
