"""Run the notebooks of examples/ and write what they show into them: ``make notebooks``."""

import os
import re
import sys
import tempfile
from base64 import b64decode, b64encode
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from png import small

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
PLAIN = {"COLUMNS": "110", "NO_COLOR": "1", "TERM": "dumb", "ASDBENCH_TRACKING": ""}  # what commands print is text


def executed(notebook_path: Path, folder: Path) -> nbformat.NotebookNode:
    """The notebook with the outputs of a run of all its cells in an empty folder.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell fails.
    """
    notebook = nbformat.read(notebook_path, as_version=4)
    client = NotebookClient(notebook, timeout=120, coalesce_streams=True, resources={"metadata": {"path": str(folder)}})
    client.execute(env=os.environ | environment_of(folder))
    return notebook


def environment_of(folder: Path) -> dict[str, str]:
    """What a notebook runs with besides: it finds ``asdbench`` of this Python, and leaves the user's settings alone."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return PLAIN | {"PATH": path, "IPYTHONDIR": str(folder / ".ipython")}


def terminal_text(text: str) -> str:
    """What a terminal shows in the end of lines that were written over."""
    lines = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", text.replace("\r\n", "\n")).split("\n")
    return "\n".join(line.rpartition("\r")[2].rstrip() for line in lines)


def main() -> None:
    """Run those that are named, or all."""
    for path in [Path(name) for name in sys.argv[1:]] or sorted(EXAMPLES.glob("*.ipynb")):
        with tempfile.TemporaryDirectory() as folder:
            notebook = executed(path, Path(folder))
            for cell in notebook.cells:
                cell.metadata = {}  # when it ran
                for output in cell.get("outputs", ()):
                    data = output.get("data", {})
                    if "text" in output:
                        output["text"] = terminal_text(output["text"])
                    if "image/png" in data:
                        data["image/png"] = b64encode(small(b64decode(data["image/png"]))).decode()
                    if folder in str(output):
                        sys.exit(f"{path.name} shows the folder that it ran in: {output}")
        notebook.metadata = {"kernelspec": notebook.metadata.kernelspec, "language_info": {"name": "python"}}
        nbformat.write(notebook, path)
        print(path)


if __name__ == "__main__":
    main()
