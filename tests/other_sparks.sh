#!/usr/bin/env bash
# Runs the tests of the science module and the filter with other versions of Spark, each with its
# packages in a folder of its own: tests/other_sparks.sh FOLDER [NAME ...]. One line a name.
#
# A name is a version of Spark, with the rest of constraints.txt, or other_sparks/NAME.txt, which
# lists all packages. PYTHON names the interpreter: 3.11 for Spark 3.4, which no later one imports.
set -euo pipefail

[ $# -gt 0 ] || { echo "usage: $0 FOLDER [NAME ...]" >&2; exit 2; }
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=$(mkdir -p "$1" && cd "$1" && pwd)
shift
[ $# -gt 0 ] || set -- 3.4.1 3.4.1-numpy1 4.1.4

install() {
  local pip="$env/bin/pip install --quiet --disable-pip-version-check"
  if [ -f "$list" ]; then
    $pip -r "$list" && $pip --no-deps "$root"
  else
    grep -vE "^(pyspark|py4j)==" "$root/constraints.txt" > "$env/constraints.txt"
    $pip -c "$env/constraints.txt" "pyspark==$spark" setuptools pytest "$root[stream,registry,sky]"
  fi
}

failed=0
for name in "$@"; do
  spark=${name%%-*} env="$folder/spark-$name" list="$root/tests/other_sparks/$name.txt"
  log="$env.log"
  # The module needs no connectors: where their folder exists, the session fetches none.
  mkdir -p "$folder/cache/jars/spark-$spark"
  [ -d "$env" ] || "${PYTHON:-python3}" -m venv "$env"
  if ! install > "$log" 2>&1; then
    echo "spark $name: cannot be installed, see $log"
    failed=1
    continue
  fi
  # Warnings of a Spark that this project does not pin are not its errors.
  # From the tests' folder, where Python finds the installed package and not the source tree.
  (cd "$root/tests" && FINK_AL_CACHE="$folder/cache" "$env/bin/python" -m pytest -q -W default \
    -p no:cacheprovider test_processor.py test_fink_filter.py) >> "$log" 2>&1 || failed=1
  "$env/bin/python" - "$(tail -n 1 "$log")" <<'END'
import platform, sys
from importlib.metadata import version
names = "pyspark", "numpy", "pandas", "pyarrow", "scikit-learn"
print(*(f"{name} {version(name)}," for name in names), f"python {platform.python_version()}:", sys.argv[1])
END
done
exit $failed
