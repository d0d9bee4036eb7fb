#!/usr/bin/env bash
# Runs clang-format over our C++ sources.
#   format.sh            rewrites what the format would change
#   format.sh --check    lists those files and fails where there is one
# The version is fixed, since versions differ in what they make of a file: 14, the other one of
# Debian 12, does not know how to set a `requires` clause.
set -euo pipefail
cd "$(dirname "$0")/.."
formatter=${CLANG_FORMAT:-clang-format-16}

sources() {  # NUL between names; without git, all in our folders
  git ls-files -z '*.cc' '*.h' 2>/dev/null ||
    find src tests fuzz bench reproduce cmake \( -name '*.cc' -o -name '*.h' \) -print0
}

if [ "${1:-}" != --check ]; then
  sources | xargs -0 "$formatter" -i
  exit
fi
changed=$(sources | xargs -0 "$formatter" --dry-run 2>&1 |
  sed -n 's/^\([^:]*\):[0-9:]* warning: .*-Wclang-format-violations.*/\1/p' | sort -u)
[ -n "$changed" ] || exit 0
echo "$changed"
count=$(wc -l <<<"$changed")
echo "distal: $count files are not in the format of .clang-format. Write them: make format" >&2
exit 1
