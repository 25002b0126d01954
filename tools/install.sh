#!/bin/sh
# Make .venv and install one extra of this project into it: tools/install.sh demo|dev
# Does nothing when pyproject.toml and constraints.txt are as they were at the last install.
set -eu
cd "$(dirname "$0")/.."
extra=$1
venv=.venv
log=$venv/install.log

fit='import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'
if [ ! -x "$venv/bin/python" ]; then
    python=
    for candidate in ${PYTHON:-} python3.11 python3.12 python3.13 python3 python; do
        if "$candidate" -c "$fit" >/dev/null 2>&1; then
            python=$candidate
            break
        fi
    done
    if [ -z "$python" ]; then
        echo "dpsynth needs Python 3.11, 3.12 or 3.13 with its venv module, and none was found on" \
            "PATH; install one (on Debian also python3-venv), or name it: make $extra PYTHON=/path/to/python3.12" >&2
        exit 6
    fi
    echo "==> creating $venv with $("$python" --version 2>&1)"
    "$python" -m venv "$venv"
fi

version=$("$venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
wanted="$version $(cat pyproject.toml constraints.txt | cksum)"
for done in "$extra" dev; do # dev includes all that demo needs
    if [ "$(cat "$venv/.installed-$done" 2>/dev/null || true)" = "$wanted" ]; then
        exit 0
    fi
done

# constraints.txt is the exact set that CI uses; it was resolved on Python 3.11.
exact=
if [ "$version" = 3.11 ]; then exact="--constraint constraints.txt"; fi
echo "==> installing dpsynth[$extra] into $venv (first time: a few minutes)"
# shellcheck disable=SC2086  # $exact is two words or none
if ! "$venv/bin/python" -m pip install --quiet --disable-pip-version-check $exact \
    --editable ".[$extra]" >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "the installation failed; its full log is in $log" >&2
    exit 6
fi
echo "$wanted" >"$venv/.installed-$extra"
echo "==> installed"
