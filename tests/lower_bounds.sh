#!/usr/bin/env bash
# Installs the lowest version of each dependency that pyproject.toml allows, all at once, and runs the
# tests that need no JVM: tests/lower_bounds.sh FOLDER [ARGUMENT OF PYTEST ...].
#
# What they need in turn is the newest that fits. PYTHON names the interpreter, by default 3.11.
set -euo pipefail

[ $# -gt 0 ] || { echo "usage: $0 FOLDER [ARGUMENT OF PYTEST ...]" >&2; exit 2; }
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=$(mkdir -p "$1" && cd "$1" && pwd)
shift
python="${PYTHON:-python3.11}"
unset PYTHONPATH

"$python" - "$root/pyproject.toml" >"$folder/lowest.txt" <<'END'
import re, sys, tomllib

project = tomllib.load(open(sys.argv[1], "rb"))["project"]
extras = [asked for name, asked in project["optional-dependencies"].items() if name != "dev"]
for asked in sorted({*project["dependencies"], *sum(extras, [])}):
    if bound := re.match(r"([\w-]+)>=([\w.]+)[^;]*(;.*)?", asked):
        name, version, condition = bound.groups()
        print(f"{name}=={version}{condition or ''}")
END
grep -E "^(pytest|hypothesis|psutil)==" "$root/constraints.txt" >"$folder/tests.txt"

rm -rf "$folder/venv" "$folder/source"
"$python" -m venv "$folder/venv"
mkdir "$folder/source" # copied, so that a build leaves nothing in the source tree
(cd "$root" && cp -r pyproject.toml setup.py README.md LICENSE fink_al conf data bin "$folder/source")
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check -c "$folder/lowest.txt" \
  -r "$folder/tests.txt" setuptools "$folder/source[all]"
rm -rf "$folder/source"

export FINK_AL_CACHE="$folder/cache"
"$folder/venv/bin/fink-al" --help >/dev/null
(cd "$folder" && venv/bin/python - <<'END')
import pkgutil, importlib, warnings
import fink_al

warnings.simplefilter("ignore")
for module in pkgutil.walk_packages(fink_al.__path__, "fink_al."):
    # bin/ and data/ are commands, and so is what begins with underscores.
    if module.name.split(".")[1] not in ("bin", "data") and "__main__" not in module.name:
        importlib.import_module(module.name)
END
# Two files need fink-client, which asks for newer versions than these. Warnings of versions that this
# project does not pin are not its errors.
cd "$root"
"$folder/venv/bin/python" -m pytest -q -W default -p no:cacheprovider -m "not spark and not kafka" \
  --ignore=tests/e2e --ignore=tests/followup/test_fink_client.py "$@"
