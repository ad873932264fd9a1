"""One self-contained HTML document: styles and scripts inside, nothing fetched from anywhere."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asdbench.core.errors import UsageError

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"


def render_page(
    title: str,
    body: "Markup | str",
    *,
    scripts: Sequence[str] = (),
    styles: Sequence[str] = (),
    marker: str = "",
    connects: bool = False,
) -> str:
    """One HTML document, light and dark, readable on a phone, that loads nothing from anywhere.

    Args:
        title: of the browser's tab, plain text.
        body: what stands on the page, a ``Markup`` or HTML text; it goes in as it is, so the caller escapes.
        scripts: JavaScript to run at the end of the page, source text; none is needed to read the page.
        styles: CSS behind the shared one, source text.
        connects: whether its scripts may speak to the server that the page came from; they reach nobody else.
        marker: a comment at the top of the document, by which a program knows its own pages.

    Returns:
        The document, which ends in a line break; equal arguments give equal text.
    """
    from markupsafe import Markup

    page = template("page.html").render(
        title=title, body=Markup(body), scripts=scripts, styles=styles, marker=marker, connects=connects
    )
    return f"{page}\n"


def require_own_page(path: Path, marker: str, option: str) -> None:
    """Refuse a place for a page before it is made; a page with the same marker may be written anew.

    Raises:
        UsageError: it is a folder, or a file that is no such page.
    """
    if path.is_dir():
        raise UsageError(f"{option} {path} is a folder; give the name of a file, {path / 'page.html'} for instance.")
    if path.exists() and marker not in path.read_bytes()[:200].decode(errors="replace"):
        raise UsageError(f"{path} is there already and is no {marker}.\nGive another name with {option} FILE.html.")


def asset(folder: Path, name: str) -> str:
    """The text of a style or script that lies beside its template, ready for ``render_page``."""
    return (folder / name).read_text(encoding="utf-8").strip()


def template(name: str, folder: Path | None = None) -> Any:
    """A jinja2 template of this package, or of ``folder``, which may include those of this package.

    HTML is escaped by itself; an unknown name in a template is an error.
    """
    return _environment(folder).get_template(name)


@cache
def _environment(folder: Path | None) -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    return Environment(
        loader=FileSystemLoader([*([folder] if folder else []), TEMPLATES]),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
