#pragma once
// Lists that other tools write, read as rows of ours (lists/lists.h). Pure: text in, rows out;
// `place` is the file's name for messages. Every reader throws Error `place:line: what, cure` for
// text that is not of its format. Nothing is opened.

#include <functional>
#include <string>
#include <vector>

#include "distal/lists/lists.h"

namespace distal {

/// What a list says of a row: nothing, or the side of the published split it stands on.
enum class Side { unsaid, training, test };

/// How what a list holds (rows, tasks, regions, ...) was used: total = read + all that was left
/// out.
class Tally {
 public:
  explicit Tally(std::string what) : what_(std::move(what)) {}  // in plural: "rows"
  void read(int64_t count = 1) { read_ += count; }
  void leave_out(const std::string& reason, const std::string& example = "",
                 int64_t count = 1);  // the first example of a reason is kept
  void append(const Tally& more);

  const std::string& what() const { return what_; }
  int64_t read_count() const { return read_; }
  int64_t left_out() const;
  int64_t total() const { return read_ + left_out(); }
  /// "5 rows: 3 read, 2 without a label"; examples stand in brackets.
  std::string text() const;
  struct Reason {
    std::string reason, example;
    int64_t count = 0;
  };
  const std::vector<Reason>& reasons() const { return reasons_; }  // in the order they were met

 private:
  std::string what_;
  int64_t read_ = 0;
  std::vector<Reason> reasons_;
};

struct ForeignList {
  std::vector<Row> rows;           // path relative to the folder of the videos
  std::vector<Side> sides;         // a row each
  std::vector<std::string> notes;  // what was taken for granted, for people
  std::vector<Tally>
      tallies;  // what was read and what was left out; what a list does not have is not counted
  void add(Row row, Side side = Side::unsaid);
  void append(ForeignList more);
};

/// Where a video lies that a list calls `name`: its path relative to the folder of the videos, or
/// "" where it is missing.
using FindVideo = std::function<std::string(const std::string& name)>;

/// The format of a text, by its content and, where lists look alike, its file's name: kinetics,
/// mmaction2, ucf101, hmdb51, labelstudio, cvat, or csv for our own; "" where it is none of them.
/// Throws Error for exports that are recognised and not read: CSV of Label Studio.
std::string recognised_format(const std::string& text, const std::string& file_name);

/// The source video that a published file name carries (UCF101: `v_Class_g01_c02` is clip 2 of
/// Class_g01), else the path without its extension, as read_rows has it.
std::string group_of_name(const std::string& path);
/// Gives a row that group; it counts as said where the name carries it.
void set_group_of_name(Row& row);

/// Kinetics (Kay et al., "The Kinetics Human Action Video Dataset", 2017, arXiv 1705.06950):
/// `label,youtube_id,time_start,time_end,split`, seconds, further columns ignored. A video is
/// ID_SSSSSS_EEEEEE.mp4, cut by the usual downloaders, or the whole ID.mp4, then the times are the
/// row's span. Group: the id. Rows without a label are left out.
ForeignList read_kinetics(const std::string& text, const std::string& place, const FindVideo& find);

/// MMAction2's VideoDataset: `path label` with a whole number from 0; its name from `class_names`
/// where there are any. Refused: lists of frame folders (`path frames label`), several labels.
ForeignList read_mmaction2(const std::string& text, const std::string& place,
                           const std::vector<std::string>& class_names);

/// One list of UCF101 (Soomro et al., arXiv 1212.0402): `Class/v_Class_g01_c01.avi`, in training
/// lists with the class number.
ForeignList read_ucf101(const std::string& text, const std::string& place, Side side);

/// One class of a split of HMDB51 (Kuehne et al., ICCV 2011): `name.avi N`, N: 1 training, 2 test,
/// 0 unused. Group: the name without its last number.
ForeignList read_hmdb51(const std::string& text, const std::string& place,
                        const std::string& label);

/// Label Studio's JSON export. TimelineLabels give spans in frames, Labels with `start` and `end`
/// spans in seconds, Choices the whole video; all other regions are counted and left out. A task
/// that cannot be read (no video, two classes for the whole video, a range that is none) is left
/// out with its reason; of several annotations of a task, the ground truth, else the first one, is
/// taken. Frames count from 1, both ends included. `frame_rate` 0: they are frames of the file;
/// else they were counted at that rate (the frameRate of the Video tag) and become seconds. Throws
/// Error where no task gives a row.
ForeignList read_label_studio(const std::string& text, const std::string& place,
                              const FindVideo& find, double frame_rate);

/// CVAT 1.1 XML of video tasks: tracks of any shape (`for video`) and tags of frames (`for images`)
/// of one label become spans, frames that follow each other one span; frames count from 0. Shapes
/// of images, which belong to no track, and attributes are counted and left out. Any XML of that
/// structure is read (pugixml: no entities or files from outside); nesting is bounded. Throws Error
/// where no track and no tag gives a row.
ForeignList read_cvat(const std::string& text, const std::string& place);

/// Rows as our own CSV, with the columns of spans that any row needs; empty fields are the whole
/// video. Where no row has a label there is no column `label`.
std::string csv_text(const std::vector<Row>& rows);

}  // namespace distal
