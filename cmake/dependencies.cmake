# The only list of what distal needs. Included by the build it finds each entry; run as a script,
#   cmake -P cmake/dependencies.cmake           prints the Debian packages
#   cmake -DFOR=fuzz -P cmake/dependencies.cmake    prints those of `make fuzz`; so for style, test, tidy
#   cmake -DWHEELS=1 -P cmake/dependencies.cmake    prints the Python wheels that carry C++ libraries, but for those the user has
#   cmake -DPYTHON=test -P cmake/dependencies.cmake prints the Python packages of `make test`
#   cmake -DSOURCES=1 -P cmake/dependencies.cmake   prints the Python source archives that carry headers
# npm packages, of the page that `distal serve` shows: npm/package.json; their sums: npm/package-lock.json.
# Debian 12 (bookworm) has every package at the version named here or newer.
set(DISTAL_DEBIAN
  g++ cmake ninja-build ccache pkg-config unzip python3-pip     # tools
  libavcodec-dev libavformat-dev libavutil-dev libswscale-dev   # video: FFmpeg 5.1
  libsoci-dev libsqlite3-dev                               # store: SOCI 4.0 over SQLite 3.40
  libyaml-cpp-dev nlohmann-json3-dev libcli11-dev          # recipes, JSON, command line
  libfmt-dev libre2-dev                                    # text, regular expressions in linear time
  libpugixml-dev                                           # XML of other tools
  libboost-dev                                             # Boost.Math 1.74, headers only: Student's t
  libcpp-httplib-dev libssl-dev                            # teachers behind HTTP, the server of people
  libsodium-dev                                            # passwords and tokens
  zlib1g-dev                                               # the images of reproduce/
  libgtest-dev libgmock-dev libbenchmark-dev ffmpeg)       # tests and benches
# `make fuzz` and `make asan`: libFuzzer, and names in reports. `make format`, and the lengths of
# functions in tests/style_test.py. `make tidy`. `make test`: the browser of tests/page_test.py,
# scikit-learn and SciPy for tests/evaluate_check.py.
set(DISTAL_DEBIAN_fuzz clang-16 libclang-rt-16-dev llvm-16)
set(DISTAL_DEBIAN_style clang-format-16 universal-ctags)
set(DISTAL_DEBIAN_tidy clang-tidy-16)
set(DISTAL_DEBIAN_test chromium python3-sklearn python3-scipy)
set(DISTAL_WHEELS torch==2.13.0 openvino==2026.4.1)        # C++ headers, libraries and CMake packages inside
# Python packages of `make test` beside the wheels: what tests/networks_test.py needs to write networks with PyTorch, and
# tests/export_reader_test.py to read videos and run graphs.
set(DISTAL_PYTHON_test av==18.1.0 filelock fsspec jinja2 mpmath networkx numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0 sympy typing_extensions)
set(DISTAL_SOURCES assorthead==0.2.2)                      # headers of umappp, knncolle, irlba, Eigen: UMAP; without them no UMAP

# cmake/setup.sh unpacks the wheels, the headers and the npm packages here.
cmake_path(SET DISTAL_DEPS NORMALIZE ${CMAKE_CURRENT_LIST_DIR}/../.deps)
set(DISTAL_NPM ${DISTAL_DEPS}/npm/node_modules)

# Whether the user names a PACKAGE of their own: by PACKAGE_DIR, or by a CMAKE_PREFIX_PATH where its PACKAGEConfig.cmake lies;
# each as a variable or in the environment.
function(distal_users_own package out)
  set(found FALSE)
  if(${package}_DIR)
    cmake_path(IS_PREFIX DISTAL_DEPS "${${package}_DIR}" NORMALIZE ours)  # found by an earlier configuration
    if(NOT ours)
      set(found TRUE)
    endif()
  endif()
  string(REPLACE ":" ";" prefixes "$ENV{CMAKE_PREFIX_PATH}")
  find_path(config ${package}Config.cmake PATHS ${CMAKE_PREFIX_PATH} ${prefixes}
            PATH_SUFFIXES share/cmake/${package} lib/cmake/${package} runtime/cmake cmake NO_DEFAULT_PATH NO_CACHE)
  if(config OR NOT "$ENV{${package}_DIR}" STREQUAL "")
    set(found TRUE)
  endif()
  set(${out} ${found} PARENT_SCOPE)
endfunction()

distal_users_own(Torch own_torch)
distal_users_own(OpenVINO own_openvino)

if(CMAKE_SCRIPT_MODE_FILE)
  set(lines ${DISTAL_DEBIAN})
  if(FOR)
    set(lines ${DISTAL_DEBIAN_${FOR}})
  endif()
  if(WHEELS)
    set(lines ${DISTAL_WHEELS})
    if(own_torch)
      list(FILTER lines EXCLUDE REGEX "^torch==")
    endif()
    if(own_openvino)
      list(FILTER lines EXCLUDE REGEX "^openvino==")
    endif()
  endif()
  if(PYTHON)
    set(lines ${DISTAL_PYTHON_${PYTHON}})
  endif()
  if(SOURCES)
    set(lines ${DISTAL_SOURCES})
  endif()
  list(JOIN lines "\n" text)
  execute_process(COMMAND ${CMAKE_COMMAND} -E echo "${text}")
  return()
endif()

# A package of the user's own wins, also over what an earlier configuration found in .deps/.
foreach(row "Torch:${own_torch}:torch" "OpenVINO:${own_openvino}:openvino/cmake")
  string(REPLACE ":" ";" row ${row})
  list(GET row 0 package)
  list(GET row 1 own)
  list(GET row 2 folder)
  if(NOT own)
    list(APPEND CMAKE_PREFIX_PATH ${DISTAL_DEPS}/${folder})
    continue()
  endif()
  cmake_path(IS_PREFIX DISTAL_DEPS "${${package}_DIR}" NORMALIZE ours)
  if(ours)
    unset(${package}_DIR CACHE)
  endif()
endforeach()

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(Torch 2.5 REQUIRED)
# Without OpenMP at::parallel_for is a plain loop. Its library is the one that LibTorch brings, where it does: a program has one.
# Fuzzing wants plain loops, and clang's OpenMP would be a second one in the program.
add_library(distal_openmp INTERFACE)
if(NOT DISTAL_FUZZ)
  find_package(OpenMP REQUIRED)
  target_compile_options(distal_openmp INTERFACE ${OpenMP_CXX_FLAGS})
endif()
cmake_path(GET TORCH_LIBRARY PARENT_PATH torch_libraries)
find_library(TORCH_GOMP NAMES libgomp.so.1 PATHS ${torch_libraries} NO_DEFAULT_PATH)
target_link_libraries(distal_openmp INTERFACE $<IF:$<BOOL:${TORCH_GOMP}>,${TORCH_GOMP},OpenMP::OpenMP_CXX>)
find_package(OpenVINO QUIET COMPONENTS Runtime)
pkg_check_modules(FFmpeg REQUIRED IMPORTED_TARGET libavcodec>=59 libavformat>=59 libavutil>=57 libswscale>=6)
pkg_check_modules(Httplib REQUIRED IMPORTED_TARGET cpp-httplib)  # its defines belong to the ABI of the library
pkg_check_modules(Sodium REQUIRED IMPORTED_TARGET libsodium)
find_package(SQLite3 3.40 REQUIRED)
find_library(SOCI_CORE soci_core REQUIRED)
find_library(SOCI_SQLITE3 soci_sqlite3 REQUIRED)
find_library(RE2 re2 REQUIRED)
find_library(PUGIXML pugixml REQUIRED)
find_package(Boost 1.74 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(CLI11 REQUIRED)
find_package(fmt REQUIRED)
# LibTorch carries headers of another fmt: ours come first, through a folder that holds nothing else. Compiled fmt, not the
# headers alone: they would cost every file 4 s.
get_target_property(fmt_headers fmt::fmt INTERFACE_INCLUDE_DIRECTORIES)
set(DISTAL_FMT ${CMAKE_BINARY_DIR}/fmt)
file(MAKE_DIRECTORY ${DISTAL_FMT})
file(CREATE_LINK ${fmt_headers}/fmt ${DISTAL_FMT}/fmt SYMBOLIC)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
if(NOT EXISTS ${DISTAL_NPM}/uplot/dist/uPlot.esm.js)
  message(FATAL_ERROR "uPlot is missing, which draws curves on the page of distal serve. Run bash cmake/setup.sh")
endif()
