"""The parameters of a callable, with annotations that are evaluated where anybody needs them."""

from __future__ import annotations

import functools
import inspect
import sys
import typing
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from attrs import frozen

from xbot.engine.loading.conversions import Convert, UnknownAnnotation, converter

if sys.version_info >= (3, 14):
    from annotationlib import Format

    # Evaluating annotations may fail on names that only type checkers import.
    signature = partial(inspect.signature, annotation_format=Format.STRING)
else:
    signature = inspect.signature

Kind = inspect._ParameterKind


@frozen
class Parameter:
    """One parameter of ``function``. ``annotation`` is as it stands there, often a text."""

    name: str
    kind: Kind
    is_required: bool
    annotation: Any
    function: Callable[..., object]
    default: object = None

    @property
    def option(self) -> str:
        """What it is called in the ini."""
        return self.name.lower().replace("_", "-")

    @property
    def is_named(self) -> bool:
        """Whether it can be given by name."""
        return self.kind in (Kind.POSITIONAL_OR_KEYWORD, Kind.KEYWORD_ONLY)

    def converter(self, folder: Path | None = None) -> Convert:
        """What makes its value of a text; without an annotation, as its default is.

        :raises UnknownAnnotation: when nothing can.
        """
        if self.annotation is inspect.Parameter.empty:
            kind = type(self.default)
            return converter(kind if kind in (bool, int, float) else str, folder)
        return converter(_evaluated(self.annotation, self.function), folder)


def parameters_of(function: Callable[..., object]) -> list[Parameter]:
    """Those of a function, or of a class; TypeError or ValueError if they cannot be known."""
    if isinstance(function, type) and _is_made_of_nothing(function):
        return []
    empty = inspect.Parameter.empty
    named_by = _initialiser(function) if isinstance(function, type) else function
    return [
        Parameter(
            each.name,
            each.kind,
            each.default is empty and each.kind not in (Kind.VAR_POSITIONAL, Kind.VAR_KEYWORD),
            each.annotation,
            named_by,
            None if each.default is empty else each.default,
        )
        for each in signature(function).parameters.values()
    ]


def _is_made_of_nothing(cls: type) -> bool:
    """Whether it is made as ``object`` is, whose parameters inspect reads off a text, in 5 ms."""
    own = (vars(base) for base in cls.__mro__[:-1])
    return type(cls) is type and not any("__init__" in each or "__new__" in each for each in own)


def _initialiser(cls: type) -> Callable[..., object]:
    return next((vars(base)["__init__"] for base in cls.__mro__ if "__init__" in vars(base)), cls)


def _evaluated(annotation: Any, function: Callable[..., object]) -> Any:
    # One by one: another parameter's may have a name that only type checkers import.
    holder = SimpleNamespace(__annotations__={"it": annotation})
    try:
        return typing.get_type_hints(holder, _names(function), {})["it"]
    except Exception as error:
        raise UnknownAnnotation(annotation) from error


def _names(function: Callable[..., object]) -> dict[str, Any]:
    """The names that an annotation of ``function`` can use."""
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    if not inspect.isroutine(function):
        function = type(function).__call__
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    # What attrs and dataclasses make has globals of its own, without the module's names.
    return {**getattr(function, "__globals__", {}), **(vars(module) if module else {})}
