"""The native extension, which setup.cfg cannot declare; everything else about the package is there.

BMGATE_BUILD_NATIVE = auto (default: no compiler, no extension) | require (a failed build fails the install) | off.
"""

import hashlib
import os
from pathlib import Path

from setuptools import Extension, setup

FOLDER = Path("bmgate/native")
SOURCES = sorted(path.as_posix() for pattern in ("*.c", "*.h") for path in FOLDER.glob(pattern))
DIGEST = hashlib.sha256(b"".join(Path(path).read_bytes() for path in SOURCES)).hexdigest()[:16]

switch = os.environ.get("BMGATE_BUILD_NATIVE", "auto")
if switch not in ("auto", "require", "off"):
    raise SystemExit(f"BMGATE_BUILD_NATIVE is {switch!r}, hoped for auto, require or off")
flags = [] if os.name == "nt" else ["-Wall", "-Wextra", "-Wno-psabi", "-O3"]
native = Extension(
    "bmgate.native._native",
    sources=[path for path in SOURCES if path.endswith(".c")],
    depends=[path for path in SOURCES if path.endswith(".h")],
    define_macros=[("Py_LIMITED_API", "0x030B0000"), ("BMGATE_BUILD_DIGEST", f'"{DIGEST}"')],
    extra_compile_args=flags,
    py_limited_api=True,
    optional=switch == "auto",
)
setup(ext_modules=[] if switch == "off" else [native])
