#!/usr/bin/env bash
# Installs what cmake/dependencies.cmake lists: Debian packages (as root or through sudo), the wheels and the npm packages,
# unpacked into .deps/ of this checkout. `setup.sh fuzz`, `setup.sh tidy` and `setup.sh test` install what `make fuzz`,
# `make tidy` and `make test` need too; `setup.sh style` installs what `make format` needs and nothing else. Quiet
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

# Headers of source archives: .deps/NAME/include, and the licences beside them. distal builds without them too, so that pip
# does not try again and again where there is no network. What is there stands in .deps/sources: the build configures itself
# anew when that changes.
[ -e .deps/sources ] || : >.deps/sources
for source in $(cmake -DSOURCES=1 -P cmake/dependencies.cmake); do
  name=${source%%==*}
  [ "$(cat ".deps/$name.version" 2>/dev/null)" = "$source" ] && continue
  echo "unpacking $source"
  fetched=$(mktemp -d)
  trap 'rm -rf "$fetched"' EXIT
  if ! python3 -m pip download --quiet --retries 0 --timeout 10 --no-deps --no-binary :all: --dest "$fetched" "$source"; then
    echo "distal: $source cannot be had; the build goes on without what needs it (cmake/dependencies.cmake)" >&2
    rm -rf "$fetched"
    continue
  fi
  rm -rf ".deps/$name"
  mkdir -p ".deps/$name"
  tar -xzf "$fetched"/*.tar.gz -C "$fetched" --no-same-owner
  cp -r "$fetched"/*/src/"$name"/include "$fetched"/*/src/"$name"/licenses ".deps/$name/"
  rm -rf "$fetched"
  echo "$source" >".deps/$name.version"
  echo "$source" >>.deps/sources
done
# Python packages of tests: .deps/python. A test that needs them is skipped without them.
if [ "${1:-}" = test ]; then
  python_packages=$(cmake -DPYTHON=test -P cmake/dependencies.cmake)
  if [ "$(cat .deps/python.version 2>/dev/null)" != "$python_packages" ]; then
    echo "unpacking Python packages of tests"
    rm -rf .deps/python.new
    if python3 -m pip install --quiet --retries 0 --timeout 10 --target .deps/python.new $python_packages; then
      rm -rf .deps/python
      mv .deps/python.new .deps/python
      echo "$python_packages" >.deps/python.version
    else
      rm -rf .deps/python.new
      echo "distal: Python packages of tests cannot be had; what needs them is skipped" >&2
    fi
  fi
fi

# npm checks the sums that package-lock.json names. Node.js from elsewhere than Debian brings npm along.
if ! cmp -s cmake/npm/package-lock.json .deps/npm/complete; then
  command -v npm >/dev/null || install_packages nodejs npm
  echo "unpacking npm packages"
  rm -rf .deps/npm.new
  mkdir .deps/npm.new
  cp cmake/npm/package.json cmake/npm/package-lock.json .deps/npm.new
  npm ci --prefix .deps/npm.new --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
  cp cmake/npm/package-lock.json .deps/npm.new/complete
  rm -rf .deps/npm
  mv .deps/npm.new .deps/npm
fi
