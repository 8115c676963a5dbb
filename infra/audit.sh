#!/bin/sh
# Asks the package index whether a version in uv.lock has a known vulnerability. Fails if one has.
#   infra/audit.sh [--ignore-vuln ID …]     what else pip-audit takes
# Many mirrors have no advisories, and would call everything sound. So it first asks for those of a version that is known
# to have some, and where none come it says that nothing was audited.
set -eu
cd "$(dirname "$0")/.."
INDEX=${AUDIT_INDEX:-https://pypi.org/pypi}
KNOWN=requests/2.19.0  # CVE-2018-18074
say() { printf 'audit: %s\n' "$*" >&2; }

if .venv/bin/python - "$INDEX/$KNOWN/json" <<'PYTHON'
import json, sys, urllib.request
try:
    with urllib.request.urlopen(sys.argv[1], timeout=20) as answer:
        found = json.load(answer).get("vulnerabilities")
except (OSError, ValueError) as error:
    print(f"audit: {sys.argv[1]}: {error}", file=sys.stderr)
    found = None
sys.exit(0 if found else 3)
PYTHON
then
    status=0
else
    status=$?
fi
if [ "$status" = 3 ]; then
    say "NOT AUDITED: the advisories of $INDEX are not within reach; run it again where they are"
    exit 0
fi
[ "$status" = 0 ] || exit "$status"
locked=$(mktemp)
trap 'rm -f "$locked"' EXIT
uv=$(ls .setup/uv-*/bin/uv | tail -1)
"$uv" export --quiet --frozen --all-extras --all-groups --no-hashes --no-emit-project >"$locked"
.venv/bin/python -m pip_audit --requirement "$locked" --no-deps --disable-pip --progress-spinner off "$@"
