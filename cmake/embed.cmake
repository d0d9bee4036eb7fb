# distal_embed(FILE HEADER NAME): writes HEADER with `constexpr const char* NAME` = the text of FILE, anew when it changes.
function(distal_embed file header name)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(READ ${file} text)
  file(CONFIGURE OUTPUT ${header} @ONLY CONTENT
"#pragma once
// Written by the build.
namespace distal {
constexpr const char* ${name} = R\"embedded(@text@)embedded\";
}  // namespace distal
")
endfunction()

# distal_embed_folder(FOLDER HEADER NAME ENDINGS endings... [ALSO name=file...]): writes HEADER with `constexpr PageFile NAME[]`, the
# name and the text of each file of FOLDER with one of the endings, and of the files from elsewhere, anew when one changes. The
# header is included where PageFile is known.
function(distal_embed_folder folder header name)
  cmake_parse_arguments(PARSE_ARGV 3 arg "" "" "ENDINGS;ALSO")
  list(TRANSFORM arg_ENDINGS PREPEND ${folder}/*.)
  file(GLOB files CONFIGURE_DEPENDS ${arg_ENDINGS})
  list(TRANSFORM files REPLACE "^(.*/)([^/]*)$" "\\2=\\1\\2")
  set(rows "")
  foreach(row ${files} ${arg_ALSO})
    string(REGEX MATCH "^([^=]*)=(.*)$" row ${row})
    set(served ${CMAKE_MATCH_1})
    set(file ${CMAKE_MATCH_2})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    file(READ ${file} text)
    string(APPEND rows "    {\"${served}\", R\"embedded(${text})embedded\"},\n")
  endforeach()
  file(CONFIGURE OUTPUT ${header} @ONLY CONTENT
"#pragma once
// Written by the build.
namespace distal::serve {
constexpr PageFile ${name}[] = {
@rows@};
}  // namespace distal::serve
")
endfunction()
