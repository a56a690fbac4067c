"""Files of other programs: reading what they wrote, and writing what they read."""
