// A bot on @xmpp/client. HOST PORT JID PASSWORD MUC NICK ROOMS
import { createRequire } from "node:module";

const require = createRequire(process.env.PEER_MODULES + "/");
const { client, xml } = await import(require.resolve("@xmpp/client"));

const [host, port, jid, password, muc, nick, rooms] = process.argv.slice(2);
const [username, domain] = jid.split("/")[0].split("@");
const command = new RegExp(`^${nick}: ping (\\w+)`, "i");

const xmpp = client({
  service: `xmpp://${host}:${port}`,
  domain,
  username,
  password,
  resource: jid.split("/")[1],
});

xmpp.on("error", (error) => console.error(error));
xmpp.on("stanza", (stanza) => {
  if (!stanza.is("message") || stanza.attrs.type !== "groupchat") return;
  const [room, speaker] = stanza.attrs.from.split("/");
  if (!speaker || speaker === nick || stanza.getChild("delay", "urn:xmpp:delay")) return;
  const found = command.exec(stanza.getChildText("body") ?? "");
  if (found) {
    const body = xml("body", {}, `pong ${found[1]}`);
    xmpp.send(xml("message", { type: "groupchat", to: room }, body));
  }
});
xmpp.on("online", async () => {
  await xmpp.send(xml("presence"));
  for (let number = 0; number < Number(rooms); number++) {
    const to = `room${number}@${muc}/${nick}`;
    xmpp.send(xml("presence", { to }, xml("x", { xmlns: "http://jabber.org/protocol/muc" })));
  }
});
xmpp.start().catch(console.error);
