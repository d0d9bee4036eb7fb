# distal_source_hash(OUT CXX COMPILER FOLDER folder FILES files...)
#   sets OUT to a hash of the code of these files, named relative to the folder. Comments and white
#   space are left out, so that neither a comment nor a formatter changes it. Spaces within text in
#   quotes do not count either. g++ finds the comments, since only a C++ lexer knows a comment from
#   text in quotes. COMPILER may be another one, whose options differ: g++ of the path is then asked,
#   and where there is none comments count.
function(distal_source_hash out)
  cmake_parse_arguments(HASH "" "CXX;FOLDER" "FILES" ${ARGN})
  set(text "")
  set(codes none)
  foreach(compiler ${HASH_CXX} g++)
    if(HASH_FILES AND NOT codes STREQUAL "0;0")
      execute_process(COMMAND ${CMAKE_COMMAND} -E cat ${HASH_FILES}
                      COMMAND ${compiler} -x c++ -std=c++20 -w -fpreprocessed -dD -E -P -
                      WORKING_DIRECTORY ${HASH_FOLDER} OUTPUT_VARIABLE text RESULTS_VARIABLE codes ERROR_QUIET)
    endif()
  endforeach()
  if(HASH_FILES AND NOT codes STREQUAL "0;0")
    execute_process(COMMAND ${CMAKE_COMMAND} -E cat ${HASH_FILES} WORKING_DIRECTORY ${HASH_FOLDER}
                    OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)
  endif()
  string(REGEX REPLACE "[ \t\r\n]+" "" text "${text}")
  string(SHA256 hash "${HASH_FILES}\n${text}")
  string(SUBSTRING ${hash} 0 16 hash)
  set(${out} ${hash} PARENT_SCOPE)
endfunction()
