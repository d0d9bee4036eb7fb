# distal_room(NAME NEEDS rooms... LINKS libraries... FOREIGN header-prefixes...)
#   makes the library distal::NAME of src/distal/NAME/**.cc, its test program NAME_test of src/distal/NAME/**_test.cc, and a check that
#   refuses an #include of a room outside NEEDS, or of a foreign header that belongs to another room.
# distal_library()
#   makes libdistal.so of all rooms, the target distal::distal.
# distal_catalogue(ROOM FOLDER TYPE HEADER)
#   writes the table of a family from its folder: one file, one method, the file's name is the method's name. With it
#   what base/choice.h declares is compiled for the family.
# distal_commands()
#   writes the table of the program's commands from src/distal/cli/commands/: one file, one
#   command, the file's name is the command's name.

if(NOT DISTAL_FUZZ)
  find_package(GTest REQUIRED)
endif()
# GCC 12 at -O3 sees overflows in std::string concatenation that are not there (GCC bug 105329).
set(DISTAL_FLAGS -Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers -Wno-stringop-overflow
    -Wno-restrict -Werror)
if(DISTAL_FUZZ)  # GCC has judged the same code
  set(DISTAL_FLAGS -w)
endif()

# Every object can go into libdistal.so. The same flags for programs, since they reuse one precompiled header. A function
# may be inlined within its file as before: nobody replaces functions of ours at run time.
add_compile_options(-fPIC -fno-semantic-interposition)

# One precompiled header, compiled once and reused by every target.
add_library(distal_pch STATIC ${CMAKE_SOURCE_DIR}/cmake/pch.cc)

# distal/base/abi.h is written by the build.
set(DISTAL_WRITTEN ${CMAKE_BINARY_DIR}/include)
target_include_directories(distal_pch PUBLIC ${DISTAL_FMT} ${CMAKE_SOURCE_DIR}/src ${DISTAL_WRITTEN})
target_link_libraries(distal_pch PUBLIC fmt::fmt ${TORCH_LIBRARIES} distal_openmp Threads::Threads)
target_compile_options(distal_pch PRIVATE ${DISTAL_FLAGS} -Winvalid-pch)
target_precompile_headers(distal_pch PRIVATE
  <algorithm> <chrono> <cmath> <cstdint> <filesystem> <functional> <map> <memory> <optional> <span> <string>
  <string_view> <unordered_map> <utility> <vector> <fmt/format.h> <torch/types.h> <torch/nn/module.h>)

function(distal_target target)
  target_compile_options(${target} PRIVATE ${DISTAL_FLAGS} -Winvalid-pch)
  target_link_libraries(${target} PRIVATE distal_pch)
  target_precompile_headers(${target} REUSE_FROM distal_pch)
endfunction()

# Label slow: more than 20 s on two cores. What is left, with the programs of tests/ that are labelled fast,
# takes less than two minutes: `ctest -L fast`.
set(DISTAL_SLOW_ROOMS models infer distill learn oracles serve study)

function(distal_room name)
  cmake_parse_arguments(ROOM "" "" "NEEDS;LINKS;FOREIGN" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS distal/${name}/*.cc)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS distal/${name}/*.h)
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$|/main\\.cc$")

  set(stamp ${CMAKE_CURRENT_BINARY_DIR}/${name}.includes)
  string(REPLACE ";" "," needs "${ROOM_NEEDS}")
  string(REPLACE ";" "," foreign "${ROOM_FOREIGN}")
  add_custom_command(OUTPUT ${stamp} DEPENDS ${sources} ${headers} ${tests} ${CMAKE_SOURCE_DIR}/cmake/check_includes.cmake
    COMMAND ${CMAKE_COMMAND} -DROOM=${name} -DNEEDS=${needs} -DFOREIGN=${foreign} -DSRC=${CMAKE_CURRENT_SOURCE_DIR}
            -DSTAMP=${stamp} -P ${CMAKE_SOURCE_DIR}/cmake/check_includes.cmake VERBATIM)

  if(NOT sources)
    set(sources ${CMAKE_SOURCE_DIR}/cmake/empty.cc)
  endif()
  add_library(distal_${name} STATIC ${sources} ${stamp})
  add_library(distal::${name} ALIAS distal_${name})
  set_target_properties(distal_${name} PROPERTIES UNITY_BUILD ${DISTAL_UNITY} UNITY_BUILD_BATCH_SIZE 6)
  distal_target(distal_${name})
  list(TRANSFORM ROOM_NEEDS PREPEND distal::)
  target_link_libraries(distal_${name} PUBLIC distal_pch ${ROOM_NEEDS} ${ROOM_LINKS})
  set_property(GLOBAL APPEND PROPERTY DISTAL_ROOMS ${name})
  set_property(GLOBAL APPEND PROPERTY DISTAL_LINKS ${ROOM_LINKS})

  if(tests AND NOT DISTAL_FUZZ)
    add_executable(${name}_test ${tests})
    distal_target(${name}_test)
    target_compile_options(${name}_test PRIVATE -Wno-array-bounds)
    target_link_libraries(${name}_test PRIVATE distal_${name} GTest::gmock_main)
    target_compile_definitions(${name}_test PRIVATE DISTAL_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    add_test(NAME ${name} COMMAND ${name}_test)
    set(label fast)
    if(name IN_LIST DISTAL_SLOW_ROOMS)
      set(label slow)
    endif()
    set_tests_properties(${name} PROPERTIES TIMEOUT 1200 LABELS ${label})
  endif()
endfunction()

function(distal_library)
  get_property(rooms GLOBAL PROPERTY DISTAL_ROOMS)
  get_property(links GLOBAL PROPERTY DISTAL_LINKS)
  list(REMOVE_DUPLICATES links)
  set(files "")
  foreach(link ${links})
    set(type none)
    if(TARGET ${link})
      get_target_property(type ${link} TYPE)
    endif()
    if(type STREQUAL SHARED_LIBRARY)  # by its file: users of the installed library need no target of that name
      set(link $<TARGET_LINKER_FILE:${link}>)
    endif()
    list(APPEND files ${link})
  endforeach()
  list(TRANSFORM rooms REPLACE "(.+)" "$<TARGET_OBJECTS:distal_\\1>")
  add_library(distal_library SHARED ${rooms})
  add_library(distal::distal ALIAS distal_library)
  set_target_properties(distal_library PROPERTIES OUTPUT_NAME distal EXPORT_NAME distal LINKER_LANGUAGE CXX
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
  # Users of the library see LibTorch and fmt; the rest is linked here and nowhere else.
  target_link_libraries(distal_library PRIVATE ${files} PUBLIC $<BUILD_INTERFACE:distal_pch>)
endfunction()

function(distal_catalogue room folder type header)
  file(GLOB files CONFIGURE_DEPENDS distal/${room}/${folder}/*.cc)
  list(FILTER files EXCLUDE REGEX "_test\\.cc$")
  set(externs "")
  set(rows "")
  foreach(file ${files})
    get_filename_component(method ${file} NAME_WE)
    string(APPEND externs "extern const Entry<${type}> ${method};\n")
    string(APPEND rows "      {\"${method}\", &${folder}::${method}},\n")
  endforeach()
  set(out ${CMAKE_CURRENT_BINARY_DIR}/${room}_${folder}_catalogue.cc)
  file(CONFIGURE OUTPUT ${out} @ONLY CONTENT
"// Written by the build from src/distal/${room}/${folder}/.
#include \"distal/base/catalogue.h\"
#include \"${header}\"
namespace distal {
namespace ${folder} {
${externs}}
template <> Catalogue<${type}>& all_methods<${type}>() {
  static Catalogue<${type}> rows = {
${rows}  };
  return rows;
}
template struct Choice<${type}>;
template std::shared_ptr<const ${type}> make<${type}>(const std::string&, const std::string&);
}  // namespace distal
")
  set_source_files_properties(${out} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)  # its specialisation comes before any use
  target_sources(distal_${room} PRIVATE ${out})
endfunction()

function(distal_commands)
  file(GLOB files CONFIGURE_DEPENDS distal/cli/commands/*.cc)
  list(FILTER files EXCLUDE REGEX "_test\\.cc$")
  set(externs "")
  set(rows "")
  foreach(file ${files})
    get_filename_component(command ${file} NAME_WE)
    string(APPEND externs "extern const Command ${command}_command;\n")
    string(APPEND rows "      {\"${command}\", &${command}_command},\n")
  endforeach()
  set(out ${CMAKE_CURRENT_BINARY_DIR}/cli_commands.cc)
  file(CONFIGURE OUTPUT ${out} @ONLY CONTENT
"// Written by the build from src/distal/cli/commands/.
#include \"distal/cli/command.h\"
namespace distal {
${externs}std::vector<CommandRow> command_files() {
  return {
${rows}  };
}
}  // namespace distal
")
  target_sources(distal_cli PRIVATE ${out})
endfunction()
