"""The pictures of README and documentation, light and dark: ``make pictures`` writes them to docs/images.

The pipeline is drawn here; the top of a board, an explained recording and MLflow's page are taken as they are, by the
system's Chromium (``ASDBENCH_CHROMIUM``, else the one on the path) and Playwright.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright
from png import small

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"

STAGES = (  # name, what it hands on
    ("data set", "clips"),
    ("front end", "features"),
    ("extractor", "embeddings"),
    ("scorer", "scores"),
    ("protocol", "metrics"),
    ("run", "record"),
    ("board", "ranks"),
)
INKS = {"light": ("#24292f", "#57606a", "#e8ecfb", "#3f51b5", "#b45309"),
        "dark": ("#e6edf3", "#9aa4b2", "#262c4a", "#8c9eff", "#f0a35c")}  # fmt: skip


def pipeline(scheme: str) -> str:
    """The pipeline as SVG: a box for each stage, below each arrow what goes along it."""
    ink, muted, fill, line, labels = INKS[scheme]
    box, gap, top = 88, 34, 34
    width = len(STAGES) * box + (len(STAGES) - 1) * gap + 4
    parts = []
    for place, (name, result) in enumerate(STAGES):
        left = 2 + place * (box + gap)
        parts.append(f'<rect x="{left}" y="{top}" width="{box}" height="40" rx="7" fill="{fill}" stroke="{line}"/>')
        parts.append(f'<text x="{left + box / 2}" y="{top + 25}" fill="{ink}">{name}</text>')
        parts.append(f'<text x="{left + box / 2}" y="{top + 58}" fill="{muted}" font-size="12">{result}</text>')
        if place:
            parts.append(
                f'<path d="M{left - gap + 4} {top + 20}h{gap - 10}m-6 -5l6 5l-6 5" fill="none" stroke="{line}"/>'
            )
    cut = 2 + 4 * (box + gap)
    parts.append(f'<path d="M{cut + box / 2} 20v10m-4 -5l4 5l4 -5" fill="none" stroke="{labels}"/>')
    parts.append(f'<text x="{cut + box / 2}" y="14" fill="{labels}" font-size="12">labels of test clips</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} 100" width="{width}" text-anchor="middle" '
        f'font-family="system-ui, sans-serif" font-size="14">{"".join(parts)}</svg>\n'
    )


def shot(browser: Browser, page: Path, element: str, scheme: str, width: int, height: int) -> bytes:
    """The top of an element of a page as PNG of few colours."""
    opened = browser.new_page(viewport={"width": width, "height": 1200}, color_scheme=scheme)  # type: ignore[arg-type]
    opened.goto(page.resolve().as_uri())
    box = opened.locator(element).first.bounding_box()
    assert box is not None, f"{page} has no {element}"
    clip = {"x": box["x"] - 8, "y": box["y"] - 8, "width": box["width"] + 16, "height": min(height, box["height"] + 16)}
    taken = opened.screenshot(clip=clip)  # type: ignore[arg-type]
    opened.close()
    return small(taken)


def asdbench(folder: Path, command: str) -> None:
    """A command in a folder."""
    subprocess.run([sys.executable, "-m", "asdbench", *command.split()], cwd=folder, check=True)


def explained(folder: Path) -> Path:
    """The page about alarms of a detector of the synthetic pump, by the commands of the start page."""
    asdbench(folder, "data make factory --to factory -p machines=pump")
    asdbench(folder, "fit factory/pump --extractor raw-mel --scorer mahalanobis-lw --to pump.asd")
    asdbench(folder, "score pump.asd factory/tomorrow/pump --explain why.html")
    return folder / "why.html"


def compared_in_mlflow(browser: Browser, folder: Path) -> bytes:
    """Four systems in the charts of MLflow's page."""
    asdbench(folder, "run --extractor raw-mel --extractor psd --scorer knn --scorer mahalanobis-lw")
    asdbench(folder, "track sync")
    words = [sys.executable, "-m", "asdbench", "ui", "--no-browser"]
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None, "its output is read"
        opened = browser.new_page(viewport={"width": 1240, "height": 760})
        charts = "#/experiments/1/runs?workflowType=machine_learning&compareRunsMode=CHART"
        address = server.stdout.readline().strip()
        opened.goto(address)
        opened.get_by_text("raw-mel + knn, seed 0").first.wait_for()
        opened.goto("about:blank")  # else the view stays
        opened.goto(f"{address.partition('/asdbench')[0]}/{charts}")
        opened.get_by_placeholder("Search metric charts").fill("^(official_score|auc_source|auc_target)$")
        opened.wait_for_timeout(4000)
        taken = opened.screenshot(clip={"x": 200, "y": 8, "width": 1032, "height": 644})
        opened.close()
        server.send_signal(signal.SIGINT)
    return small(taken)


def main() -> None:
    """Write all of them."""
    program = os.environ.get("ASDBENCH_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        why = explained(Path(scratch))
        for scheme in INKS:
            (IMAGES / f"pipeline-{scheme}.svg").write_text(pipeline(scheme))
            board = shot(browser, ROOT / "leaderboards" / "slider-2023.html", "main .scroll", scheme, 1120, 466)
            (IMAGES / f"board-{scheme}.png").write_bytes(board)
            (IMAGES / f"explanation-{scheme}.png").write_bytes(shot(browser, why, "article.clip", scheme, 1300, 430))
        (IMAGES / "mlflow.png").write_bytes(compared_in_mlflow(browser, Path(scratch)))
        browser.close()


if __name__ == "__main__":
    main()
