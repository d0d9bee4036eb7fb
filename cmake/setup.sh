#!/usr/bin/env bash
# Installs what cmake/dependencies.cmake lists: Debian packages (as root or through sudo) and the wheels, unpacked
# into .deps/ of this checkout. Quiet and quick when everything is there.
set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -t packages < <(cmake -P cmake/dependencies.cmake)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  line="apt-get install -y --no-install-recommends ${missing[*]}"
  if [ "$(id -u)" = 0 ]; then as_root=(); elif sudo -n true 2>/dev/null; then as_root=(sudo); else
    echo "distal needs Debian packages and may not install them here. Run as root, then make again:" >&2
    echo "  apt-get update && $line" >&2
    exit 1
  fi
  echo "installing ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" $line >/dev/null
fi

mapfile -t wheels < <(cmake -DWHEELS=1 -P cmake/dependencies.cmake)
mkdir -p .deps
for wheel in "${wheels[@]}"; do
  name=${wheel%%==*}
  case "$name" in
    torch) [ -n "${Torch_DIR:-}" ] && continue ;;
    openvino) [ -n "${OpenVINO_DIR:-}" ] && continue ;;
  esac
  [ "$(cat ".deps/$name.version" 2>/dev/null)" = "$wheel" ] && continue
  echo "unpacking $wheel"
  fetched=$(mktemp -d)
  trap 'rm -rf "$fetched"' EXIT
  python3 -m pip download --quiet --no-deps --dest "$fetched" "$wheel"
  rm -rf ".deps/$name" ".deps/$name.libs"
  unzip -q -o "$fetched"/*.whl -d .deps
  rm -rf "$fetched"
  echo "$wheel" >".deps/$name.version"
done
