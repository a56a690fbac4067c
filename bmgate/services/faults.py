"""What may be told of a fault: its kind and its place, never its text, which may quote what a stranger wrote."""

import traceback


def place_of(error: Exception) -> str:
    """Such as `ValueError in data_parts.py:70`."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return type(error).__name__
    file = frames[-1].filename.rpartition("/")[2]
    return f"{type(error).__name__} in {file}:{frames[-1].lineno}"
