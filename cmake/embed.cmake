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
