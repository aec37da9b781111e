# Sourced by bin/demo and bin/test: checks Python and Java, then fills .venv once. $1: extra to install.
# Sets JAVA_HOME and FINK_AL_CACHE; with everything in place it takes no time and no network.

if [ "${1:-}" != all ] && [ "${1:-}" != dev ]; then
  echo "bin/setup.sh wants to know what to install: source bin/setup.sh all (to run) or dev (to test)." >&2
  return 2 2>/dev/null || exit 2 # sourced by hand, an exit would end the shell
fi

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
venv="$root/.venv"
export FINK_AL_CACHE="${FINK_AL_CACHE:-$venv/cache}"

refuse() {
  printf '%s\n' "$1" >&2
  exit 2
}

find_python() {
  local candidate
  for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3}; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  return 1
}

java_version() { # major version of the Java in the folder $1, or nothing
  "$1/bin/java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1
}

find_java() { # folder of a Java that Spark 3.5 and Kafka 4.1 both run on: 17 to 21
  local on_path candidate version
  on_path="$(command -v java || true)"
  [ -z "$on_path" ] || on_path="$(dirname "$(dirname "$(readlink -f "$on_path" 2>/dev/null || echo "$on_path")")")"
  for candidate in "${JAVA_HOME:-}" "$on_path" /usr/lib/jvm/*17* /opt/homebrew/opt/openjdk@17 /usr/local/opt/openjdk@17 "${CONDA_PREFIX:-}"; do
    [ -n "$candidate" ] && [ -x "$candidate/bin/java" ] || continue
    version="$(java_version "$candidate")"
    if [ "${version:-0}" -ge 17 ] && [ "$version" -le 21 ]; then
      printf '%s\n' "$candidate"
      return
    fi
    found="${found:-Java ${version:-of unknown version} in $candidate}"
  done
  printf '%s\n' "${found:-none}" >&2
  return 1
}

python="$(find_python)" || refuse "fink-al needs Python 3.11 to 3.13, found $(python3 --version 2>/dev/null || echo none): install it (Debian: apt install python3.11-venv, macOS: brew install python@3.11, conda: conda create -n fink-al python=3.11) or name it in PYTHON."
found_java="$(find_java 2>&1)" || refuse "fink-al needs Java 17 to 21, found $found_java: install it (Debian: apt install openjdk-17-jre-headless, macOS: brew install openjdk@17, conda: conda install openjdk=17) or name its folder in JAVA_HOME."
export JAVA_HOME="$found_java"

wanted="$(cat "$root/pyproject.toml" "$root/setup.py" "$root/constraints.txt" | cksum)"
stamp="$venv/installed-$1" # what bin/test installs is all that bin/demo needs, too
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] && [ "$(cat "$venv/installed-dev" 2>/dev/null)" != "$wanted" ]; then
  echo "Setting up in $venv (once, a few minutes)" >&2
  [ -x "$venv/bin/python" ] || "$python" -m venv "$venv" ||
    refuse "Python's venv module is missing: install it (Debian: apt install python3.11-venv)."
  pip() { "$venv/bin/python" -m pip --disable-pip-version-check install --quiet --constraint "$root/constraints.txt" "$@"; }
  echo "  1 of 3: Python packages, at the versions of constraints.txt" >&2
  pip setuptools
  pip --no-build-isolation --editable "$root[$1]"
  echo "  2 of 3: Spark's connectors and the Kafka broker, from the Maven repository" >&2
  "$venv/bin/python" -m fink_al.jars
  echo "  3 of 3: compiling features and models" >&2
  "$venv/bin/python" -m fink_al.features
  "$venv/bin/python" -m fink_al.models
  printf '%s\n' "$wanted" >"$stamp"
fi
