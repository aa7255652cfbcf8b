"""Multi-user chat (XEP-0045): one state machine for each room, invitations, self-ping."""
