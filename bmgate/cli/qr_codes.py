"""QR codes in files. An address with its label fits easily; error correction of 15 % survives a crease or a stain."""

from pathlib import Path

import segno

SCALE = 8  # pixels a module: a side of some 300 pixels


def write_png(text: str, path: Path) -> None:
    """A picture, black on white."""
    segno.make(text, error="m", micro=False).save(str(path), kind="png", scale=SCALE)


def write_svg(text: str, path: Path) -> None:
    """A drawing, black on white."""
    segno.make(text, error="m", micro=False).save(str(path), kind="svg", scale=SCALE, light="white", xmldecl=False)
