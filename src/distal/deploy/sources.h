#pragma once
// Where videos come from: the words of a command line become files, pictures, pipes, addresses and
// cameras.
//
//   -                     stdin: a pipe, or the file that it is
//   rtsp://HOST/PATH      an RTSP server; rtsps:// too
//   v4l2:DEVICE, DEVICE   a camera: a device file such as /dev/video0
//   a named pipe          the pipe
//   a folder              the videos in it and below, in natural order (natural_less); a folder
//   that
//                         holds pictures and no video is one video of its pictures. Hidden files
//                         and folders, and linked folders, are left out.
//   a pattern             * ? [..], where no file has this name: what matches, in natural order
//   anything else         a file
//
// Nothing but what was typed is opened: no name inside a file or a folder is an address.

#include <string>
#include <string_view>
#include <vector>

#include "distal/video/live.h"

namespace distal {

struct Source {
  enum class Kind { file, pictures, live };
  Kind kind = Kind::file;
  std::string name;                   // for people, and in results: as typed or found, no password
  std::string path;                   // of the file
  std::vector<std::string> pictures;  // in natural order
  LiveSource live;
};

/// `picture_rate`: pictures a second; 0: not said. A folder below another one then counts as
/// pictures only where it is said. Throws UsageError: an address that is no RTSP, stdin twice or a
/// terminal, a folder of pictures without a rate. Throws Error: a folder without videos, a pattern
/// without matches, a device that is no camera.
std::vector<Source> sources_of(const std::vector<std::string>& words, double picture_rate);

/// Whether `a` stands before `b` in natural order: runs of digits compare as numbers, other bytes
/// as bytes, so frame9 stands before frame10.
bool natural_less(std::string_view a, std::string_view b);

/// The address without what stands between `://` and `@` after a colon: rtsp://user:***@host/.
std::string without_password(const std::string& address);

/// A file without a name, in the folder for temporary files ($TMPDIR, /tmp): it is gone when this
/// is, and when the process is killed.
class NamelessFile {
 public:
  NamelessFile();  // throws Error: no space, no such folder
  ~NamelessFile();
  NamelessFile(NamelessFile&& other) noexcept;
  NamelessFile(const NamelessFile&) = delete;
  std::string path() const;  // for this process alone

 private:
  int file_ = -1;
};

/// A source as a file that may be read anywhere: pictures are put together, a pipe is copied.
struct SourceFile {
  std::string path;
  std::string damage;               // of pictures: those that were left out
  std::vector<NamelessFile> owner;  // of `path`, or none
};
/// Throws Error: as write_picture_video, the pipe is empty, no space; UsageError: a server or a
/// camera, whose end nobody knows; Interrupted.
SourceFile file_of(const Source& source, double picture_rate);

}  // namespace distal
