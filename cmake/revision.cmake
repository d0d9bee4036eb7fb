# Writes OUT, the body of distal/base/revision.h, and ABI, the header distal/base/abi.h, each when
# its text has changed. Variables: SOURCE (the checkout), OUT, ABI, VERSION, CXX (the compiler).
cmake_policy(VERSION 3.25)
include(${CMAKE_CURRENT_LIST_DIR}/source_hash.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/public_headers.cmake)

execute_process(COMMAND git -C ${SOURCE} describe --always --abbrev=10 --dirty=+
                OUTPUT_VARIABLE revision OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT revision)
  set(revision unknown)
endif()

# The rooms that decide what a study finds. A room that is not there is passed over.
set(rooms base video tasks lists data models infer oracles active distill train pretext learn
    store evaluation study experiment)
set(computing "")
foreach(room ${rooms})
  set(folder ${SOURCE}/src/distal/${room})
  file(GLOB_RECURSE files RELATIVE ${SOURCE}/src ${folder}/*.cc ${folder}/*.h)
  list(APPEND computing ${files})
endforeach()
list(FILTER computing EXCLUDE REGEX
     "_test\\.cc$|/testing[a-z_]*\\.h$|/conformance\\.h$|_test_helpers\\.h$")
list(SORT computing)
distal_source_hash(computation CXX ${CXX} FOLDER ${SOURCE}/src FILES ${computing})

set(public ${DISTAL_PUBLIC_HEADERS} ${DISTAL_PUBLIC_HEADERS_INCLUDED})
list(TRANSFORM public PREPEND distal/)
list(FILTER public EXCLUDE REGEX "/abi\\.h$")
set(there "")
foreach(header ${public})
  if(EXISTS ${SOURCE}/src/${header})
    list(APPEND there ${header})
  endif()
endforeach()
distal_source_hash(interface CXX ${CXX} FOLDER ${SOURCE}/src FILES ${there})

file(CONFIGURE OUTPUT ${OUT} @ONLY CONTENT
"#include \"distal/base/revision.h\"
namespace distal {
const std::string& revision() {
  static const std::string text = \"${revision}\";
  return text;
}
const std::string& computation_id() {
  static const std::string text = \"${computation}\";
  return text;
}
}  // namespace distal
")
file(CONFIGURE OUTPUT ${ABI} @ONLY CONTENT
"#pragma once
// Written by the build: what a plugin is compiled against. DISTAL_INTERFACE is a hash of the public
// headers, comments left out.
#define DISTAL_VERSION \"${VERSION}\"
#define DISTAL_INTERFACE \"${interface}\"
")
