"""A bot as wokkel's documentation leads one to write it: XMPPClient and MUCClient, nothing else.

HOST PORT JID PASSWORD MUC NICK ROOMS PATTERNS
"""

import re
import sys

from twisted.internet import reactor
from twisted.words.protocols.jabber.jid import JID

from xbot.chat.xmpp.wire._wokkel import legacy_twisted

with legacy_twisted():
    from wokkel.client import XMPPClient
    from wokkel.muc import MUCClient

host, port, jid, password, muc, nick, rooms, patterns = sys.argv[1:9]


class Bot(MUCClient):
    commands = [re.compile(rf"{nick}: ping (\w+)", re.I)]  # noqa: RUF012
    commands += [re.compile(rf"{nick}: task{n} (\w+)", re.I) for n in range(int(patterns))]

    def connectionInitialized(self):
        super().connectionInitialized()
        for number in range(int(rooms)):
            self.join(JID(f"room{number}@{muc}"), nick).addErrback(print)

    def receivedGroupChat(self, room, user, message):
        if user is None or user.nick == room.nick or not message.body:
            return
        for command in self.commands:
            found = command.match(message.body)
            if found:
                self.groupChat(room.roomJID, f"pong {found[1]}")
                return


client = XMPPClient(JID(jid), password, host, int(port))
Bot().setHandlerParent(client)
client.startService()
reactor.run()
