"""Packages that asdbench asks for: their versions, and what installs one that is not there."""

from collections.abc import Iterator
from contextlib import contextmanager

from asdbench.core.errors import RequirementError

EXTRAS = {"ray": "--engine ray", "onnx": "export, and encoders given as ONNX", "postgres": "studies in PostgreSQL"}
PACKAGES = {"imblearn": "imbalanced-learn", "sklearn": "scikit-learn", "yaml": "pyyaml"}  # of modules named otherwise


def requirements() -> list[str]:
    """What asdbench's own metadata asks for; nothing in a bare checkout."""
    from importlib import metadata

    try:
        return metadata.requires("asdbench") or []
    except metadata.PackageNotFoundError:
        return []


def version_of(package: str) -> str | None:
    """Of an installed package; None where it is not installed."""
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def missing_package(error: ImportError, what: str = "This") -> RequirementError | None:
    """The error that names the command which installs what could not be imported.

    Args:
        error: of the import.
        what: needs the package; begins the message.

    Returns:
        None where the module belongs to no package that asdbench asks for.
    """
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    module = error.name or ""
    package = canonicalize_name(PACKAGES.get(module, module))
    for wanted in map(Requirement, requirements()):
        if package != canonicalize_name(wanted.name):
            continue
        for extra in ("", *EXTRAS):
            if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
                name = f"asdbench[{extra}]" if extra else f"{wanted.name}{wanted.specifier}"
                return RequirementError(
                    f"{what} needs {wanted.name}, which is not installed here.\nGet it: pip install '{name}'"
                )
    return None


@contextmanager
def needed_by(what: str) -> Iterator[None]:
    """Say how to get a package whose import fails inside.

    Raises:
        RequirementError: asdbench asks for the package, and it is not there.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        missing = missing_package(error, what)
        if missing is None:
            raise
        raise missing from error
