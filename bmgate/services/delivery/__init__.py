"""From a recognised message to a mail in a mailbox, with what is decided about its sender on the way."""
