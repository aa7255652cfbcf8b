"""Find and import Python responders: modules, entry points of installed packages, files."""

from __future__ import annotations

import hashlib
import importlib
import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from xbot.api.decorators import is_responder
from xbot.config.settings import ResponderSettings
from xbot.engine.loading.mistakes import Mistakes, blaming

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint, EntryPoints

#: The entry-point group under which installed packages offer responders.
GROUP = "xbot.responders"

#: ``use = entry-point:NAME``. No module can have this name.
_ENTRY_POINT = "entry-point:"


def find(settings: ResponderSettings) -> list[object]:
    """Import the functions, objects and classes that ``use`` or ``file`` names.

    :raises Mistakes: when it cannot be found or imported.
    """
    if settings.file is not None:
        return _all_of(_module_of_file(settings.file))
    use = settings.use or ""
    if use.startswith(_ENTRY_POINT):
        use = _entry_point(use.removeprefix(_ENTRY_POINT)).value
    module_name, _, path = use.partition(":")
    with blaming("use", f"cannot import {module_name}"):
        try:
            found: object = importlib.import_module(module_name)
        except ModuleNotFoundError as missing:
            if missing.name is None or not f"{module_name}.".startswith(f"{missing.name}."):
                raise
            raise Mistakes(("use", _not_there(module_name, missing.name))) from None
    if not path:
        assert isinstance(found, ModuleType)
        return _all_of(found)
    try:
        for part in path.split("."):
            found = getattr(found, part)
    except AttributeError:
        raise Mistakes(("use", f"{module_name} has no {path}")) from None
    return [found]


def _not_there(module_name: str, missing: str) -> str:
    told = f"cannot import {module_name}: Python finds no module {missing}"
    return told if "." in missing else f"{told}; name the folder that it is in: PYTHONPATH=FOLDER"


def modules_of(settings: ResponderSettings) -> set[str]:
    """The top-level modules that the responder's code comes from."""
    if settings.file is not None:
        return {_folder_package(settings.file)}
    if not settings.use:
        return set()
    if settings.use.startswith(_ENTRY_POINT):
        name = settings.use.removeprefix(_ENTRY_POINT)
        return {each.module.partition(".")[0] for each in _entry_points(name=name)}
    return {settings.use.partition(":")[0].partition(".")[0]}


def offered() -> list[EntryPoint]:
    """The entry points that installed packages offer, sorted by name."""
    return sorted(_entry_points(), key=lambda each: each.name)


def _entry_points(**selection: Any) -> EntryPoints:
    # Imported late: it imports email, csv and zipfile, 5 ms that most bots need not pay.
    from importlib.metadata import entry_points

    return entry_points(group=GROUP, **selection)


def _entry_point(name: str) -> EntryPoint:
    found = {each.value: each for each in _entry_points(name=name)}
    if not found:
        names = ", ".join(each.name for each in offered()) or "none"
        raise Mistakes(("use", f"no installed package offers {name!r}; there are: {names}"))
    if len(found) > 1:
        both = " and ".join(sorted(found))
        raise Mistakes(
            ("use", f"several installed packages offer {name!r}: {both}; name the module")
        )
    return next(iter(found.values()))


def _all_of(module: ModuleType) -> list[object]:
    """The public responders that a module defines, in the order of definition."""
    found = [each for each in _public(module) if is_responder(each)]
    if not found:
        raise Mistakes(
            ("use", f"{module.__file__} defines no responder; decorate one with @respond")
        )
    return found


def _public(module: ModuleType) -> Iterator[object]:
    names = getattr(module, "__all__", None)
    if names is not None:
        yield from (getattr(module, name) for name in names if hasattr(module, name))
        return
    for name, value in list(vars(module).items()):
        # Names imported from other modules are not the module's own.
        of = getattr(value, "__module__", None) or ""
        if not name.startswith("_") and f"{of}.".startswith(f"{module.__name__}."):
            yield value


class _FromSource(importlib.machinery.SourceFileLoader):
    """Source loader without a bytecode cache, whose time stamps have whole seconds only."""

    def get_code(self, fullname: str) -> object:  # type: ignore[override]
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def _module_of_file(path: Path) -> ModuleType:
    """Load a file as a module; ``from . import _x`` imports files beside it."""
    package_name = _folder_package(path)
    if package_name not in sys.modules:
        package = ModuleType(package_name, f"The responders in {path.parent}.")
        package.__path__ = [str(path.parent)]
        sys.modules[package_name] = package
    name = f"{package_name}.{path.stem}"
    if name in sys.modules:
        return sys.modules[name]
    with blaming("use", f"cannot load {path}"):
        spec = importlib.util.spec_from_file_location(
            name, path, loader=_FromSource(name, str(path))
        )
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return module


def _folder_package(path: Path) -> str:
    # Files with the same name in different folders are different modules.
    digest = hashlib.sha256(str(path.parent.absolute()).encode("utf-8", "surrogateescape"))
    return f"xbot_folder_{digest.hexdigest()[:12]}"
