"""Mailboxes of an account: what IMAP and POP3 ask for, the rules of some of them, the status shown in Sent."""
