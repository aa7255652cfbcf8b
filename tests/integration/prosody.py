"""A Prosody 0.12 server under test, with accounts in its internal storage."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import socket

from tests.integration.process import DEADLINE
from tests.integration.server import Server
from tests.ports import free_port

_CONFIG = """\
daemonize = false
run_as_root = {root}
pidfile = "{folder}/prosody.pid"
data_path = "{folder}/data"
log = {{ {log_level} = "{folder}/server.log" }}
modules_enabled = {{ {modules} }}
modules_disabled = {{ "s2s", "s2s_auth_certs" }}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {port} }}
c2s_direct_tls_ports = {{ {direct_port} }}
c2s_require_encryption = {starttls}
use_ipv6 = false
authentication = "internal_{stored}"
storage = "internal"
console_ports = {{ {console_port} }}
console_interfaces = {{ "127.0.0.1" }}
allow_registration = false
smacks_hibernation_time = 300
{limit}
{throttle}
{tls}

VirtualHost "{domain}"

Component "{muc}" "muc"
    restrict_room_creation = false
    muc_room_default_persistent = true
    muc_room_default_history_length = 50
    max_history_messages = 50
    enforce_registered_nickname = true
"""

#: As in Debian's prosody.cfg.lua. With its epoll loop there are no bursts for clients.
_THROTTLE = 'limits = { c2s = { rate = "10kb/s" }; s2sin = { rate = "30kb/s" } }'

_TLS = 'ssl = {{ certificate = "{chain}"; key = "{key}"{versions} }}'

_ACCOUNT = (
    'return {{ ["iteration_count"] = {rounds}; ["salt"] = "{salt}";'
    ' ["stored_key"] = "{stored}"; ["server_key"] = "{server}"; }};\n'
)

#: No password of ours needs escaping.
_PLAIN = 'return {{ ["password"] = "{}" }};\n'

_ROUNDS = 10000


class Prosody(Server):
    """A Prosody server. Its log has everything it receives, so tests can see logins there."""

    name = "Prosody"
    program = "prosody"
    attempt_mark = "<auth "
    proof_mark = "<response "

    #: What it loads besides STARTTLS, and the least that it logs; only with "debug" are
    #: the marks above in its log.
    modules: tuple[str, ...] = (
        "roster",
        "saslauth",
        "disco",
        "ping",
        "posix",
        "smacks",
        "carbons",
        "blocklist",
        "admin_telnet",
    )
    log_level = "debug"

    def configure(self) -> None:
        self.console_port = free_port()
        files = self.certificate
        versions = '; protocol = "tlsv1_2"' if self.tls12 else ""
        tls = _TLS.format(chain=files.chain, key=files.key, versions=versions)
        modules = [*self.modules]
        modules += ["tls"] if self.starttls else []
        modules += ["limits"] if self.is_throttled else []
        text = _CONFIG.format(
            modules=", ".join(f'"{module}"' for module in modules),
            root="true" if os.geteuid() == 0 else "false",
            folder=self.folder,
            log_level=self.log_level,
            port=self.port,
            console_port=self.console_port,
            direct_port=self.direct_port if self.starttls else "",
            stored="plain" if self.plain_passwords else "hashed",
            starttls="true" if self.starttls else "false",
            limit=f"c2s_stanza_size_limit = {self.stanza_size}" if self.stanza_size else "",
            throttle=_THROTTLE if self.is_throttled else "",
            tls=tls if self.starttls else "",
            domain=self.domain,
            muc=self.muc,
        )
        (self.folder / "prosody.cfg.lua").write_text(text)
        accounts = self.folder / "data" / _file_name(self.domain) / "accounts"
        accounts.mkdir(parents=True)
        for name, password in self.accounts.items():
            text = _PLAIN.format(password) if self.plain_passwords else _account(password)
            (accounts / f"{_file_name(name)}.dat").write_text(text)

    def command(self) -> list[str]:
        return [self.executable, "-F", "--config", str(self.folder / "prosody.cfg.lua")]

    def forget_room(self, room: str) -> None:
        muc = self._muc()
        self._console(f'>{muc}.forget_room({muc}.get_room_from_jid("{room}"))')

    def forget_session(self, name: str) -> None:
        sessions = f'prosody.hosts["{self.domain}"].sessions["{name}"].sessions'
        self._console(f">for _, session in pairs({sessions}) do session:close() end")

    def delete_account(self, name: str) -> None:
        self._console(f'user:delete("{name}@{self.domain}")')

    def restart_rooms(self) -> None:
        self._console(f'module:unload("muc", "{self.muc}")')
        self._console(f'module:load("muc", "{self.muc}")')

    def crowd_room(self, room: str, count: int) -> None:
        """Put so many occupants into ``room``, without telling each of each."""
        self._console(
            f'>local room = {self._muc()}.get_room_from_jid("{room}");'
            ' local st = require "util.stanza";'
            f" for i = 1, {count} do"
            f' local who = "crowd"..i.."@{self.domain}";'
            ' local nick = room.jid.."/guest"..i;'
            " local occupant = room:new_occupant(who, nick);"
            ' occupant.role = "participant";'
            ' occupant:set_session(who.."/x", st.presence({from = nick}), true);'
            " room:save_occupant(occupant); end"
        )

    def move_guest(self, room: str, number: int, nick: str, kind: str = "") -> None:
        which = f', type = "{kind}"' if kind else ""
        self._console(
            f'>prosody.core_route_stanza(prosody.hosts["{self.domain}"],'
            ' require "util.stanza".presence('
            f'{{from = "crowd{number}@{self.domain}/x", to = "{room}/{nick}"{which}}}))'
        )

    def reserve_nick(self, room: str, account: str, nick: str) -> None:
        """Who is in ``room`` by this account, a member from now on, is called ``nick``."""
        self._console(
            f'>local room = {self._muc()}.get_room_from_jid("{room}");'
            f' assert(room:set_affiliation(true, "{account}", "member", nil,'
            f' {{reserved_nickname = "{nick}"}}))'
        )

    def _muc(self) -> str:
        return f'prosody.hosts["{self.muc}"].modules.muc'

    def _console(self, line: str) -> None:
        """Have one line done by its console, which must not object."""
        with socket.create_connection((self.host, self.console_port), DEADLINE) as console:
            console.settimeout(DEADLINE)
            console.sendall(f"{line}\nbye\n".encode())
            said = ""
            while (data := console.recv(4096)) != b"":
                said += data.decode("utf-8", "replace")
        if "OK:" not in said and "Result" not in said:
            raise AssertionError(f"the console says: {said}")

    def login_report(self, log: str) -> tuple[bool, bool]:
        return (
            "TLS handshake complete" in log or "TLSv1" in log,
            re.search(r"mechanism=['\"]SCRAM-SHA-", log) is not None
            and "Authenticated as xbot@" in log,
        )


def _account(password: str) -> str:
    """The account file with SCRAM-SHA-1 keys (RFC 5802, section 3) instead of the password."""
    salt = secrets.token_hex(16)
    salted = hashlib.pbkdf2_hmac("sha1", password.encode(), salt.encode(), _ROUNDS)
    client_key = hmac.digest(salted, b"Client Key", "sha1")
    return _ACCOUNT.format(
        rounds=_ROUNDS,
        salt=salt,
        stored=hashlib.sha1(client_key).hexdigest(),
        server=hmac.digest(salted, b"Server Key", "sha1").hex(),
    )


def _file_name(name: str) -> str:
    """The file name that Prosody derives from the name of a host or an account."""
    return re.sub(r"[^A-Za-z0-9]", lambda found: f"%{ord(found[0]):02x}", name)
