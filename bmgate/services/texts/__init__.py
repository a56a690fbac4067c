"""Messages as texts, for programs that know no mailboxes: what came, what was sent, sending one."""
