"""bmgate: a Bitmessage node with IMAP, POP3 and SMTP in front."""

__version__ = "0.1.0"
