"""A card with settled parameters: what a run is asked to use, and how it is built."""

import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from asdbench.core.digests import digest, file_digest
from asdbench.core.errors import AsdbenchError, UsageError
from asdbench.core.faults import fault_of, reported_as
from asdbench.core.numbers import is_finite, parse_float, parse_int
from asdbench.core.packages import needed_by, version_of
from asdbench.core.paths import expand_user
from asdbench.registry import contracts
from asdbench.registry.synonyms import nearest_param
from asdbench.registry.toml import parse_toml

if TYPE_CHECKING:
    from asdbench.registry.cards import Card, Param, Value


@dataclass(frozen=True)
class Component:
    """A named thing of one kind with every parameter settled. ``home`` is the folder of a third party's code."""

    kind: str
    name: str
    card: "Card"
    params: dict[str, Any]
    home: Path | None = None

    @property
    def target(self) -> str:
        """The Python object that implements it, as records state it."""
        return self.card.target

    @property
    def all_parts(self) -> "Iterator[Component]":
        """The component, and those that it is composed of."""
        yield self

    def altered(self, values: Mapping[str, object]) -> "Component":
        """The same thing with ``values`` (texts from the command line, or Python values) laid over its parameters.

        Raises:
            UsageError: an unknown parameter, or a value that it does not take.
        """
        params = dict(self.params)
        for key, value in values.items():
            if key not in self.card.params:
                hint = nearest_param(key, self.card.params)
                raise UsageError(f"'{self.name}' has no parameter '{key}'.{hint} See: asdbench show {self.name}")
            param = self.card.params[key]
            try:
                params[key] = param.check(parse(param, value) if isinstance(value, str) else value)  # type: ignore[arg-type]
                if param.file:
                    params[key] = _of_files(_existing, params[key], param)
            except ValueError as error:
                raise UsageError(f"{self.name}.{key} {error}. See: asdbench show {self.name}") from error
        for key, param in self.card.params.items():
            if param.replaces in values and key not in values:
                params[key] = param.default if param.neutral is None else param.neutral
        return replace(self, params=params)

    def identity(self, stage: Literal["fit", "embed"] = "embed") -> dict[str, Any]:
        """All that decides what the component computes up to a stage; part of every cache key.

        Parameters that affect the embedding only are no part of what a fit depends on, and those at their neutral
        value no part of anything, so that one may be added to a card and caches stay. A third party's code counts by
        its content, because its author changes it without raising the version; so does a file that a parameter names,
        and weights that are downloaded. Where a card names libraries, their versions count.

        Raises:
            UsageError: a file that a parameter names cannot be read.
            RequirementError: weights cannot be downloaded.
        """
        counted = {
            name: _of_files(_content, value, self.card.params[name]) if self.card.params[name].file else value
            for name, value in self.params.items()
            if (stage == "embed" or self.card.params[name].affects == "fit")
            and not self.card.params[name].is_neutral(value)
        }
        identity: dict[str, Any] = {"target": self.card.target, "version": self.card.version, "params": counted}
        if self.home is not None:
            identity["code"] = file_digest(self._module_file())
        if self.card.libraries:
            identity["libraries"] = self.libraries
        if self.card.weights:
            with reported_as(f"The weights of '{self.name}' cannot be identified"):
                weights = self._imported(self.card.weights)(self.params)
            if weights:
                identity["weights"] = weights
        return identity

    @property
    def libraries(self) -> dict[str, str]:
        """Versions of the packages that compute it, by name; empty where its card names none."""
        return {name: version_of(name) or "not installed" for name in self.card.libraries}

    @property
    def files(self) -> dict[str, Any]:
        """Digests of the files that parameters name, by parameter. Raises UsageError: one of them cannot be read."""
        named = {name: param for name, param in self.card.params.items() if param.file and self.params[name]}
        return {name: _of_files(_content, self.params[name], param) for name, param in named.items()}

    def build(self) -> Any:
        """Import the target and call it with the parameters.

        Raises:
            AsdbenchError: the target cannot be imported, does not fit its card, raises something, or makes what lacks
                a method.
        """
        target = self.load()
        faults = contracts.misfits(target, self.card.params) or [contracts.abstract_methods(target)]
        if any(faults):
            raise self._does_not_fit("; ".join(faults))
        with reported_as(f"The {self.kind[:-1]} '{self.name}' cannot be built"):
            built = target(**self.params)
        lack = contracts.missing(self.kind, built)
        if lack:
            raise self._does_not_fit(lack)
        return built

    def load(self) -> Any:
        """Import the target. Raises AsdbenchError: it cannot be imported."""
        return self._imported(self.card.target)

    def _imported(self, target: str) -> Any:
        module, _, attribute = target.partition(":")
        try:
            if self.home is not None:
                self._module_file()
            with needed_by(f"'{self.name}'"):
                return getattr(import_module(module), attribute)
        except AsdbenchError:
            raise
        except (Exception, SystemExit) as error:  # a module of a third party may raise anything when it is imported
            raise self._does_not_load(fault_of(error).reason) from error

    def _module_file(self) -> Path:
        """The file of a third party's module, made sure to be that of its own folder."""
        assert self.home is not None
        module = self.card.target.partition(":")[0]
        loaded = sys.modules.get(module)
        try:
            spec = loaded.__spec__ if loaded else importlib.util.find_spec(module)
        except (Exception, SystemExit) as error:  # the package that it lies in is imported
            raise self._does_not_load(fault_of(error).reason) from error
        if spec is None or spec.origin is None:
            raise self._does_not_load(f"there is no module '{module}'")
        if not Path(spec.origin).resolve().is_relative_to(self.home.resolve()):
            raise self._does_not_load(f"'{module}' is taken by {spec.origin}. Rename the module")
        return Path(spec.origin)

    def _does_not_load(self, reason: str) -> AsdbenchError:
        return AsdbenchError(
            f"The card of '{self.name}' names the target {self.card.target}, which does not load: {reason}.\n"
            f"See where it comes from: asdbench show {self.name}"
        )

    def _does_not_fit(self, reason: str) -> AsdbenchError:
        return AsdbenchError(
            f"'{self.name}' ({self.card.target}) cannot be used as one of the {self.kind}: {reason}.\n"
            f"See all that is wrong with it: asdbench check {self.name}"
        )


def _of_files(function: Callable[[str, "Param"], str], value: Any, param: "Param") -> Any:
    """What the function gives of the path, or of each of several, that a parameter names; an empty text names none."""
    if isinstance(value, list):
        return [_of_files(function, path, param) for path in value]
    return function(value, param) if value else value


def _existing(path: str, param: "Param") -> str:
    found = expand_user(path)
    if not (found.is_file() or (param.folder and found.is_dir())):
        what = "a file or folder" if param.folder else "a file"
        raise ValueError(f"takes {what}, and there is none at {found.absolute()}")
    return str(found)


def _content(path: str, param: "Param") -> str:
    if param.folder and Path(path).is_dir():
        read = [name for name in param.folder if (Path(path) / name).is_file()]
        return digest({name: _content(str(Path(path) / name), param) for name in read}, 32)
    try:
        state = Path(path).stat()
        return _digest(path, state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}. A parameter names it.") from error


@lru_cache(maxsize=256)
def _digest(path: str, *_state: int) -> str:
    """Digest of a file's bytes, computed again when its size, inode or times differ."""
    return file_digest(Path(path))


def parse(param: "Param", text: str) -> "Value":
    """Read a command-line text as the parameter's type. Raises ValueError: the text is not of that type."""
    try:
        match param.type:
            case "str":
                return text
            case "strings":
                return [item.strip() for item in text.split(",") if item.strip()]
            case "bool":
                return {"true": True, "false": False}[text.casefold()]
            case "int":
                return parse_int(text)
            case "float":
                return parse_float(text)
            case "any":
                value = None if text == "None" else _literal(text)
                if not is_finite(value):
                    raise ValueError(text)
                return value
    except (ValueError, KeyError):
        raise ValueError(f"takes {param.accepts()}, not '{text}'") from None


def _literal(text: str) -> Any:
    try:
        return parse_toml(f"value = {text}")["value"]
    except ValueError:
        return text
