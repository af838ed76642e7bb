"""The one way to fill a template: escaped, strict about names, the same bytes every time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def fill(template: Path, filters: Mapping[str, Callable[..., str]] | None = None, /, **values: Any) -> str:
    """Fill a Jinja template; what it includes or extends lies in the same folder.

    Everything is escaped but what is marked as HTML (``html``).
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(template.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters or {})
    return environment.get_template(template.name).render(**values)


def html(text: str) -> str:
    """Mark a text as HTML that is set into a page as it is."""
    from markupsafe import Markup

    return Markup(text)
