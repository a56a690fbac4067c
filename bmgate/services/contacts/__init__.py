"""What an account thinks of others: contacts, Requests, Junk."""
