"""ejabberd, run without its control script: one Erlang node that no other node can reach."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from tests.integration.process import DEADLINE, wait_until
from tests.integration.server import Server

_CONFIG = """\
hosts: ["{domain}"]
loglevel: debug
certfiles: {certificates}
ca_file: "{authority}"
auth_method: internal
auth_password_format: {stored}
auth_scram_hash: sha256
c2s_protocol_options: {versions}
s2s_access: none
{throttle}
listen:
  - port: {port}
    ip: "127.0.0.1"
    module: ejabberd_c2s
    access: all
    {limit}
    {shaper}
    {tls}
{direct_tls}modules:
  mod_blocking: {{}}
  mod_disco: {{}}
  mod_muc:
    host: "{muc}"
    access: all
    access_create: all
    access_persistent: all
    history_size: 50
    max_user_conferences: 2000
    max_users: 5000
    # Above it, a room tells nobody who is there.
    max_users_presence: 5000
    default_room_options:
      persistent: true
      max_users: 5000
  mod_offline: {{}}
  mod_ping: {{}}
  mod_privacy: {{}}
  mod_roster: {{}}
  mod_stream_mgmt:
    resume_timeout: 300
"""

#: As in Debian's ejabberd.yml.
_THROTTLE = """\
shaper:
  normal:
    rate: 3000
    burst_size: 20000
  fast: 200000
shaper_rules:
  c2s_shaper: normal
"""

_DIRECT_TLS = """\
  - port: {port}
    ip: "127.0.0.1"
    module: ejabberd_c2s
    access: all
    tls: true
"""

_REGISTER = "ejabberd_auth:try_register(<<{name}>>, <<{domain}>>, <<{password}>>)"

#: Folders in which distributions install the compiled modules.
_LIBRARIES = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib")


class Ejabberd(Server):
    """An ejabberd. Its node has no name: nothing is distributed, and there is no epmd."""

    name = "ejabberd"
    program = "ejabberdctl"
    attempt_mark = "<auth "
    proof_mark = "<response "

    def configure(self) -> None:
        files = self.certificate
        # It takes the key from the same list as the certificates.
        certificates = f'["{files.chain}", "{files.key}"]' if self.starttls else "[]"
        text = _CONFIG.format(
            domain=self.domain,
            muc=self.muc,
            port=self.port,
            authority=files.authority,
            certificates=certificates,
            limit=f"max_stanza_size: {self.stanza_size}" if self.stanza_size else "",
            throttle=_THROTTLE if self.is_throttled else "",
            shaper="shaper: c2s_shaper" if self.is_throttled else "",
            tls="starttls_required: true" if self.starttls else "starttls: false",
            direct_tls=_DIRECT_TLS.format(port=self.direct_port) if self.starttls else "",
            stored="plain" if self.plain_passwords else "scram",
            versions='["no_sslv3", "no_tlsv1", "no_tlsv1_1"%s]'
            % (', "no_tlsv1_3"' if self.tls12 else ""),
        )
        (self.folder / "ejabberd.yml").write_text(text)

    def environment(self) -> Mapping[str, str]:
        libraries = [path for path in _LIBRARIES if any(Path(path).glob("ejabberd-*/ebin"))]
        return {
            "ERL_LIBS": ":".join(libraries),
            "ERL_CRASH_DUMP": str(self.folder / "crash.dump"),
            "EJABBERD_CONFIG_PATH": str(self.folder / "ejabberd.yml"),
            "EJABBERD_LOG_PATH": str(self.log_file),
        }

    def command(self) -> list[str]:
        register = [
            _REGISTER.format(
                name=_erlang(name), domain=_erlang(self.domain), password=_erlang(password)
            )
            for name, password in self.accounts.items()
        ]
        # The node has no name to reach it by: what it is to do is read from a file.
        path, result = _erlang(str(self._console)), _erlang(str(self._result))
        console = (
            f"spawn(fun Read() -> timer:sleep(50), case file:eval({path}) of"
            " {error, enoent} -> ok;"
            f' Said -> file:write_file({result}, io_lib:format("~p", [Said])), file:delete({path})'
            " end, Read() end)"
        )
        ready = f"ok = file:write_file({_erlang(str(self._ready))}, <<>>)"
        return [
            "erl",
            "-noinput",
            "-mnesia",
            "dir",
            _erlang(str(self.folder / "spool")),
            "-s",
            "ejabberd",
            "-eval",
            ", ".join([*register, console, f"{ready}."]),
        ]

    def start(self) -> None:
        self._ready.unlink(missing_ok=True)
        super().start()

    def is_ready(self) -> bool:
        return self._ready.exists() and super().is_ready()

    def forget_room(self, room: str) -> None:
        name, service = _room(room)
        self._do(f"{{ok, Room}} = mod_muc:find_online_room({name}, {service}), exit(Room, kill).")

    def forget_session(self, name: str) -> None:
        self._do(f"ejabberd_sm:kick_user(<<{_erlang(name)}>>, <<{_erlang(self.domain)}>>), ok.")

    def delete_account(self, name: str) -> None:
        account = f"<<{_erlang(name)}>>, <<{_erlang(self.domain)}>>"
        # As its command does: the account goes, and whoever is logged in by it.
        self._do(
            f"ok = ejabberd_auth:remove_user({account}), ejabberd_sm:kick_user({account}), ok."
        )

    def restart_rooms(self) -> None:
        host = f"<<{_erlang(self.domain)}>>"
        self._do(f"gen_mod:stop_module({host}, mod_muc), gen_mod:start_module({host}, mod_muc).")

    def log_less(self) -> None:
        # Every stanza, some of them byte by byte, before it is sent.
        self._do("ejabberd_logger:set(warning).")

    def make_visitors(self, room: str) -> None:
        name, service = _room(room)
        option = f'mod_muc_admin:change_room_option({name}, {service}, <<"members_by_default">>'
        self._do(f'ok = {option}, <<"false">>).')

    def crowd_room(self, room: str, count: int) -> None:
        """Put so many occupants into ``room``, of a domain that takes in what it is sent."""
        self.log_less()
        name, service = _room(room)
        option = f'mod_muc_admin:change_room_option({name}, {service}, <<"presence_broadcast">>'
        everyone = f"mod_muc_admin:get_room_occupants_number({name}, {service})"
        nick = '<<"guest", (integer_to_binary(I))/binary>>'
        # To tell each of each, all the while, would take it minutes.
        self._do(
            'ejabberd_router:register_route(<<"crowd.test">>,'
            f" <<{_erlang(self.domain)}>>, {{apply, erlang, is_tuple}}),"
            f" Before = {everyone},"
            f' ok = {option}, <<"[]">>),'
            f" [{_guest_presence(room, 'I', nick)} || I <- lists:seq(1, {count})],"
            # A room that is busy with them does not answer in time.
            f" (fun Wait() -> case (catch {everyone} - Before) of {count} -> ok;"
            " _ -> timer:sleep(20), Wait() end end)(),"
            f' ok = {option}, <<"[moderator, participant, visitor]">>).',
            4 * DEADLINE,
        )

    def move_guest(self, room: str, number: int, nick: str, kind: str = "") -> None:
        self._do(f"{_guest_presence(room, str(number), f'<<{_erlang(nick)}>>', kind)}.")

    def _do(self, erlang: str, within: float = DEADLINE) -> None:
        """Have the node evaluate that, which must not fail."""
        waiting = self.folder / "console.new"
        waiting.write_text(erlang)
        waiting.rename(self._console)
        wait_until(lambda: not self._console.exists(), lambda: "the end of a command", within)
        if (result := self._result.read_text()) != "ok":
            raise AssertionError(f"the node says: {result}")

    def login_report(self, log: str) -> tuple[bool, bool]:
        return (
            re.search(r"\(tls\|", log) is not None,
            re.search(r"Accepted c2s SCRAM-SHA-\S+ authentication for xbot@", log) is not None,
        )

    @property
    def _console(self) -> Path:
        return self.folder / "console"

    @property
    def _result(self) -> Path:
        return self.folder / "result"

    @property
    def _ready(self) -> Path:
        return self.folder / "ready"


def _room(room: str) -> tuple[str, str]:
    """The two parts of a room's JID, as binaries."""
    local, _, service = room.partition("@")
    return f"<<{_erlang(local)}>>", f"<<{_erlang(service)}>>"


def _guest_presence(room: str, number: str, nick: str, kind: str = "") -> str:
    """Expression: that guest of a crowd sends a presence to ``nick``; both are expressions."""
    name, service = _room(room)
    attribute = f" type='{kind}'" if kind else ""
    presence = (
        f"<presence xmlns='jabber:client'{attribute}><x xmlns='http://jabber.org/protocol/muc'/>"
        "</presence>"
    )
    return (
        "ejabberd_router:route(xmpp:set_from_to("
        f"xmpp:decode(fxml_stream:parse_element(<<{_erlang(presence)}>>)),"
        f' jid:make(<<"crowd", (integer_to_binary({number}))/binary>>, <<"crowd.test">>, <<"x">>),'
        f" jid:make({name}, {service}, {nick})))"
    )


def _erlang(text: str) -> str:
    """``text`` as an Erlang string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
