from twisted.application.service import ServiceMaker

xbot = ServiceMaker("xbot", "xbot.tap", "The chat-bot daemon for XMPP.", "xbot")
