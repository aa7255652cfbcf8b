"""Read and validate the ``[xmpp]`` section: the account, and how to reach its server."""

from __future__ import annotations

import os
from pathlib import Path

from xbot.config import credentials
from xbot.config.secrets import read_password, read_password_file, read_path
from xbot.config.sections import ConvertedSection, Source
from xbot.config.settings import DIRECT_PORT, EMBEDDED, SUBSCRIPTIONS, Secret, XmppSettings
from xbot.config.whom import Groups, read_people
from xbot.model.jid import Jid
from xbot.text.saslprep import saslprep


def read_xmpp(
    source: Source, section: ConvertedSection | None, groups: Groups
) -> XmppSettings | None:
    """The settings of ``[xmpp]``; None if the section is missing or its account is unknown."""
    if section is None:
        source.blame(0, "xmpp", "", "this section is missing: it names the bot's account")
        return None
    values = section.values
    server = values.get("server")
    # With an invalid ``server`` the checks below would guess: skip them.
    if server == EMBEDDED:
        for option in (
            "password", "password-file", "host", "ca-file",
            "tls", "pin-sha256", "certificate-file", "key-file", "sasl",
        ):  # fmt: skip
            if section.has(option):
                section.blame(option, f"makes no sense with server = {EMBEDDED}")
        password = None
    else:
        if section.has("port") and not section.has("host") and not section.has("server"):
            section.blame("port", "is used only together with host; the SRV look-up names the port")
        if section.has("tls") and not section.has("host"):
            section.blame("tls", "is used only together with host; the SRV look-up tells it")
        if not section.has("jid") and not section.has("server"):
            section.blame("jid", f"is missing: the bot's account (or set server = {EMBEDDED})")
        password = _account_password(section)
    given = section.given(XmppSettings)
    files = {
        option.replace("-", "_"): read_path(section, option)
        for option in ("ca-file", "certificate-file", "key-file")
    }
    if server != EMBEDDED:
        _check_key(section, files["key_file"])
    if given.get("direct_tls"):
        given.setdefault("port", DIRECT_PORT)
    given["subscribers"], rules = read_people(section, "subscriptions", groups, SUBSCRIPTIONS)
    given.pop("subscriptions", None)
    if rules:
        (given["subscriptions"],) = rules
    given["accept_invites"], _ = read_people(section, "accept-invites", groups)
    jid = values.get("jid") or (Jid.parse("xbot@localhost/bot") if server == EMBEDDED else None)
    if jid is None:
        return None
    return XmppSettings(**given | files | {"jid": jid, "password": password})


def _account_password(section: ConvertedSection) -> Secret | None:
    """The account's password from the ini, its file, or the systemd credential."""
    if section.has("password") or section.has("password-file") or section.has("server"):
        password = read_password(section)
    else:
        path = credentials.default_file(section.source.environ)
        if path is not None:
            password = read_password_file(section, "password-file", path)
        else:
            password = None
            _check_no_password(section)
    _check_preparable(section, password)
    return password


def _check_no_password(section: ConvertedSection) -> None:
    """Check that a client certificate is configured, as there is no password."""
    if not section.has("certificate-file"):
        section.blame(
            "password-file",
            "is missing: write the account's password into a file that only you can read "
            "(chmod 600) and name it here",
        )
    elif "EXTERNAL" not in section.values.get("sasl", ("EXTERNAL",)):
        section.blame("sasl", "none of these works without a password: allow EXTERNAL, or set one")


def _check_preparable(section: ConvertedSection, password: Secret | None) -> None:
    """Check the user name and password with SASLprep (RFC 4013): else no login could succeed."""
    jid = section.values.get("jid")
    option = "password" if section.has("password") else "password-file"
    for where, text in (
        ("jid", jid.local if jid is not None else None),
        (option, password.reveal() if password is not None else None),
    ):
        try:
            if text and not saslprep(text):
                raise ValueError("nothing but characters that SASLprep drops")
        except ValueError as error:
            # Do not quote the text, which may be the password.
            section.blame(where, f"cannot be used to log in: it has {error} (RFC 4013)")


def _check_key(section: ConvertedSection, key_file: Path | None) -> None:
    """Check that ``certificate-file``, ``key-file`` and ``sasl`` are consistent."""
    for option, other in (("certificate-file", "key-file"), ("key-file", "certificate-file")):
        if section.has(option) and not section.has(other):
            section.blame(option, f"is of no use without {other}")
    if key_file is not None and os.path.isfile(key_file):
        source = section.source
        try:
            credentials.read_private(key_file, source.environ, source.us, credentials.MAX_KEY)
        except credentials.Unusable as error:
            section.blame("key-file", error.reason)
    if "EXTERNAL" in section.values.get("sasl", ()) and not section.has("certificate-file"):
        section.blame("sasl", "EXTERNAL needs certificate-file and key-file")
