"""The notebooks of examples/ as pages: text, code, and what the code showed when it was last run."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from made import Made

ORDER = "README.md"  # the page in front of them


def notebook_pages(folder: Path) -> Iterator[Made]:
    """A page for each notebook, and its pictures."""
    if (folder / ORDER).is_file():
        yield Made("tutorials/index.md", (folder / ORDER).read_text(), origin=f"{folder.name}/{ORDER}")
    for path in sorted(folder.glob("*.ipynb")):
        pictures: dict[str, bytes] = {}
        cells = json.loads(path.read_text())["cells"]
        text = "\n\n".join(_shown(cell, f"{path.stem}-{number}", pictures) for number, cell in enumerate(cells))
        yield Made(f"tutorials/{path.stem}.md", text + "\n", origin=f"{folder.name}/{path.name}")
        for name, content in pictures.items():
            yield Made(f"tutorials/{name}", content)


def _shown(cell: dict[str, Any], name: str, pictures: dict[str, bytes]) -> str:
    source = "".join(cell["source"])
    if cell["cell_type"] != "code":
        return source
    parts = [f"```python\n{source}\n```"]
    for number, output in enumerate(cell["outputs"]):
        data = {kind: "".join(content) for kind, content in output.get("data", {}).items()}
        if "image/png" in data:
            file = f"{name}-{number}.png"
            pictures[file] = base64.b64decode(data["image/png"])
            parts.append(f'<img src="../docs/tutorials/{file}" alt="What the code above draws" class="output">')
        elif "text/html" in data:
            parts.append(f'<div class="output">{data["text/html"]}</div>')
        elif "text/markdown" in data:
            parts.append(data["text/markdown"])
        else:
            text = "".join(output.get("text", "")) or data.get("text/plain", "")
            parts.append(f"```{{ .text .output }}\n{text.rstrip()}\n```")
    return "\n\n".join(parts)
