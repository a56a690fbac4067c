# Finding a Python and making an environment with it: shared by deploy/quickstart and tests/run, which source it.
# Expects $root (the checkout) and bash with `set -euo pipefail`.

PYTHONS="python3.13 python3.12 python3.11 python3 python"

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

# The first Python 3.11 to 3.13 that can make environments; empty when there is none.
find_python() {
    local name
    for name in $PYTHONS; do
        if "$name" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
            >/dev/null 2>&1; then
            command -v "$name"
            return
        fi
    done
}

# What to do about a machine without a fitting Python, in one line.
explain_missing_python() {
    local name version
    for name in $PYTHONS; do
        version="$("$name" -c 'import sys; v = sys.version_info[:2]
print("%d.%d" % v if (3, 11) <= v <= (3, 13) else "")' 2>/dev/null || true)"
        if [ -n "$version" ]; then
            fail "Python $version is here without its venv module. Install it: apt-get install python$version-venv"
        fi
    done
    if command -v apt-get >/dev/null; then
        fail "bmgate needs Python 3.11, 3.12 or 3.13. Install one: apt-get install python3 python3-venv" \
            "Where that is another version: install uv (https://docs.astral.sh/uv/) and run this again."
    fi
    fail "bmgate needs Python 3.11, 3.12 or 3.13. Install one, or uv (https://docs.astral.sh/uv/), and run this again."
}

has_compiler() {
    command -v "${CC:-cc}" >/dev/null || command -v gcc >/dev/null || command -v clang >/dev/null
}

# What an environment in folder $1 depends on besides the Python sources, which it uses in place.
fingerprint() {
    local compiler=no
    if has_compiler; then compiler=yes; fi
    printf '%s compiler=%s ' "$1" "$compiler"
    (cd "$root" && cat deploy/requirements.lock setup.cfg setup.py pyproject.toml bmgate/native/*.[ch] | cksum)
}

is_current() {
    [ -x "$1/bin/python" ] && [ -f "$1/stamp" ] && [ "$(cat "$1/stamp")" = "$(fingerprint "$1")" ]
}

# An environment in folder $1: the one that is there if it works and was made at this place, else an empty one.
make_environment() {
    local python
    if "$1/bin/python" -m pip --version >/dev/null 2>&1 && grep -qF -- "$1" "$1/bin/activate"; then
        return
    fi
    python="$(find_python)"
    if [ -n "$python" ]; then
        "$python" -m venv --clear "$1"
    elif command -v uv >/dev/null; then
        rm -rf "$1"
        uv venv --quiet --seed --python 3.13 "$1"
    else
        explain_missing_python
    fi
}

# Install into environment $1: the pinned dependencies, then bmgate in place with extras $2 ("" or "[name]").
install_bmgate() {
    local pip=("$1/bin/python" -m pip --quiet --disable-pip-version-check --no-input)
    "${pip[@]}" install --use-pep517 --require-hashes -r "$root/deploy/requirements.lock"
    if [ -z "$2" ]; then
        "${pip[@]}" install --no-build-isolation --no-deps -e "$root"
    else
        "${pip[@]}" install --no-build-isolation -e "$root$2"
    fi
    fingerprint "$1" >"$1/stamp"
}
