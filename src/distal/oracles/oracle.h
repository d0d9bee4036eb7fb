#pragma once
// A family: who answers about clips. A kind is one file of kinds/. It declares its options, what it
// is (OracleTraits), and opens what answers (OpenOracle). The build writes the family's table.
// Which answers are bought, when and how often, is the ledger's (ledger.h).

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <torch/types.h>

#include "distal/base/choice.h"
#include "distal/base/nouns.h"
#include "distal/data/clip_reader.h"
#include "distal/models/model.h"
#include "distal/models/model_fwd.h"
#include "distal/oracles/asked_for.h"
#include "distal/tasks/task.h"

namespace distal {

class OptionVisitor;

/// What others must know of a kind before they ask. The default is a teacher elsewhere that bills.
struct OracleTraits {
  bool soft = true;            // a teacher: its answers are learned as a teacher's. False: labels
  bool at_hand = false;        // computes on this machine, for nothing but its time
  bool bills_unusable = true;  // an answer that cannot be used was probably billed
  bool derived_clips = true;   // may be asked about fixed views and mixes of clips
  bool frames = true;          // is sent the frames of clips; they count in its version
  bool requests = true;        // a request is stored before it is sent; false: asking again costs
                               // nothing and gives the same
  bool network = false;       // has a network that can be run in every training step (network_file)
  bool trained_here = false;  // is trained by the study's `teacher` section
  bool foreign_code = false;  // executes a program that somebody else wrote
  bool people = false;        // persons answer: labels that no list holds, days later; one clip a
                              // request; a clip that they leave out is not learned from
  // of people: a round goes on when this share (0, 1] of what it asks is answered, without the rest
  double share = 1;
  // of people: after so many more answers, what is still open of a round is ranked again; 0: never
  int64_t rank_again = 0;
  // of people: a request holds all clips of one video that are asked about, and one answer labels
  // them
  bool by_video = false;
  bool shows_first = false;  // of people: they may see what the first of two oracles said
};

/// Clips that are asked about at once.
struct OracleRequest {
  std::string key;          // idempotency key; empty where OracleTraits::requests is false
  std::vector<Clip> clips;  // N
  torch::Tensor
      frames;  // float32 [N, 3, T, H, W] in [-1, 1]; undefined without OracleTraits::frames
  std::vector<AskedFor> why = {};  // of each clip; empty: nobody says
};

/// What became of a request.
struct OracleReply {
  enum class Outcome {
    answered,   // `answers` holds one row for each clip
    too_large,  // nothing was done for that many clips: ask in smaller requests
    withdrawn,  // nobody waits for it any more: as if it had never been sent
    unusable    // it was worked on, but the answer cannot be used; of people: they left it out
  };
  std::string key;
  Outcome outcome = Outcome::answered;
  torch::Tensor answers;  // float32 [N, K] probabilities that sum to 1; NaN rows: not finite
  std::string remark;     // answered: the first value that is not finite, or empty. Else the reason
  std::vector<int64_t> left_out;  // answered, of people: rows of clips that they said nothing about
};

/// How long to wait for replies.
enum class Wait {
  none,  // not at all; what computes here computes
  soon   // until the next reply, where one comes within minutes; not for people
};

/// An oracle that is ready to answer. One thread at a time.
class OpenOracle {
 public:
  virtual ~OpenOracle() = default;
  /// Takes a request. A key stands for one content. The same content under the same key again,
  /// after a crash too, is answered and billed once. Throws Error: it cannot be reached;
  /// Interrupted.
  virtual void submit(OracleRequest request) = 0;
  /// Replies that are finished, each once in the life of this object; empty: none is, or
  /// (Wait::soon) none comes soon. Throws Error as submit; a request whose work threw is not held
  /// any more.
  virtual std::vector<OracleReply> collect(Wait wait) = 0;
  /// True from submit() until the reply was collected. A kind that keeps its requests elsewhere
  /// holds them from process to process: they are not sent again, and their replies come from
  /// collect().
  virtual bool holds(const std::string& key) const = 0;
  /// The requests that one question of a study concerns, before their replies are collected. Who
  /// shows answers as they come takes none of them before all are finished: until then a person may
  /// take back what was said.
  virtual void ask_together(const std::vector<std::string>& keys) {}
  /// Replies to those of the requests that are finished, as they stand. None is taken by that.
  virtual std::vector<OracleReply> look(const std::vector<std::string>& keys) { return {}; }
  /// The reply is stored, or nobody wants it: it need not come again in the next process.
  virtual void settle(const std::string& key) {}
  /// Of each clip, where people answer; empty: nobody's time is asked for.
  virtual std::vector<PersonTime> person_times(const ClipRefs&) { return {}; }
  /// Requests that it holds, in the order in which they are to be answered from now on, with new
  /// reasons. An oracle that shows nobody its requests does nothing.
  virtual void rank_again(const std::vector<OracleRequest>& requests) {}
  /// What tells one oracle of its kind from another: hash of weights or lists, name and version.
  virtual std::string version() const = 0;
};

/// A line for people: waits, warnings.
using Say = std::function<void(const std::string& line)>;

/// A teacher that the study trained.
struct TrainedTeacher {
  Model net;
  std::string path;  // its file
  std::string line;  // for the report
};

/// What a kind is opened with.
struct OracleSetup {
  Classes classes;
  std::string lists_id;                   // hash of the lists' content
  std::string study;                      // its name
  std::string store_url;                  // where people find what they are asked
  std::function<TrainedTeacher()> train;  // called where OracleTraits::trained_here
  Say say;                                // may be empty
  const Task* task = &default_task();
  LabelSpace labels() const { return {classes.size(), *task}; }
};

struct OpenedOracle {
  std::unique_ptr<OpenOracle> answers;
  std::string line;  // for the report: who answers
};

/// A kind of oracle with its options.
class Oracle {
 public:
  virtual ~Oracle() = default;
  virtual OracleTraits traits() const = 0;
  /// Which option is missing, and an example; empty: none.
  virtual std::string missing() const { return ""; }
  /// Which options contradict each other or the names of the classes (empty: those of the lists),
  /// with the fix; empty: none.
  virtual std::string contradiction(const std::vector<std::string>& classes) const { return ""; }
  /// Who answers, as far as the options say: kind and place, for the report and for comparisons.
  virtual std::string line() const = 0;
  /// Those of its options that change answers, as text: part of the version of every answer.
  virtual std::string answer_options() const { return ""; }
  /// The program that it executes, with OracleTraits::foreign_code, behind its option: "path: a.pt
  /// is TorchScript, a program".
  virtual std::string program() const { return ""; }
  /// Seconds of people's time that are assumed for what is asked about a clip of that length,
  /// before anybody has answered.
  virtual double person_seconds(double clip_seconds) const { return 0; }
  /// What belongs before each use: that it executes a program. Empty: nothing.
  virtual std::string warning() const { return ""; }
  /// How it wants its clips; absent: as the study says. Throws Error as the file's reader does.
  virtual std::optional<InputOptions> input() const { return std::nullopt; }
  /// The model file of its network, with OracleTraits::network. `trained`: where the study keeps
  /// the one it trains.
  virtual std::string network_file(const std::string& trained) const { return ""; }
  /// Throws Error where a file of its own does not fit these classes, with what the file gives and
  /// the fix. Called before any video is decoded. Contacts nobody and asks nothing.
  virtual void require_fit(const Classes& classes, const Task& task) const {}
  /// Throws Error: file, address or classes do not fit.
  virtual OpenedOracle open(const OracleSetup& setup) const = 0;
};

/// One oracle of a recipe: `{kind: http, url: ..., price: 2}`. The options of the kind stand beside
/// those that every kind has. The section `oracle` may name two (oracle_recipe.h).
struct OracleOptions {
  std::string section = "oracle";  // of the recipe, for messages
  Choice<Oracle> kind;
  double price = 0;        // money an answer costs
  int64_t batch_size = 8;  // clips per request
  bool ask_again = false;  // asks anew for what was answered unusably in an earlier start

  OracleOptions() : OracleOptions("oracle") {}  // the labels of the lists (kind `truth`)
  explicit OracleOptions(std::string section);
  /// A reader refuses an option of another kind, unless it has that kind's default.
  void visit(OptionVisitor& v) const;
  bool operator==(const OracleOptions&) const = default;
  bool is_teacher() const { return kind->traits().soft; }
  /// Whether it may be asked about a whole pool beside the budget.
  bool free_at_hand() const { return is_teacher() && kind->traits().at_hand && price == 0; }
  /// What results depend on, one line: kind, place, price and the options that change answers.
  std::string identity() const;
  /// Which option is missing, by its name in the recipe, and an example; empty: none.
  std::string missing() const;
};

/// The kinds with such traits, for messages: "teacher, model, network or torchscript". Those that
/// are trained here come first, then those at hand.
std::string kinds_with(const std::function<bool(const OracleTraits&)>& wanted);

}  // namespace distal
