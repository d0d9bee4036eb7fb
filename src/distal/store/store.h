#pragma once
// What must survive: videos, answers, runs, rounds, events. The only room with SQL. Schema changes
// are numbered migrations; a store newer than the program is refused. Spending is a transaction: no
// crash and no second process can overspend. What is at work on a run holds a lease of it. Safe for
// several processes; one Store per thread. Functions that take or give many clips take a handful of
// queries for them all (store/bulk.h).

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace distal {

struct StoredAnswer {
  std::string clip;             // Clip::key()
  std::string oracle, version;  // who answered
  std::vector<double> probabilities;
  double price = 0;    // money
  double seconds = 0;  // of video watched
};

/// Who answers a run. The same clip may have been refused by others, which is no matter of theirs.
struct Answerer {
  std::string oracle, version;
};

struct StoredRefusal {
  std::string clip;  // that was answered, but unusably
  std::string reason;
  double price = 0;     // money it probably cost
  std::string refused;  // time, set by the store
};

struct StoredRound {
  int64_t round = 0;
  int64_t answers = 0;       // spent so far, this run
  double seconds = 0;        // so far
  double price = 0;          // so far
  std::string metrics_json;  // what was measured
  std::string picks_json;    // what was asked
};

/// How long a run stays with a process that does not renew its lease, and how often one renews it.
/// A lease lasts for some heartbeats: one may have to wait for the disk or for another writer.
struct LeaseTimes {
  double lease_s = 60;
  double heartbeat_s = 15;
};

/// Refuses what is no store URL, as Store does, and opens nothing. Throws Error.
void require_store_url(const std::string& url);

class Store {
 public:
  /// `sqlite:PATH`. Creates and migrates. Throws Error: not a store, newer version (says both),
  /// disk full, locked.
  explicit Store(const std::string& url, const LeaseTimes& times = {});
  ~Store();  // gives its runs back
  Store(const Store&) = delete;

  // Videos
  struct Video {
    std::string id, path;
    double duration_s = 0;
    double health = 1;
    std::string quarantined;
  };
  void put_video(const Video& video);
  std::vector<Video> videos();
  /// Where an import wrote its lists.
  void put_lists_folder(const std::string& folder);
  /// Of the last import; empty where there was none.
  std::string lists_folder();

  // Runs. `key` identifies one (recipe, arm, seed); a run is continued, never duplicated. One Store
  // at a time is at work on a run. It holds a lease, which a thread of its own renews for as long
  // as it is at work. A lease ends with finish(), with the Store, when it was not renewed in time,
  // and with its process, if that was of this machine and boot.

  /// `status`: queued (claimed together with others, begun by nobody), running, waiting (answers
  /// are not there yet), stopped, failed, done. One found running that nobody has a lease of was
  /// killed.
  struct Run {
    int64_t id = 0;
    std::string key, name, recipe, revision, status;
    int64_t seed = 0;
    std::string created;
  };
  /// What makes a run.
  struct Trial {
    std::string key, name;
    int64_t seed = 0;
    std::string recipe, revision;
  };
  /// The run with that key, made if absent; what was stored first is kept. `status` comes back as
  /// it was before ("running" for a new run); in the store it becomes "running", unless it is
  /// "done". Takes the lease. Throws InUse, which names the process, where another process or Store
  /// has it.
  Run begin_or_continue(const std::string& key, const std::string& name, int64_t seed,
                        const std::string& recipe, const std::string& revision);
  /// Makes the runs that are absent, and begins the first in the order of `trials` that is neither
  /// done nor leased, by this Store either, as begin_or_continue does. Nothing where there is none
  /// at the moment. All in one transaction: no two processes get the same. One that waits for
  /// answers is given out too; who has just left it so leaves it out of `trials`.
  std::optional<Run> claim(const std::vector<Trial>& trials);
  /// How many of the trials are done, and how it stands with the others.
  struct Standing {
    int64_t done = 0;
    int64_t leased = 0;   // somebody is at work on it
    int64_t waiting = 0;  // for answers, and leased by nobody
    int64_t free = 0;     // for anybody to claim
    int64_t open() const { return leased + waiting + free; }
  };
  Standing standing(const std::vector<Trial>& trials);
  /// Sets the status ("done", "failed", "stopped", "waiting") and gives the lease back. Where
  /// others have taken the run over, theirs stays.
  void finish(int64_t run, const std::string& status);
  std::vector<Run> runs();

  // Answers: bought once per (clip, oracle, version), reused by every run.

  /// At the place of each clip its answer; empty where there is none.
  std::vector<std::optional<StoredAnswer>> find_answers(const std::vector<std::string>& clips,
                                                        const std::string& oracle,
                                                        const std::string& version);
  std::optional<StoredAnswer> find_answer(const std::string& clip, const std::string& oracle,
                                          const std::string& version);
  /// Reserves the clips for `run` against its budget, in one transaction: either every clip of
  /// `clips` not yet counted for this run fits into what is left of `max_answers` / `max_seconds` /
  /// `max_price`, or nothing changes and Error says by how much. Repeating a reservation changes
  /// nothing, whatever the limits: a clip stays with the round that reserved it first. `seconds`
  /// and `price` are per clip; a limit may be infinite. Sums may exceed a limit by rounding, 1e-9
  /// of it.
  void reserve(int64_t run, const Answerer& who, int64_t round,
               const std::vector<std::string>& clips, const std::vector<double>& seconds,
               const std::vector<double>& price, double max_answers, double max_seconds,
               double max_price);
  /// What reserved clips cost from now on, where that is more than they were reserved for: they are
  /// asked about again, of another oracle. The same again changes nothing.
  void raise_price(int64_t run, const std::vector<std::string>& clips, double price);
  /// Takes reservations of the run in that round back, in one transaction: the clips count as spent
  /// no more, and the run may reserve them again. What people are asked about such a clip is
  /// withdrawn with the last reservation of a round that is not stored yet, of whichever run. Clips
  /// that `who` has answered by now, or people have settled, keep their reservation, unless
  /// `answered_too`. Returns the clips without a reservation. Throws InUse as put_round.
  std::vector<std::string> unreserve(int64_t run, const Answerer& who, int64_t round,
                                     const std::vector<std::string>& clips,
                                     bool answered_too = false);
  /// Clips reserved by the run in that round, in order of reservation.
  std::vector<std::string> reserved(int64_t run, int64_t round);
  struct Spent {
    int64_t answers = 0;
    double seconds = 0;
    double price = 0;
  };
  /// A clip counts once, and in `price`, where its reservation has one, once more for each time
  /// that `who` was asked about it again, by whichever run: as an answer counts for every run that
  /// takes it, so does what it took to get it. reserve() holds its limits against the same sums.
  Spent spent(int64_t run, const Answerer& who);
  /// Stores answers, all of them or none, and marks the request that brought them paid (none where
  /// `request` is empty). A second answer of the same (clip, oracle, version) changes nothing.
  /// Clips of the request in `refused` were answered unusably: they are paid as well, and not asked
  /// about again before ask_again(). Two runs may have sent one request, under its one key: what
  /// the second was refused by it changes nothing either. While another process writes, a signal
  /// does not end this at once but after a second.
  void put_answers(const std::vector<StoredAnswer>& answers, const std::string& request = "",
                   const std::vector<StoredRefusal>& refused = {});
  void put_answer(const StoredAnswer& answer) { put_answers({answer}); }

  // Requests: clips sent to an oracle at once, under one idempotency key. A request is open from
  // before its first sending until its answers are stored; after a crash it is sent again with the
  // same clips in the same order under the same key.
  struct Request {
    std::string key;
    std::vector<std::string> clips;
  };
  /// Stores a request for the clips, in order, each once; clips that are answered, in an open
  /// request or refused are left out. Without a clip left nothing is stored and the key is empty.
  Request open_request(const std::string& oracle, const std::string& version,
                       const std::vector<std::string>& clips);
  /// Oldest first.
  std::vector<Request> open_requests(const std::string& oracle, const std::string& version);
  /// Closes an open request that cannot be sent again as it was; its clips may be asked for anew.
  void give_up(const std::string& request);
  /// What was answered unusably and not asked again, oldest first.
  std::vector<StoredRefusal> refused(const std::string& oracle, const std::string& version);
  /// From now on these may be asked about again; what they cost stays spent.
  void ask_again(const std::string& oracle, const std::string& version);

  // Rounds: replaced never; the last stored round is where a run continues.

  /// The same content again changes nothing. Throws Error for other content of a stored round;
  /// InUse where the lease was lost to others, or is theirs.
  void put_round(int64_t run, const StoredRound& round);
  std::vector<StoredRound> rounds(int64_t run);

  // What a run finds out beside its rounds. The same again changes nothing. Lists come back in the
  // order in which they were stored.

  /// Network passes that the selection of a round took; the last word counts.
  void put_passes(int64_t run, int64_t round, int64_t passes);
  /// Nothing where the selection of the round took none.
  std::optional<int64_t> passes(int64_t run, int64_t round);
  /// How many clips of a round were answered when what was still open was ranked again; the last
  /// word counts.
  void put_ranking(int64_t run, int64_t round, int64_t answered);
  /// 0 where that never happened.
  int64_t ranking(int64_t run, int64_t round);
  struct QuarantinedVideo {
    std::string path, reason;
  };
  /// The first reason of a path counts.
  void put_quarantined(int64_t run, const std::vector<QuarantinedVideo>& videos);
  std::vector<QuarantinedVideo> quarantined(int64_t run);
  /// What the reader of a report must know.
  void put_notes(int64_t run, const std::vector<std::string>& notes);
  std::vector<std::string> notes(int64_t run);
  /// Names of classes that the initial clips of the run hold none of.
  void put_unseen(int64_t run, const std::vector<std::string>& classes);
  std::vector<std::string> unseen(int64_t run);
  struct Student {
    int64_t round = 0;    // after which it was kept
    std::string weights;  // hash of its file
    std::string path;     // of the file, absolute; empty: unknown
  };
  /// A student that was kept, and where. The file may be another by now: look at its hash.
  void put_student(int64_t run, const Student& student);
  std::vector<Student> students(int64_t run);

  /// A line of the log, for people. `run` 0: of the store itself.
  void event(int64_t run, const std::string& kind, const std::string& text);
  struct Event {
    std::string time, kind, text;
  };
  std::vector<Event> events(int64_t run);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace distal
