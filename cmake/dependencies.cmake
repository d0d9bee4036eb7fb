# The only list of what distal needs. Included by the build it finds each entry; run as a script,
#   cmake -P cmake/dependencies.cmake           prints the Debian packages
#   cmake -DWHEELS=1 -P cmake/dependencies.cmake    prints the Python wheels that carry C++ libraries
# Debian 12 (bookworm) has every package at the version named here or newer.
set(DISTAL_DEBIAN
  ninja-build ccache pkg-config unzip python3-pip          # tools
  libavcodec-dev libavformat-dev libavutil-dev libswscale-dev   # video: FFmpeg 5.1
  libsoci-dev libsqlite3-dev                               # store: SOCI 4.0 over SQLite 3.40
  libyaml-cpp-dev nlohmann-json3-dev libcli11-dev          # recipes, JSON, command line
  libfmt-dev                                               # text (header only: LibTorch carries another version)
  libcpp-httplib-dev libssl-dev                            # teachers behind HTTP
  libgtest-dev libgmock-dev libbenchmark-dev)              # tests and benches
set(DISTAL_WHEELS torch==2.13.0 openvino==2026.4.1)        # C++ headers, libraries and CMake packages inside

if(CMAKE_SCRIPT_MODE_FILE)
  if(WHEELS)
    list(JOIN DISTAL_WHEELS "\n" text)
  else()
    list(JOIN DISTAL_DEBIAN "\n" text)
  endif()
  execute_process(COMMAND ${CMAKE_COMMAND} -E echo "${text}")
  return()
endif()

# cmake/setup.sh unpacks the wheels here; Torch_DIR, OpenVINO_DIR or CMAKE_PREFIX_PATH of the user win.
set(DISTAL_DEPS ${CMAKE_SOURCE_DIR}/.deps)
list(APPEND CMAKE_PREFIX_PATH ${DISTAL_DEPS}/torch ${DISTAL_DEPS}/openvino/cmake)

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(Torch 2.5 REQUIRED)
find_package(OpenVINO QUIET COMPONENTS Runtime)
pkg_check_modules(FFmpeg REQUIRED IMPORTED_TARGET libavcodec>=59 libavformat>=59 libavutil>=57 libswscale>=6)
pkg_check_modules(Httplib REQUIRED IMPORTED_TARGET cpp-httplib)  # its defines belong to the ABI of the library
find_package(SQLite3 3.40 REQUIRED)
find_library(SOCI_CORE soci_core REQUIRED)
find_library(SOCI_SQLITE3 soci_sqlite3 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(CLI11 REQUIRED)
find_package(fmt REQUIRED)
find_package(OpenSSL REQUIRED)
