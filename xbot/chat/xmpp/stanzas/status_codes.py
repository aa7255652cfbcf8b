"""Status codes of rooms by name (XEP-0045, section 15.6.2).

The names and numbers are those of wokkel's ``STATUS_CODE``, and a test holds them to it.
They are not imported from there: ``wokkel.muc`` brings ``dateutil`` along, and codes are
compared for each presence as the text that stands in the stanza.
"""

from __future__ import annotations

REALJID_PUBLIC = "100"
CONFIGURATION_CHANGED = "104"
SELF_PRESENCE = "110"
ROOM_CREATED = "201"
BANNED = "301"
NEW_NICK = "303"
KICKED = "307"
REMOVED_AFFILIATION = "321"
REMOVED_MEMBERSHIP = "322"
REMOVED_SHUTDOWN = "332"
REMOVED_ERROR = "333"  # wokkel does not know it
