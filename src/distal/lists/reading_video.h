#pragma once
// What a video or its disk can cause while it is read, as errors with a cure.

#include <filesystem>
#include <new>
#include <string>

#include <c10/util/Exception.h>

#include "distal/base/error.h"

namespace distal {

/// Returns the result of `read`, a function that reads the video at `path`. Converts errors of the
/// file system, std::bad_alloc and errors of LibTorch to Error. Lets other exceptions pass: Error
/// and derived classes, and std::logic_error, which is a bug of distal.
template <class Read>
auto reading_video(const std::string& path, Read&& read) -> decltype(read()) {
  try {
    return read();
  } catch (const std::filesystem::filesystem_error& error) {
    fail("{}: {}; check the disk and the file's permissions", path, error.code().message());
  } catch (const std::bad_alloc&) {
    fail("{}: no memory left for its frames; make the video smaller, or run fewer threads", path);
  } catch (const c10::Error&) {
    fail("{}: its frames cannot be held in memory; make the video smaller, or run fewer threads",
         path);
  }
}

}  // namespace distal
