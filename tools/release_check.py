"""Whether this checkout can be released: ``make release-check``. What it builds lies in dist/.

Version, changelog, citation and tag must agree; the wheel that comes of the sources' archive must be the one that comes
of the checkout; README must be rendered by a package index; and the wheel must work in an environment of its own, away
from the checkout. Needs the network, as a user's installation does; UV_TORCH_BACKEND=cpu leaves CUDA's libraries out.
"""

import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from pathlib import Path

import yaml

import asdbench

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
UV = Path(sys.executable).with_name("uv")
PLACEHOLDER = "example.org"  # no project lies there
RUN = ("run", "--extractor", "raw-mel", "--scorer", "knn", "--machine", "fan", "--quiet")
BOARDS = ("--board-dir", "boards")
TRIED = (RUN, ("show", "knn"), ("leaderboard", "add", "latest", *BOARDS), ("leaderboard", "render", *BOARDS))


def main() -> None:
    """Check one thing after the other; the first that is not right ends it."""
    version = asdbench.__version__
    agree(version)
    wheel, archive = build(version)
    call(UV, "tool", "run", "twine@7.0.0", "check", "--strict", wheel, archive)
    install_and_try(wheel, version)
    print(f"{wheel.name} and {archive.name} can be released from {DIST}")


def agree(version: str) -> None:
    """Version, changelog, citation, addresses and tag."""
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    found = re.search(r"^## \[(\d[^\]]*)\] - (\d{4}-\d\d-\d\d)$", changes, re.MULTILINE)
    if found is None or found[1] != version:
        sys.exit(f"The first version in CHANGELOG.md is {found[1] if found else 'missing'}; asdbench is {version}.")
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    if (cited["version"], str(cited["date-released"])) != found.groups():
        sys.exit(
            f"CITATION.cff has {cited['version']}, {cited['date-released']}; CHANGELOG.md {', '.join(found.groups())}."
        )
    addresses = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]
    unset = [name for name, address in addresses.items() if PLACEHOLDER in address]
    left = [f"[project.urls] of pyproject.toml has placeholders: {', '.join(unset)}."] if unset else []
    if changes[: found.start()].partition("## [Unreleased]")[2].strip():
        left.append("CHANGELOG.md has entries under Unreleased.")
    tags = output("git", "tag", "--points-at", "HEAD").split()
    if tags and f"v{version}" not in tags:
        sys.exit(f"The tag here is {', '.join(tags)}; asdbench is {version}, whose tag is v{version}.")
    if tags and left:
        sys.exit("\n".join(left))
    if not tags:
        print("\n".join([*left, f"No tag points here. To release, once all is well: git tag v{version}"]), flush=True)


def build(version: str) -> tuple[Path, Path]:
    """Wheel and archive of the sources, and the wheel once more from the archive."""
    names = f"asdbench-{version}-py3-none-any.whl", f"asdbench-{version}.tar.gz"
    with tempfile.TemporaryDirectory() as folder:
        call(sys.executable, "-m", "hatchling", "build", "-d", DIST)
        with tarfile.open(DIST / names[1]) as archive:
            archive.extractall(folder, filter="data")
        source = Path(folder) / f"asdbench-{version}"
        call(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, folder=source)
        differing = contents(DIST / names[0]).items() ^ contents(Path(folder) / names[0]).items()
    if differing:
        sys.exit(f"The wheel of the archive differs: {', '.join(sorted({name for name, _ in differing})[:9])}")
    return DIST / names[0], DIST / names[1]


def contents(wheel: Path) -> dict[str, int]:
    """Checksum of each file."""
    with zipfile.ZipFile(wheel) as archive:
        return {entry.filename: entry.CRC for entry in archive.infolist()}


def install_and_try(wheel: Path, version: str) -> None:
    """A run, a card and a board from an environment that has the wheel alone."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = folder / "venv" / "bin" / "python"
        call(UV, "venv", "--quiet", "--python", sys.executable, folder / "venv")
        constraints = ("--constraint", ROOT / "constraints.txt")
        call(UV, "pip", "install", "--quiet", "--python", python, *constraints, wheel)
        call(UV, "pip", "check", "--python", python)
        command = python.with_name("asdbench")
        alone = ("env", "-u", "PYTHONPATH", f"ASDBENCH_CACHE={folder / 'cache'}", "ASDBENCH_TRACKING=none", command)
        told = output(*alone, "--version", folder=folder)
        if told != f"asdbench {version}":
            sys.exit(f"asdbench --version prints: {told}")
        for words in TRIED:
            call(*alone, *words, folder=folder)


def call(*words: object, folder: Path = ROOT) -> None:
    """Run a command, whose failure ends the check."""
    print("+", *words, flush=True)
    if subprocess.run([str(word) for word in words], cwd=folder, check=False).returncode:
        sys.exit("This failed; nothing can be released.")


def output(*words: object, folder: Path = ROOT) -> str:
    """What a command prints."""
    done = subprocess.run([str(word) for word in words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    main()
