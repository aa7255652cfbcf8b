"""Read and validate the ``[webhook NAME]`` sections."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from xbot.config import credentials
from xbot.config.secrets import blame_both, read_password_file
from xbot.config.sections import ConvertedSection
from xbot.config.settings import (
    RESPONDER,
    WEBHOOK_TEMPLATES,
    HttpSettings,
    RoomSettings,
    Secret,
    WebhookSettings,
)
from xbot.model.jid import Jid
from xbot.model.people import NOBODY, People
from xbot.text.did_you_mean import suggest
from xbot.text.template import DOTTED, InvalidTemplate, Template

#: Maximum size of a template file, in bytes.
MAX_TEMPLATE = 16_384

_NAMES = (*WEBHOOK_TEMPLATES, RESPONDER)


def read_webhooks(
    sections: Iterable[ConvertedSection],
    http: HttpSettings | None,
    has_http: bool,
    rooms: Sequence[RoomSettings],
    people: People = NOBODY,
) -> tuple[WebhookSettings, ...]:
    """The settings of the webhook ``sections``; ``http`` and ``rooms`` are the ini's.

    ``people`` are those to whom the bot may write.
    ``has_http`` is true if the ini has an ``[http]`` section, even an invalid one.
    """
    found = []
    paths: dict[str, int] = {}
    for section in sections:
        if not has_http:
            section.blame("", "needs an [http] section that says where to listen")
        webhook = _webhook(section, http, {str(room.jid) for room in rooms}, people)
        if webhook is None:
            continue
        first = paths.setdefault(webhook.path, section.line)
        if first != section.line:
            section.blame("path", f"{webhook.path} is the one of line {first} already")
        found.append(webhook)
    return tuple(found)


def _webhook(
    section: ConvertedSection, http: HttpSettings | None, rooms: Collection[str], people: People
) -> WebhookSettings | None:
    """The settings of one section; None without a valid template and room."""
    values = section.values
    path = values.get("path", f"/webhook/{section.name}")
    said_in = tuple(sorted({*values.get("to", ()), *values.get("room", ())}))
    if not section.has("to") and not section.has("room"):
        section.blame("", "to is missing: the room or person that gets the text")
    for option in "to", "room":
        for place in sorted(values.get(option, ())):
            if place not in rooms and not people.includes(Jid.parse(place)):
                section.blame(option, _unknown(place, rooms))
    template = _template(section)
    if section.has("dedupe-key") and section.has("dedupe-text"):
        blame_both(section, "dedupe-key", "dedupe-text")
    if "dedupe-text" in values and template in WEBHOOK_TEMPLATES:
        section.blame("dedupe-text", f"{template} knows by itself what tells one from another")
    if "dedupe-key" in values and template in _NAMES:
        section.blame("dedupe-key", f"{template} knows by itself what tells one from another")
    secret = _secret(section, http)
    if template is None or not said_in:
        return None
    read = {
        "name": section.name,
        "path": path,
        "rooms": said_in,
        "template": template,
        "secret": secret,
    }
    return WebhookSettings(**section.given(WebhookSettings) | read)


def _unknown(place: str, rooms: Collection[str]) -> str:
    told = f"there is no [room {place}], and may-write-to in [xbot] names no such person"
    return f"{told}{suggest(place, rooms)}"


def _template(section: ConvertedSection) -> str | None:
    """The name of a bundled template, or the text of a custom one; None if it is invalid."""
    value = section.values.get("template")
    known = ", ".join(_NAMES)
    if value is None:
        if not section.has("template"):
            section.blame("", f"template is missing: {known}, or a text with fields")
        return None
    text: str = value
    if text.startswith("file:"):
        path = section.source.locate(Path(text.removeprefix("file:").strip()))
        line = section.section.options["template"].line
        section.source.check_trust(line, section.section.title, "template", [path])
        try:
            text = credentials.read_file(path, MAX_TEMPLATE)[0].decode("utf-8")
        except credentials.Unusable as error:
            section.blame("template", error.reason)
            return None
        except UnicodeDecodeError:
            section.blame("template", f"{path} is not UTF-8")
            return None
    elif re.fullmatch(r"[\w-]+", text):
        if text not in _NAMES:
            near = suggest(text, _NAMES)
            section.blame("template", f"{text} is none of {known}, and no text with fields{near}")
            return None
        return text
    try:
        Template.parse(text, DOTTED.fullmatch)
    except InvalidTemplate as error:
        section.blame("template", str(error))
        return None
    if not text.strip():
        section.blame("template", "is empty")
        return None
    return text


def _secret(section: ConvertedSection, http: HttpSettings | None) -> Secret | None:
    """The secret of a webhook; None if it has none, or an invalid one, which is a problem."""
    values, source = section.values, section.source
    if section.has("secret"):
        if section.has("secret-file"):
            blame_both(section, "secret", "secret-file")
        elif http is not None and not http.listen.is_private:
            section.blame(
                "secret",
                f"anybody who reaches {http.listen} could post: listen at 127.0.0.1 or a socket,"
                " or set secret-file",
            )
        return None
    if "secret-file" in values:
        path = source.locate_secret(values["secret-file"])
    elif section.has("secret-file"):
        return None
    else:
        found = credentials.default_file(source.environ, f"webhook.{section.name}")
        if found is None:
            section.blame(
                "",
                "secret-file is missing: a file that only you can read (chmod 600), with what"
                " the sender knows, too; or secret = none, where only this machine can post",
            )
            return None
        path = found
    return read_password_file(section, "secret-file", path)
