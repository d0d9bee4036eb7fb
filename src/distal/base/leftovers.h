#pragma once
// What killed processes leave: files under a name that says they are not finished (UnfinishedFile
// in base/files.h makes them).

#include <cstdint>
#include <string>

namespace distal {

/// `NAME.distal-NUMBER-SUM.tmp`: the `number`-th name (from 1) under which `name`, a file's name
/// without its folder, is written. SUM is a checksum of what stands before it, so that no file of
/// others bears such a name by chance, nor one of ours that somebody renamed. Of a long name the
/// beginning.
std::string unfinished_name(const std::string& name, int64_t number);

/// Whether a file's name is one that unfinished_name gives, or one with the ending .onnx, .xml or
/// .bin behind it, as exports write.
bool is_unfinished(const std::string& name);

/// Removes the unfinished files in `folder`, and below it where `deep`, that nobody has locked (by
/// flock, as an UnfinishedFile is while it is written: whoever writes may be of another machine or
/// container). Files of other names stay, and so does what cannot be locked. Never throws; after a
/// signal it ends early.
void clear_leftovers(const std::string& folder, bool deep = false);

/// The same for `path` alone and what begins with its name and a point: what its killed writers
/// left.
void clear_leftovers_of(const std::string& path);

}  // namespace distal
