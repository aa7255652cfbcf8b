"""A bot on slixmpp, with the plugins that a bot in rooms registers.

HOST PORT JID PASSWORD MUC NICK ROOMS
"""

import asyncio
import re
import ssl
import sys

import slixmpp

host, port, jid, password, muc, nick, rooms = sys.argv[1:8]
COMMAND = re.compile(rf"{nick}: ping (\w+)", re.I)


class Bot(slixmpp.ClientXMPP):
    def __init__(self):
        super().__init__(jid, password)
        for plugin in ("xep_0045", "xep_0198", "xep_0199", "xep_0203"):
            self.register_plugin(plugin)
        self.enable_direct_tls = False
        self.ssl_context.check_hostname = False
        self.ssl_context.verify_mode = ssl.CERT_NONE
        self.add_event_handler("session_start", self.start)
        self.add_event_handler("groupchat_message", self.got_message)

    async def start(self, _):
        self.send_presence()
        for number in range(int(rooms)):
            self.plugin["xep_0045"].join_muc(f"room{number}@{muc}", nick)

    def got_message(self, message):
        if message["mucnick"] == nick or message["delay"]["stamp"]:
            return
        found = COMMAND.match(message["body"])
        if found:
            self.send_message(message["from"].bare, f"pong {found[1]}", mtype="groupchat")


async def main():
    bot = Bot()
    bot.connect(host, int(port))
    await bot.disconnected


asyncio.run(main())
