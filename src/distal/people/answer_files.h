#pragma once
// Questions and answers as files: our CSV, Label Studio, CVAT. One format is one file of formats/.
// Pure: values and text in, values and text out; nothing is opened.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "distal/people/answers.h"

namespace distal {

/// csv, label-studio, cvat; also GivenAnswer::source.
const std::vector<std::string>& answer_formats();

/// The format of a file of answers, by its content: JSON is Label Studio's, XML is CVAT's, all else
/// is taken for CSV. Throws Error for a text that is empty.
std::string answer_format_of(const std::string& text, const std::string& place);

struct AskFileOptions {
  bool guesses = false;         // the student's guess stands in the file, for people to correct
  std::string project = "ask";  // name of the project that CVAT makes
  /// Label Studio: the address below which it finds the videos, as
  /// "/data/local-files/?d=videos/". Paths behind it are percent-encoded; empty: paths stand as
  /// they are.
  std::string media;
  /// cvat, answers by ranges: the frame that is shown at a time, counted from 0; behind the last
  /// one the number of frames. Empty: seconds * frame_rate.
  std::function<int64_t(const AskedItem& item, double seconds)> frame_at;
};

struct AskFile {
  std::string ending;  // of its name, behind the name that the caller gives all of them: ".csv"
  std::string text;
};

/// The files that ask.
/// * csv: a row a clip (for an item of kind `ranges` a row is repeated for each range). Columns:
///   clip, video, start_s, end_s (empty: to the end), classes (joined by " | "), with `guesses`
///   guess, and to be filled in: class, skipped, unsure, note, person, answered (ISO 8601, UTC),
///   seconds; with items of kind `ranges` also range_start_s and range_end_s.
/// * label-studio: ".json" with a task an item, to be imported, and ".xml", the labelling
///   configuration: Choices for clips, TimelineLabels for ranges. A part of a video is named by the
///   fragment #t=START,END of its address. Guesses are predictions. Frames of ranges are counted at
///   `frame_rate`, or 25 a second where it is not known.
/// * cvat: ".json" with what CVAT's REST takes: `project` for POST /api/projects, and for each item
///   `task` for POST /api/tasks (with the id of the project) and `data` for POST
///   /api/tasks/{id}/data. A task shows the frames of one clip. It is answered by one tag on any
///   frame, the tag "(skipped)" among them; ranges by tracks or tags. CVAT takes no guesses here.
/// Throws UsageError: an unknown format; questions that this format cannot ask (kinds in one file
/// of label-studio; for cvat a part of a video without its frames); Error: a clip that is asked
/// twice, a class without a name, two of one name.
std::vector<AskFile> ask_files(const std::string& format, const Questions& questions,
                               const AskFileOptions& options = {});

/// Questions and what people answered, as a file that `read_answers` reads. What the format cannot
/// say is not in it. An answer about no item is a bug (`expect`).
/// * csv: rows as of ask_files.
/// * label-studio: tasks with annotations.
/// * cvat: ".xml", a project of CVAT 1.1 with a task for each answer, whose assignee is the person,
///   and for each item without one. A class is a tag on the first frame of the clip, a range a
///   track whose box is the whole picture. An answer that found no ranges has no marks, and CVAT
///   knows no seconds.
/// Throws UsageError: an unknown format; kinds in one file of label-studio; for cvat a class of the
/// name of its tag for what is skipped, or ranges in a video whose frames are not known.
AskFile answer_file(const std::string& format, const Questions& questions,
                    const std::vector<GivenAnswer>& answers, const AskFileOptions& options = {});

struct ReadAnswersOptions {
  std::string person;  // who answered where the file does not say; empty: such rows are refused
  int64_t now_ms = 0;  // UTC: answers of more than an hour later are refused; 0: unknown
  /// When a frame of an item's video is shown, in seconds; the frame behind the last one: the end.
  /// Of cvat with items of kind `ranges`. Empty: frame / frame_rate.
  std::function<double(const AskedItem& item, int64_t frame)> time_of_frame;
};

struct GivenAnswers {
  std::vector<GivenAnswer> answers;  // in the order of the file
  std::vector<RowRefusal> refusals;
  int64_t unanswered = 0;          // rows and tasks that hold no answer
  std::vector<std::string> notes;  // what was left out, for people
};

/// Reads answers back. A row (csv), an annotation (label-studio) or a task (cvat) is taken or
/// refused by itself; rows of one person about one item of kind `ranges` are one answer, which is
/// taken whole or refused: a clip nobody asked about; one that this person has answered above; a
/// class that is none; a time that is none, lies before the question was asked (`asked_ms`) or in
/// the future; seconds that are none; a range that is empty or reaches out of the clip, behind its
/// end by more than the second that players round to; nobody's name. Rows may stand in any order.
///   label-studio: JSON and JSON-MIN. A person is the e-mail address in completed_by, or the number
/// there. was_cancelled is `skipped`; JSON-MIN does not have such annotations. cvat: "CVAT for
/// video 1.1" and "for images 1.1" of a task or a project; who is the assignee, when is the last
/// change of the task.
///   `format` empty: answer_format_of. Throws UsageError for an unknown format, Error `place:line:
/// what; cure` for a text that is not of its format.
GivenAnswers read_answers(const std::string& format, const std::string& text,
                          const std::string& place, const Questions& questions,
                          const ReadAnswersOptions& options = {});

}  // namespace distal
