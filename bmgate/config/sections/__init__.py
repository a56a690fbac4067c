"""The sections of `gateway.ini`: every setting's type, its default as the file says it, and what explains it."""
