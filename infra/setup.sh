#!/bin/sh
# Makes .venv with exactly what uv.lock says. Needs Python 3.11 or 3.12 with pip, and a package index; nothing else.
#   PYTHON=python3.12 infra/setup.sh     another interpreter
#   LIAX_EXTRAS="--extra registry"       fewer packages (default: all of them)
set -eu
cd "$(dirname "$0")/.."
UV_VERSION=0.13.9
python=${PYTHON:-python3}
# Bars and names of packages for a person who watches; only our own lines in a log.
if [ -t 2 ]; then quiet=; else quiet=--quiet; fi
export PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1
say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

stamp=$(cat uv.lock pyproject.toml infra/setup.sh | cksum | tr -d ' ')-${LIAX_EXTRAS:-all}
if [ -x .venv/bin/liax ] && [ "$(cat .venv/liax-stamp 2>/dev/null)" = "$stamp" ]; then exit 0; fi

"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null ||
    fail "needs Python 3.11 (or 3.12, untested), but '$python' is not one: set PYTHON=/path/to/python3.11"
"$python" -m pip --version >/dev/null 2>&1 || fail "'$python' has no pip: install it (Debian: apt-get install python3-pip)"

# uv into a folder of its own: works where there is no venv module and where pip refuses to touch the system's Python.
if [ ! -x ".setup/uv-$UV_VERSION/bin/uv" ]; then
    say "fetching uv $UV_VERSION"
    "$python" -m pip install --quiet --target ".setup/uv-$UV_VERSION" "uv==$UV_VERSION" ||
        fail "could not fetch uv from the package index (see above)"
fi
uv=$PWD/.setup/uv-$UV_VERSION/bin/uv
[ -x .venv/bin/python ] || "$uv" venv --quiet --seed --python "$python" .venv

# PyTorch first and by pip, because pip heeds the index and wheel folders that this machine is configured with, a CPU
# build among them; a CUDA build comes with several GB of libraries. The version is the lock's.
torch=$(sed -n '/^name = "torch"$/{n;s/version = "\(.*\)"/\1/p;q;}' uv.lock)
if ! .venv/bin/python -c "import torch, sys; sys.exit(torch.__version__.split('+')[0] != '$torch')" 2>/dev/null; then
    say "installing PyTorch $torch (on a machine without a GPU, PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu picks the small CPU build)"
    # shellcheck disable=SC2086
    .venv/bin/python -m pip install $quiet "torch==$torch" ||
        fail "PyTorch could not be installed (see above)"
fi

# Compiled now: each of Ray's many processes would compile it anew where the environment says
# PYTHONDONTWRITEBYTECODE, as in many containers. `import ray.data` then takes 7 s instead of 2.
say "installing what uv.lock lists"
# shellcheck disable=SC2086
"$uv" sync $quiet --compile-bytecode --frozen --inexact --no-install-package torch ${LIAX_EXTRAS:---all-extras --all-groups} ||
    fail "not everything in uv.lock could be installed (see above)"
printf '%s' "$stamp" >.venv/liax-stamp
say "done: .venv/bin/liax"
