"""Re-import Python responders' modules and their helpers on reload; roll back when that fails."""

from __future__ import annotations

import importlib
import importlib.util
import os
import site
import sys
import sysconfig
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from types import ModuleType

#: Never re-imported: xbot itself, which holds the bot's state, and what Python has itself.
_NEVER = frozenset({"xbot", "__main__", *sys.stdlib_module_names})


@contextmanager
def fresh_modules(names: Iterable[str]) -> Iterator[frozenset[str]]:
    """Within the block, ``import`` makes new module objects of these modules and their siblings.

    Siblings are modules of the same top-level package, and helpers: top-level modules whose
    file lies in the same folder. Modules of the standard library, of site-packages, of
    distributions that are installed into that folder, and of xbot are not touched. Gives the
    top-level names of what is imported anew. When the block raises, :data:`sys.modules` is
    restored. Code that holds an old object (a run under way) goes on with it.
    """
    named = {name.partition(".")[0] for name in names} - _NEVER
    folders = installed()
    beside = _folders_of(named, folders)
    kept = _distributed(beside)

    @cache
    def is_helper(top: str) -> bool:
        if top in _NEVER or top in kept:
            return False
        return not beside.isdisjoint(_folders(sys.modules.get(top)))

    def is_fresh(name: str, module: ModuleType) -> bool:
        top = name.partition(".")[0]
        return (top in named or is_helper(top)) and _is_own(module, folders)

    old = {name: module for name, module in list(sys.modules.items()) if is_fresh(name, module)}
    for name, module in old.items():
        del sys.modules[name]
        _forget_bytecode(module)
    # A file that is newer than the finder's listing of its folder would not be seen.
    importlib.invalidate_caches()
    before = set(sys.modules)
    try:
        yield frozenset(name.partition(".")[0] for name in old)
    except BaseException:
        is_helper.cache_clear()
        new = [name for name in set(sys.modules) - before if is_fresh(name, sys.modules[name])]
        for name in new:
            del sys.modules[name]
        sys.modules.update(old)
        raise


class LoadedModules:
    """When each module was imported, to tell whose files changed and which stay old. ::

    modules = LoadedModules()
    modules.changed(fresh)
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        # Compared with the times of files, so the system's clock.
        self._now = now
        self._imported = dict.fromkeys(sys.modules, now())

    def changed(self, fresh: Iterable[str]) -> list[str]:
        """Top-level modules whose file changed after their import; call it after each reload.

        ``fresh`` are those that were just imported anew.
        """
        now, renewed = self._now(), set(fresh)
        changed = set()
        for name, module in list(sys.modules.items()):
            top = name.partition(".")[0]
            if top in renewed:
                self._imported[name] = now
            elif self._imported.setdefault(name, now) < _changed_at(module):
                changed.add(top)
        return sorted(changed)


def _changed_at(module: ModuleType) -> float:
    """When the module's file was written, in seconds since 1970; 0 if that is not known."""
    file = getattr(module, "__file__", None)
    try:
        # The inode's time: that of the content is often older, as of a copied file.
        return os.stat(file).st_ctime if isinstance(file, str) else 0.0
    except OSError:
        return 0.0


def _forget_bytecode(module: ModuleType) -> None:
    # Python validates cached bytecode by the source's size and modification time in
    # whole seconds. Two quick edits may change neither.
    cached = module.__spec__.cached if module.__spec__ is not None else None
    if cached is not None:
        with suppress(OSError):
            Path(cached).unlink()


def _folders_of(names: Iterable[str], installed: tuple[Path, ...]) -> frozenset[Path]:
    """The folders in which these top-level modules lie, without those of installed packages."""
    found: set[Path] = set()
    for name in names:
        module = sys.modules.get(name)
        if module is None:
            # A new responder; its spec is found without importing it. Finders may be anyone's.
            with suppress(Exception):
                spec = importlib.util.find_spec(name)
                module = importlib.util.module_from_spec(spec) if spec is not None else None
        if module is not None and _is_own(module, installed):
            found.update(_folders(module))
    return frozenset(found)


def _folders(module: ModuleType | None) -> list[Path]:
    """The folders in which a top-level module lies, not those that it is."""
    known = getattr(module, "__dict__", {})  # its own: attributes of a lazy module import more
    file, path, spec = (known.get(name) for name in ("__file__", "__path__", "__spec__"))
    if path is None:
        return [Path(file).resolve().parent] if isinstance(file, str) else []
    # The package of a folder of responders is made by us, and has no spec; the files beside
    # them lie in it.
    places = [Path(place).resolve() for place in path]
    return places if spec is None else [place.parent for place in places]


def _distributed(folders: Iterable[Path]) -> set[str]:
    """The top-level modules of distributions that are installed into these folders.

    As by ``pip install --target``: libraries may not bear to be imported twice.
    """
    # Imported late: it imports email, csv and zipfile.
    from importlib.metadata import distributions

    return {
        file.parts[0].removesuffix(".py").partition(".")[0]
        for distribution in distributions(path=[str(folder) for folder in folders])
        for file in distribution.files or ()
    }


def _is_own(module: ModuleType, folders: tuple[Path, ...]) -> bool:
    """Whether the module's files are the operator's own."""
    file = getattr(module, "__file__", None)
    # A namespace package has no file, only a path, maybe of several folders.
    places = [file] if file else list(getattr(module, "__path__", ()))
    return bool(places) and not any(
        Path(place).resolve().is_relative_to(folder) for place in places for folder in folders
    )


def installed() -> tuple[Path, ...]:
    """The folders of installed packages and of the standard library."""
    paths = sysconfig.get_paths()
    folders = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    folders += [*site.getsitepackages(), site.getusersitepackages()]
    return tuple({Path(folder).resolve() for folder in folders})
