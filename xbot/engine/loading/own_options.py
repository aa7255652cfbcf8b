"""A responder's own ini options: keyword parameters of its code, converted by annotation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from xbot.config.options import KINDS
from xbot.config.settings import ResponderSettings
from xbot.engine.loading.conversions import UnknownAnnotation
from xbot.engine.loading.mistakes import Mistakes
from xbot.engine.loading.parameters import Kind, Parameter
from xbot.text.did_you_mean import suggest

#: Options that every responder has; a responder cannot define its own with these names.
_COMMON = frozenset(
    option.name for kind in KINDS if kind.name == "responder" for option in kind.options
)


class OwnOptions:
    """The options of one section that are not common ones, checked against code parameters.

    The parameter ``tracker_url`` is the option ``tracker-url``.
    """

    def __init__(self, settings: ResponderSettings) -> None:
        self._texts: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._mistakes: list[tuple[str, str]] = []
        # Bundled responders are in no ini, and the working folder may be gone.
        self._folder = settings.path.absolute().parent if settings.settings else Path()
        for name, text in settings.settings.items():
            option = name.replace("_", "-")
            if option in self._texts:
                self._mistakes.append((name, f"is the same as {self._names[option]}"))
            self._texts[option] = text
            self._names[option] = name

    def check(self, parameters: Sequence[Parameter]) -> None:
        """Raise :class:`Mistakes` with everything that is wrong, given all parameters."""
        known = self._known(parameters)
        takes_any = any(each.kind is Kind.VAR_KEYWORD for each in parameters)
        for option, name in self._names.items():
            if option not in known and not takes_any:
                hint = suggest(option, {*known, *_COMMON})
                self._mistakes.append((name, f"there is no such option{hint}"))
        for parameter in parameters:
            if parameter.option in _COMMON and parameter.is_named:
                reason = f"its parameter {parameter.name!r} has the name of an option that all have"
                self._mistakes.append(("use", reason))
        for option, parameter in known.items():
            if option in self._texts:
                try:
                    self._value(parameter)
                except (ValueError, UnknownAnnotation) as error:
                    self._mistakes.append((self._names[option], str(error)))
            elif parameter.is_required:
                self._mistakes.append((option, "is missing"))
        if self._mistakes:
            raise Mistakes(*dict.fromkeys(self._mistakes))

    def values(self, parameters: Iterable[Parameter]) -> dict[str, Any]:
        """The keyword arguments for ``parameters``; call :meth:`check` first."""
        parameters = list(parameters)
        known = self._known(parameters)
        values = {
            parameter.name: self._value(parameter)
            for option, parameter in known.items()
            if option in self._texts
        }
        if any(each.kind is Kind.VAR_KEYWORD for each in parameters):
            values.update(
                {
                    option.replace("-", "_"): text
                    for option, text in self._texts.items()
                    if option not in known
                }
            )
        return values

    def _value(self, parameter: Parameter) -> Any:
        return parameter.converter(self._folder)(self._texts[parameter.option])

    def _known(self, parameters: Iterable[Parameter]) -> dict[str, Parameter]:
        """The parameters that the ini can set, by option."""
        named = (each for each in parameters if each.is_named)
        return {
            each.option: each for each in named if each.is_required or self._is_convertible(each)
        }

    def _is_convertible(self, parameter: Parameter) -> bool:
        # Others always keep their default, such as a clock that only tests set.
        try:
            parameter.converter(self._folder)
        except UnknownAnnotation:
            return False
        return True
