"""The C sources themselves: warnings, address and undefined-behaviour sanitizers, valgrind, another processor.

A file `NAME_program.c` beside this one is compiled with all sources that know no Python, and run: it ends with exit
code 0 when all is well. What a program reads from its standard input is made by an entry of `INPUTS`. The nightly
campaign also runs the tests of this folder on an extension built with the sanitizers.
"""

import os
import platform
import random
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from bmgate.native import KNOWN_HASH, NONCE_END, hashlib_search

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "bmgate" / "native").glob("*.c"))
PROGRAMS = sorted(Path(__file__).parent.glob("*_program.c"))
WITH_PYTHON = ("module.c", "keyset.c", "table.c")
STRICT = ["-Wall", "-Wextra", "-Werror", "-Wno-psabi", f"-I{ROOT / 'bmgate' / 'native'}"]
PYTHON = [f"-I{sysconfig.get_path('include')}", "-DPy_LIMITED_API=0x030B0000", '-DBMGATE_BUILD_DIGEST="none"']
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
CROSS = ("aarch64-linux-gnu-gcc", "qemu-aarch64")
OWN_PROGRAMS = ("test_sources.py", "test_keyset_kernels.py")  # compiled apart from the extension
SECONDS = 600

every_program = pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)


def search_lines() -> str:
    """Searches of all sorts for pow_program.c, with what hashlib finds."""
    chance, lines = random.Random(1), []
    for number in range(40):
        initial_hash = KNOWN_HASH if number % 2 else chance.randbytes(64)
        start = chance.choice([number, chance.getrandbits(64), NONCE_END - chance.randint(1, 80)])
        count = min(chance.randint(0, 70), NONCE_END - start)
        target = chance.choice([0, NONCE_END // 40, NONCE_END // 9, NONCE_END - 1])
        nonce, after = hashlib_search(initial_hash, target, start, count, bytearray(1))
        lines.append(f"{initial_hash.hex()} {target} {start} {count} {int(nonce is not None)} {after - start}")
    nonce, after = hashlib_search(KNOWN_HASH, 0, 5, 5_000, bytearray(1))
    return "\n".join([*lines, f"{KNOWN_HASH.hex()} 0 5 5000 0 {after - 5}", ""])


INPUTS: dict[str, Callable[[], str]] = {"pow_program": search_lines}


def tool(name: str) -> str:
    """The path of a program, or a skip."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def run(*command: str | Path, stdin: str = "", **environment: str) -> str:
    """What a command prints; it must succeed."""
    done = subprocess.run(
        [str(part) for part in command],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        cwd=ROOT,
        env=os.environ | environment,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-5000:]}"
    return done.stdout


def without_python() -> list[Path]:
    return [path for path in SOURCES if path.name not in WITH_PYTHON]


def compiled(compiler: str, program: Path, folder: Path, *flags: str) -> Path:
    """An executable of the program and all sources that know no Python."""
    executable = folder / program.stem
    run(compiler, *flags, *STRICT, "-o", executable, program, *without_python(), "-lm")
    return executable


def runs(executable: Path, *before: str) -> str:
    make_input = INPUTS.get(executable.stem, str)
    return run(*before, executable, stdin=make_input())


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_sources_are_free_of_warnings(compiler: str) -> None:
    run(tool(compiler), "-fsyntax-only", *STRICT, *PYTHON, *SOURCES)


@pytest.mark.nightly
@pytest.mark.parametrize("level", ["-O2", "-O3"])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_compiling_gives_no_warnings(compiler: str, level: str, source: Path, tmp_path: Path) -> None:
    run(tool(compiler), level, "-c", *STRICT, *PYTHON, "-o", tmp_path / "object.o", source)


def test_proof_of_work_runs_clean_under_the_sanitizers(tmp_path: Path) -> None:
    """The one program that is compiled in a moment; the nightly campaign takes all."""
    folder = ROOT / "bmgate" / "native"
    executable, program = tmp_path / "pow_program", Path(__file__).with_name("pow_program.c")
    parts = (program, folder / "pow.c", folder / "cpu.c")
    compiler = sanitizing_compiler(tmp_path)
    run(compiler, "-O1", *SANITIZERS, *STRICT, "-o", executable, *parts)
    assert "scalar" in runs(executable)


def sanitizing_compiler(folder: Path) -> str:
    """gcc, where it has the sanitizers' libraries."""
    compiler, probe = tool("gcc"), folder / "probe.c"
    probe.write_text("int main(void) { return 0; }\n")
    command = [compiler, *SANITIZERS, "-o", str(folder / "probe"), str(probe)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("gcc has no sanitizers here (apt-get install libasan8 libubsan1)")
    return compiler


@pytest.mark.nightly
@every_program
def test_programs_run_clean_under_the_sanitizers(program: Path, tmp_path: Path) -> None:
    runs(compiled(sanitizing_compiler(tmp_path), program, tmp_path, "-O1", *SANITIZERS))


@pytest.mark.nightly
@every_program
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_programs_run_clean_under_valgrind(program: Path, compiler: str, tmp_path: Path) -> None:
    """It knows no AVX-512 and says so to the programs, which take lower kernels."""
    valgrind = tool("valgrind")
    executable = compiled(tool(compiler), program, tmp_path, "-O2", "-gdwarf-4")
    runs(executable, valgrind, "--quiet", "--error-exitcode=9", "--leak-check=full")


@pytest.mark.nightly
@every_program
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("level", ["-O2", "-O3"])
def test_programs_run_however_they_are_compiled(program: Path, compiler: str, level: str, tmp_path: Path) -> None:
    runs(compiled(tool(compiler), program, tmp_path, level))


@pytest.mark.nightly
@every_program
@pytest.mark.skipif(platform.machine() == "aarch64", reason="this is an ARM64 processor: nothing to emulate")
def test_programs_run_on_arm64(program: Path, tmp_path: Path) -> None:
    compiler, emulator = (tool(name) for name in CROSS)
    output = runs(compiled(compiler, program, tmp_path, "-O2", "-static"), emulator)
    assert program.stem != "pow_program" or output.startswith("neon2 scalar")


@pytest.mark.nightly
def test_the_extension_runs_clean_under_the_sanitizers(tmp_path: Path) -> None:
    """The tests of this folder that use it, on an extension that watches its memory and its arithmetic."""
    compiler, library = sanitizing_compiler(tmp_path), tmp_path / "lib"
    setup = [sys.executable, "setup.py", "-q", "build", "--build-base", str(tmp_path / "build")]
    flags = " ".join(["-O1", "-g", *SANITIZERS])
    run(*setup, "--build-lib", library, CC=compiler, CFLAGS=flags, LDFLAGS=flags, BMGATE_BUILD_NATIVE="require")
    preload = ":".join(run(compiler, f"-print-file-name={name}").strip() for name in ("libasan.so", "libubsan.so"))
    pytest_ = [sys.executable, "-P", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    environment = {
        "PYTHONPATH": str(library),
        "LD_PRELOAD": preload,
        "ASAN_OPTIONS": "detect_leaks=0",  # Python keeps much until its end
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }
    where = run(sys.executable, "-P", "-c", "import bmgate.native._native as n; print(n.__file__)", **environment)
    assert where.startswith(str(library))
    ignored = [f"--ignore=tests/native/{name}" for name in OWN_PROGRAMS]
    run(*pytest_, "tests/native", *ignored, **environment)
