"""What MkDocs calls while it builds the site: pages that are made, boards that are copied, links between them.

Cards, commands and notebooks become pages, and the boards are copied as they are. Links are written in the pages
as they hold in the repository; here those that leave docs/ are led to where the site has the same thing.
"""

import re
import shutil
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath
from urllib.parse import unquote

from cards import card_pages
from commands import command_pages
from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from notebooks import notebook_pages

ROOT = Path(__file__).resolve().parents[2]
# Pages that lie elsewhere in the repository, by their place on the site.
ELSEWHERE = {
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "benchmarks.md": "benchmarks/README.md",
}
LINK = re.compile(r"(\]\(|(?:href|src|srcset)=\")([^)\s#\":]+)(?=[#)\"])")

CARD = re.compile(r"(?<=href=\")\.\./registry/([\w/.-]+)\.toml")  # of the pages of boards
DOCUMENT = re.compile(r"(?<=href=\")\.\./docs/([\w/-]+)\.md")
HOME = '<span class="home">asdbench</span>'  # of the pages of boards, which elsewhere have no site above them
CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
RELATIVE = re.compile(r"(?:href|src)=\"([^\":#?]+)[^\":]*\"")
FORMULA = re.compile(r"\$\$(.+?)\$\$|\$(?!\s)([^$\n]+?)(?<!\s)\$", re.DOTALL)
ASKS = re.compile(
    r"<(?:script|img|iframe|source|link rel=\"(?:stylesheet|preconnect|icon)\")[^>]*(?:src|href)=\"(?:https?:)?//"
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is not in docs/, and put it into the navigation."""
    origins: dict[str, str] = {}  # by place on the site: where it lies, or seems to lie, in the repository
    sections: dict[str, list[object]] = {}
    made = {
        "Tutorials": notebook_pages(ROOT / "examples"),
        "Commands": command_pages(),
        "Cards": card_pages(ROOT / "leaderboards"),
    }
    for section, pages in made.items():
        for page in pages:
            files.append(File.generated(config, page.place, content=page.content))
            if page.origin:
                origins[page.place] = page.origin
            if isinstance(page.content, str):
                _insert(sections.setdefault(section, []), page.under, page.place)
    for place, origin in ELSEWHERE.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / origin)))
        origins[place] = origin
    for board in sorted((ROOT / "leaderboards").glob("*.html")):
        text = CARD.sub(r"../reference/cards/\1.html", board.read_text())
        text = DOCUMENT.sub(r"../\1.html", text)
        text = text.replace(HOME, '<a class="home" href="../index.html">asdbench</a>')
        files.append(File.generated(config, f"boards/{board.name}", content=text))
    for record in sorted((ROOT / "leaderboards" / "results").glob("*.json")):
        files.append(File.generated(config, f"boards/results/{record.name}", abs_src_path=str(record)))
    config.nav = _filled(config.nav, sections)
    config.extra["origins"] = origins
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to where the site has what they name, and draw formulas."""
    place = page.file.src_uri
    origin = config.extra["origins"].get(place, f"docs/{place}")
    places = {lies: there for there, lies in config.extra["origins"].items()}
    here, there = PurePosixPath(origin).parent, PurePosixPath(place).parent

    def led(match: re.Match[str]) -> str:
        named = normpath(str(here / match[2]))
        if named.startswith("leaderboards/"):
            target = f"boards/{PurePosixPath(named).stem}.html"
        elif named == "README.md":
            target = "index.md"
        else:
            target = places.get(named) or named.removeprefix("docs/")
        return match[1] + relpath(target, str(there))

    pieces, at = [], 0
    for code in CODE.finditer(markdown):
        pieces += [FORMULA.sub(_as_mathml, LINK.sub(led, markdown[at : code.start()])), code[0]]
        at = code.end()
    return "".join([*pieces, FORMULA.sub(_as_mathml, LINK.sub(led, markdown[at:]))])


def _as_mathml(formula: re.Match[str]) -> str:
    """What browsers draw by themselves, of what GitHub's pages draw by a script."""
    if formula[1]:
        return f'<div class="formula">{convert(" ".join(formula[1].split()), display="block")}</div>'
    return f"<span>{convert(formula[2])}</span>"  # a paragraph may begin with it


def on_post_build(config: MkDocsConfig) -> None:
    """Refuse a site that asks another host for anything, or whose boards or pages name what is not there."""
    for board in (ROOT / "leaderboards").glob("*.md"):  # boards link them; they are no pages of the site
        shutil.copy(board, Path(config.site_dir) / "boards")
    problems = []
    for page in sorted(Path(config.site_dir).rglob("*.html")):
        text = page.read_text()
        problems += [f"{page} asks another host: {match[0]}" for match in ASKS.finditer(text)]
        named = {unquote(name) for name in RELATIVE.findall(text)} if page.name != "404.html" else set()
        problems += [f"{page} names {name}, which is not there" for name in named if not (page.parent / name).exists()]
    if problems:
        raise PluginError("\n".join(problems))


def _insert(entries: list[object], under: str, place: str) -> None:
    """Add a page to a section, or to the part of it that ``under`` names."""
    if not under:
        entries.append(place)
        return
    part = next((entry[under] for entry in entries if isinstance(entry, dict) and under in entry), None)
    if part is None:
        part = []
        entries.append({under: part})
    part.append(place)


def _filled(nav: object, sections: dict[str, list[object]]) -> object:
    """The navigation with the pages of each made section where its name stands alone."""
    if isinstance(nav, list):
        return [_filled(entry, sections) for entry in nav]
    if isinstance(nav, dict):
        return {title: _filled(content, sections) for title, content in nav.items()}
    return {nav: sections[nav]} if nav in sections else nav
