# serve_fixture: the server of people with a store of its own, and all code of ours behind it, under
# AddressSanitizer. It is built from the sources that it needs, each
# room a unit: rooms as they are compiled for the program cannot be watched, and OpenVINO opens a
# library in a way that AddressSanitizer refuses. Where the linker misses a name, its file is missing
# below.
set(fixture_base array_bytes files hash interned interrupted json leftovers nouns npy options pattern progress random
  text utc yaml)
set(fixture_data cache_folder probe_cache)
set(fixture_evaluation pool_map results round_result statistics)
set(fixture_lists csv cvat_document cvat_tasks label_studio list_text lists quarantine)
set(fixture_people agreement answer_check answer_files formats/csv formats/cvat formats/label_studio)
set(fixture_serve *)
set(fixture_store *)
set(fixture_video *)

set(fixture_sources serve_fixture.cc ${CMAKE_BINARY_DIR}/src/revision.cc)
foreach(room base data evaluation lists people serve store video)
  list(TRANSFORM fixture_${room} PREPEND ${CMAKE_SOURCE_DIR}/src/distal/${room}/)
  list(TRANSFORM fixture_${room} APPEND .cc)
  file(GLOB files CONFIGURE_DEPENDS ${fixture_${room}})
  list(FILTER files EXCLUDE REGEX "_test\\.cc$")
  set_source_files_properties(${files} PROPERTIES UNITY_GROUP ${room})
  list(APPEND fixture_sources ${files})
endforeach()
add_executable(serve_fixture ${fixture_sources})
set_target_properties(serve_fixture PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
target_precompile_headers(serve_fixture PRIVATE <algorithm> <chrono> <cmath> <cstdint> <filesystem>
  <functional> <map> <memory> <optional> <span> <string> <string_view> <unordered_map> <utility>
  <vector> <fmt/format.h>)
# Without optimisation: it compiles in half the time, and no access is optimised away.
target_compile_options(serve_fixture PRIVATE -w -O0 -g1 -fno-omit-frame-pointer -fsanitize=address)
target_link_options(serve_fixture PRIVATE -fsanitize=address)
target_include_directories(serve_fixture PRIVATE ${CMAKE_BINARY_DIR}/src)
target_include_directories(serve_fixture SYSTEM PRIVATE ${Boost_INCLUDE_DIRS})
target_link_libraries(serve_fixture PRIVATE distal_pch yaml-cpp nlohmann_json::nlohmann_json ${RE2}
  PkgConfig::FFmpeg ${PUGIXML} ${SOCI_CORE} ${SOCI_SQLITE3} SQLite::SQLite3 PkgConfig::Httplib
  PkgConfig::Sodium ${CMAKE_DL_LIBS})
add_dependencies(serve_fixture distal_revision)
