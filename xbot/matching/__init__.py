"""Who a text is addressed to, and which patterns it fits, quickly whatever the text."""
