# Writes OUT, the body of distal/base/revision.h, when the revision of SOURCE has changed.
execute_process(COMMAND git -C ${SOURCE} describe --always --abbrev=10 --dirty=+ OUTPUT_VARIABLE revision
                OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT revision)
  set(revision unknown)
endif()
file(CONFIGURE OUTPUT ${OUT} @ONLY CONTENT
"#include \"distal/base/revision.h\"
namespace distal {
const std::string& revision() {
  static const std::string text = \"${revision}\";
  return text;
}
}  // namespace distal
")
