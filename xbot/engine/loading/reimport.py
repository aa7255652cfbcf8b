"""Re-import Python responders' modules on reload; roll back when that fails."""

from __future__ import annotations

import importlib
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType

#: xbot itself, which holds the bot's state, is never re-imported.
_OURS = "xbot"


@contextmanager
def fresh_modules(names: Iterable[str]) -> Iterator[None]:
    """Within the block, ``import`` makes new module objects of these modules and their siblings.

    Siblings are modules of the same top-level package. Modules of the standard
    library, of site-packages and of xbot are not touched. When the block raises,
    :data:`sys.modules` is restored. Code that holds an old object (a run under
    way) goes on with it.
    """
    packages = {name.partition(".")[0] for name in names} - {_OURS} - sys.stdlib_module_names
    folders = installed()
    old = {
        name: module
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in packages and _is_own(module, folders)
    }
    for name, module in old.items():
        del sys.modules[name]
        _forget_bytecode(module)
    # A file that is newer than the finder's listing of its folder would not be seen.
    importlib.invalidate_caches()
    before = set(sys.modules)
    try:
        yield
    except BaseException:
        for name in set(sys.modules) - before:
            if name.partition(".")[0] in packages:
                del sys.modules[name]
        sys.modules.update(old)
        raise


def _forget_bytecode(module: ModuleType) -> None:
    # Python validates cached bytecode by the source's size and modification time in
    # whole seconds. Two quick edits may change neither.
    cached = module.__spec__.cached if module.__spec__ is not None else None
    if cached is not None:
        with suppress(OSError):
            Path(cached).unlink()


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
