#pragma once
// What killed processes leave: files under a name that says they are not finished, with the id of the process that wrote them.

#include <cstdint>
#include <string>

namespace distal {

/// The process id in the name of an unfinished file, `NAME.PID.tmp`, `NAME.PID.part`, `NAME.PID-COUNT.partial` or
/// `NAME.PID.unfinished.EXT`, as write_atomically, video writers, the frame cache and exports name them; 0: no such name.
int64_t writer_of(const std::string& name);

/// Removes the unfinished files in `folder`, and below it where `deep`, whose process has ended and that nobody has locked (by flock, as
/// write_atomically does: another machine may be writing them). Files of other names stay. Never throws.
void clear_leftovers(const std::string& folder, bool deep = false);

/// The same for `path` alone: what its killed writers left.
void clear_leftovers_of(const std::string& path);

}  // namespace distal
