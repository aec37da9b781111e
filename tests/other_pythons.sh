#!/usr/bin/env bash
# Tries README's commands with each Python that the package promises, in a fresh environment:
# tests/other_pythons.sh FOLDER [VERSION ...]. One line a version; one that the machine lacks is named.
#
# The demo starts stream and nightly job as README does. A version is python3.N, or pyenv's.
set -euo pipefail

[ $# -gt 0 ] || { echo "usage: $0 FOLDER [VERSION ...]" >&2; exit 2; }
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=$(mkdir -p "$1" && cd "$1" && pwd)
shift
[ $# -gt 0 ] || set -- 3.11 3.12 3.13

find_python() { # a shim of pyenv may exist for a version that is not there
  local candidate
  for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python; do
    "$candidate" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$1')" 2>/dev/null || continue
    command -v "$candidate"
    return
  done
  return 1
}

commands() { # each must end well; the source tree is copied, so that a build leaves nothing in it
  rm -rf "$env" && "$python" -m venv "$env/venv" || return
  mkdir "$env/source" "$env/elsewhere" || return
  (cd "$root" && cp -r pyproject.toml setup.py constraints.txt README.md LICENSE fink_al conf data bin "$env/source") || return
  (cd "$env/source" && "$env/venv/bin/pip" install --quiet -c constraints.txt '.[all]') || return
  cd "$env/elsewhere" || return
  "$fink_al" demo --nights 2 --alerts-per-night 200 --folder demo || return
  "$fink_al" train --config demo/fink_al.yml || return
  "$fink_al" model list --config demo/fink_al.yml || return
  "$fink_al" candidates --config demo/fink_al.yml
}

failed=0
for version in "$@"; do
  if ! python=$(find_python "$version"); then
    echo "python $version: not tried, this machine has none"
    continue
  fi
  env="$folder/python-$version" fink_al="$folder/python-$version/venv/bin/fink-al"
  if (export FINK_AL_CACHE="$folder/cache"; unset PYTHONPATH; commands) >"$env.log" 2>&1; then
    echo "$("$python" --version): README's commands work"
  else
    echo "$("$python" --version): failed, see $env.log: $(tail -n 1 "$env.log")"
    failed=1
  fi
done
exit $failed
