#!/usr/bin/env bash
# Installs what cmake/dependencies.cmake lists: Debian packages (as root or through sudo) and the wheels, unpacked
# into .deps/ of this checkout. `setup.sh fuzz` and `setup.sh tidy` install what `make fuzz` and
# `make tidy` need too; `setup.sh style` installs what `make format` needs and nothing else. Quiet
# and quick when everything is there.
# A Torch_DIR, OpenVINO_DIR or CMAKE_PREFIX_PATH in the environment wins: what it names is not fetched.
# Plain pip offers two builds of torch for x86-64 Linux: one with CUDA, of about a gigabyte, under the bare version, and one
# for processors, the same version with +cpu behind it, from an index of its own. We ask for that one first; for pip to find it,
# PIP_EXTRA_INDEX_URL (or PIP_INDEX_URL) names the index that PyTorch's installation page shows for "CPU", or PIP_FIND_LINKS a
# folder with the wheel.
set -euo pipefail
cd "$(dirname "$0")/.."
most_megabytes=400  # of a wheel; the build for processors has 190

install_packages() {
  local missing=() as_root=() line package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  line="apt-get install -y --no-install-recommends ${missing[*]}"
  if [ "$(id -u)" != 0 ]; then
    if sudo -n true 2>/dev/null; then as_root=(sudo); else
      echo "distal needs Debian packages and may not install them here. Run as root, then make again:" >&2
      echo "  apt-get update && $line" >&2
      exit 1
    fi
  fi
  echo "installing ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive $line >/dev/null
}

fetch() {  # WHEEL FOLDER
  case "$1" in
    torch==*) python3 -m pip download --quiet --no-deps --dest "$2" "$1+cpu" 2>/dev/null && return ;;
  esac
  python3 -m pip download --quiet --no-deps --dest "$2" "$1"
}

require_small() {  # WHEEL FILE
  local megabytes=$(($(stat -c %s "$2") / 1000000))
  [ "$megabytes" -gt "$most_megabytes" ] || return 0
  echo "distal: the wheel that pip chose for $1 has $megabytes MB: a build with CUDA, which distal does not use." >&2
  echo "Name the index that PyTorch's installation page shows for \"CPU\", or a LibTorch you have, and make again:" >&2
  echo "  PIP_EXTRA_INDEX_URL=INDEX make      or      Torch_DIR=LIBTORCH/share/cmake/Torch make" >&2
  exit 1
}

command -v cmake >/dev/null || install_packages cmake  # which reads the list
if [ "${1:-}" = style ]; then
  install_packages $(cmake -DFOR=style -P cmake/dependencies.cmake)
  exit
fi
packages=$(cmake -P cmake/dependencies.cmake)
[ -z "${1:-}" ] || packages="$packages $(cmake "-DFOR=$1" -P cmake/dependencies.cmake)"
install_packages $packages

wheels=$(cmake -DWHEELS=1 -P cmake/dependencies.cmake)
mkdir -p .deps
for wheel in $wheels; do
  name=${wheel%%==*}
  [ "$(cat ".deps/$name.version" 2>/dev/null)" = "$wheel" ] && continue
  echo "unpacking $wheel"
  fetched=$(mktemp -d)
  trap 'rm -rf "$fetched"' EXIT
  fetch "$wheel" "$fetched"
  require_small "$wheel" "$fetched"/*.whl
  rm -rf ".deps/$name" ".deps/$name.libs"
  unzip -q -o "$fetched"/*.whl -d .deps
  rm -rf "$fetched"
  echo "$wheel" >".deps/$name.version"
done
