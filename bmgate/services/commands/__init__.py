"""Mail commands: what the owner of an account orders by mail to `bmgate@D` (1.4)."""
