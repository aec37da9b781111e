#!/usr/bin/env bash
# Runs the tests of the science module and the filter with other versions of Spark, each with its
# packages in a folder of its own: tests/other_sparks.sh FOLDER [VERSION ...]. One line a version.
set -euo pipefail

[ $# -gt 0 ] || { echo "usage: $0 FOLDER [VERSION ...]" >&2; exit 2; }
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=$(mkdir -p "$1" && cd "$1" && pwd)
shift
[ $# -gt 0 ] || set -- 3.4.1 3.4.1-numpy1 4.1.4

failed=0
for name in "$@"; do
  spark=${name%%-*}
  env="$folder/spark-$name"
  log="$folder/spark-$name.log"
  pins="$folder/spark-$name.txt"
  # The project's pins, less what other versions need otherwise: conf of the version, with reasons.
  other="$root/tests/other_sparks/$name.txt"
  [ -f "$other" ] || other=/dev/null
  names=$(sed -n 's/^\([A-Za-z0-9_.-]*\)==.*/\1/p' "$other" | paste -sd'|')
  grep -vE "^(pyspark|py4j${names:+|$names})==" "$root/constraints.txt" > "$pins"
  cat "$other" >> "$pins"
  # The module needs no connectors: an empty folder in the cache keeps the session from fetching.
  mkdir -p "$folder/cache/jars/spark-$spark"
  if {
    [ -d "$env" ] || "${PYTHON:-python3}" -m venv "$env"
    "$env/bin/pip" install -q -c "$pins" "pyspark==$spark" setuptools pytest \
      $(grep -q '^numpy==1' "$other" && echo --no-deps) "$root[stream,registry]"
  } > "$log" 2>&1 &&
    (cd "$root" && FINK_AL_CACHE="$folder/cache" "$env/bin/python" -m pytest -q -p no:cacheprovider \
      tests/test_processor.py tests/test_fink_filter.py >> "$log" 2>&1)
  then result=$(tail -n 1 "$log"); else result="FAILED: $(tail -n 1 "$log")"; failed=1; fi
  versions=$("$env/bin/python" -c "
from importlib.metadata import version
import platform
names = 'numpy', 'pandas', 'pyarrow', 'scikit-learn', 'fink_utils'
print(f'python {platform.python_version()},', ', '.join(f'{n} {version(n)}' for n in names))
" 2>/dev/null || echo "not installed")
  echo "pyspark $spark ($versions): $result"
done
exit $failed
