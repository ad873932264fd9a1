"""What the documentation site has to hold; that its links do, make docs checks."""

import inspect
import re
from pathlib import Path

import pytest

import asdbench

ROOT = Path(__file__).resolve().parents[1]
PAGES = "".join(path.read_text() for path in (ROOT / "docs" / "reference" / "python").glob("*.md"))


@pytest.mark.parametrize("name", [name for name in asdbench.__all__ if name != "__version__"])
def test_every_public_name_stands_on_a_page_of_the_reference(name):
    assert re.search(rf"^::: asdbench\.{name}$", PAGES, re.MULTILINE), f"no page of docs/reference/python has {name}"
    documented = getattr(asdbench, name)
    members = [value for key, value in vars(documented).items() if not key.startswith("_")]
    for one in [documented, *(members if inspect.isclass(documented) else ())]:
        if callable(one) or isinstance(one, property | classmethod | staticmethod):
            assert inspect.getdoc(one), f"{name}: {one} has no docstring"
