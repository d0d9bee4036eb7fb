#pragma once
// From a path to rows: which format it has, which lists belong to it, where its videos lie. What
// `distal import` reads.

#include <memory>
#include <string>
#include <vector>

#include "distal/lists/foreign_lists.h"

namespace distal {

/// What import reads: tree (a folder of CLASS/VIDEO), csv (our own), and the formats of
/// lists/foreign_lists.h.
const std::vector<std::string>& import_formats();

struct ImportOptions {
  std::string path;     // a folder or a list
  std::string test;     // a second list, of the same format, whose rows are for testing
  std::string format;   // one of import_formats(); empty: by content
  std::string videos;   // folder of the videos; empty: the list's
  std::string group;    // regular expression; its capture (or match) in a file's stem is the group
  std::string classes;  // file of class names, one a line, for lists of class numbers
  int64_t split = 1;    // of UCF101 and HMDB51, where `path` is their folder
  double frame_rate = 0;       // that Label Studio counted frames at; 0: the file's own
  bool unlabelled = false;     // nobody knows the classes yet: a folder of videos, flat or nested,
                               // or a CSV of ours, whose labels are not read
  bool folder_groups = false;  // the videos of one folder are one group, as an operation that was
                               // recorded in parts
};

struct ImportSource {
  std::string format, folder;        // rows' paths are relative to `folder`
  std::vector<std::string> files;    // lists that were read
  ForeignList list;                  // rows whose video is there
  std::vector<std::string> missing;  // `place: path` of rows whose video is not
};

/// Reads the lists and finds the videos; opens none of these. Of a UCF101 list the partner beside
/// it is read too, of an HMDB51 list those of all classes. Throws UsageError for options that do
/// not fit, Error for a text that is no list, an empty tree, or where every video is missing. Every
/// row of an `unlabelled` source has the label "".
ImportSource read_source(const ImportOptions& options);

/// Videos below a folder, found by the names that lists give them. The folder is walked at the
/// first name that is not there as it stands.
class VideoFolder {
 public:
  explicit VideoFolder(std::string folder);
  ~VideoFolder();
  /// The path relative to the folder: as it stands; else the same with another video ending; else,
  /// for a name without a folder, the only video of that name (or stem) anywhere below. "" where
  /// there is none, or more than one. A name that is no UTF-8 is looked for as its bytes, then as
  /// Windows-1252 in UTF-8.
  std::string find(const std::string& name);

 private:
  std::string find_as_written(const std::string& name);
  struct Index;
  std::string folder_;
  std::unique_ptr<Index> index_;
};

/// Whether a file's ending is one of a video's.
bool has_video_ending(const std::string& path);

}  // namespace distal
