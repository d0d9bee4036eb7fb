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

# distal_embed_folder(FOLDER HEADER NAME ENDINGS...): writes HEADER with `constexpr PageFile NAME[]`, the name and the text of each
# file of FOLDER with one of the endings, anew when one changes. The header is included where PageFile is known.
function(distal_embed_folder folder header name)
  set(globs ${ARGN})
  list(TRANSFORM globs PREPEND ${folder}/*.)
  file(GLOB files CONFIGURE_DEPENDS ${globs})
  set(rows "")
  foreach(file ${files})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    file(READ ${file} text)
    get_filename_component(base ${file} NAME)
    string(APPEND rows "    {\"${base}\", R\"embedded(${text})embedded\"},\n")
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
