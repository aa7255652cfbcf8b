"""Sphinx: ``make docs`` builds the pages as HTML and the manual pages, without a warning."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_extensions")]

import xbot  # noqa: E402

project = "xbot"
author = "the xbot developers"
version = release = xbot.__version__
extensions = ["myst_parser", "ini_reference"]
exclude_patterns = ["_*", "examples"]
# The manual pages list what there is, and what it is, in definition lists.
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"xbot {release}"
# No font, script or picture comes from anywhere else.
html_theme_options = {"source_repository": "", "footer_icons": []}
man_pages = [
    ("man/xbot.8", "xbot", "the chat-bot daemon for XMPP", author, 8),
    ("man/xbot.ini.5", "xbot.ini", "configuration of xbot", author, 5),
]
man_show_urls = True
