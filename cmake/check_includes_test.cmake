# cmake -DWORK=folder -P check_includes_test.cmake: one line at a time in a room of a small tree, refused or let through.
cmake_policy(VERSION 3.25)

function(check line expected)
  set(room data)
  if(ARGN)
    set(room ${ARGN})
  endif()
  file(REMOVE_RECURSE ${WORK})
  file(MAKE_DIRECTORY ${WORK}/distal/${room})
  file(WRITE ${WORK}/distal/${room}/clip.cc "#pragma once\n${line}\nint a;\n")
  execute_process(COMMAND ${CMAKE_COMMAND} -DROOM=${room} -DNEEDS=video,base -DFOREIGN= -DSRC=${WORK} -DSTAMP=${WORK}/stamp
                          -P ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/check_includes.cmake
                  RESULT_VARIABLE code ERROR_VARIABLE said OUTPUT_QUIET)
  if(code EQUAL 0)
    set(what allowed)
  else()
    set(what refused)
  endif()
  if(NOT what STREQUAL expected)
    message(FATAL_ERROR "'${line}' is ${what}, not ${expected}: ${said}")
  endif()
  if(what STREQUAL refused AND NOT said MATCHES "clip.cc")
    message(FATAL_ERROR "'${line}': the message does not name the file: ${said}")
  endif()
endfunction()

foreach(line "#include \"distal/video/probe.h\"" "#include \"distal/data/clip.h\"" "#include <distal/base/error.h>" "#include <vector>"
             "#include <sys/stat.h>" "#include <torch/types.h>" "#include \"clip.h\"" "// train/fit.h is above" "#include <nlohmann/json.hpp>")
  check("${line}" allowed)
endforeach()
foreach(line "#include \"distal/train/fit.h\"" "#include <distal/train/fit.h>" "# include \"distal/train/fit.h\"" "  #include \"distal/train/fit.h\""
             "\t#\tinclude\t<distal/train/fit.h>" "#include\"distal/train/fit.h\"" "#include \"../train/fit.h\"" "#include \"distal/base/../train/fit.h\""
             "#include <libavcodec/avcodec.h>" "  # include <libswscale/swscale.h>" "#include \"torch/torch.h\"" "#include <torch/torch.h>"
             "#include \"soci/soci.h\"" "#include <sqlite3.h>" "#include \"httplib.h\"" "#include <sodium.h>" "#include <yaml-cpp/yaml.h>"
             "#include <boost/math/distributions/students_t.hpp>"
             "#include <boost/crc.hpp>" "#include <boost/any.hpp>")
  check("${line}" refused)
endforeach()
# A header of two rooms.
foreach(room oracles serve)
  check("#include <httplib.h>" allowed ${room})
endforeach()
check("#include <sodium.h>" allowed serve)
check("#include <sodium.h>" refused oracles)
file(REMOVE_RECURSE ${WORK})
