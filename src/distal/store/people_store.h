#pragma once
// What people are asked and what they answered: items, leases, answers, users, sessions. The same
// database as Store (store/store.h). Safe for several processes; one PeopleStore per thread.
// Each call that writes is one transaction: all of it or nothing, whenever the process is killed.
// Times named `_ms` are milliseconds since 1970, UTC, and come from the caller. Times named `_s`
// are seconds of presentation time. `seconds` are of a person's time. Lists are pages: the next
// page begins after the last id of the one before.
//
// Every function may throw Error as Store does: disk full, locked, changed by another program. What
// a person or a client asked wrongly is a PeopleRefused.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "distal/base/error.h"

namespace distal {

/// The store refuses what was asked of it, and nothing has changed.
class PeopleRefused : public Error {
 public:
  enum class Why {
    not_found,   // no such item, answer, user or link
    conflict,    // it is there with other content, or contradicts what is there
    used,        // it was used already, and stays as it is
    lease_lost,  // the item is others' by now, or nobody's any more
    expired,     // too late
    invalid      // it says nothing that can be stored
  };
  PeopleRefused(Why why, const std::string& message) : Error(message), why(why) {}
  Why why;
};

/// What an answer counts at most, in times of what was expected of it.
inline constexpr double kMostOfExpected = 4;

/// How long a session lasts. Each use moves its end, but for uses within `step_ms` of the last,
/// which write nothing.
struct SessionTimes {
  int64_t idle_ms = 12LL * 3600 * 1000;          // without a use
  int64_t longest_ms = 30LL * 24 * 3600 * 1000;  // in all
  int64_t step_ms = 60LL * 1000;
};

class PeopleStore {
 public:
  /// The database at `url`, as Store opens it: made where it is absent, and migrated.
  explicit PeopleStore(const std::string& url);
  ~PeopleStore();
  PeopleStore(const PeopleStore&) = delete;

  // Items: what people are asked about.

  /// Why an item was chosen, by one strategy.
  struct Reason {
    std::string strategy;
    std::optional<double> score;  // nothing: the strategy scores no clips
    std::string guess_json;       // class probabilities of the student, or empty
    // the nearest answered clips: [{"clip", "class", "distance", "video", "start_s", "end_s"}],
    // end_s absent where the clip ends with its video; or empty
    std::string neighbours_json;
  };
  struct NewItem {
    std::string request;           // idempotency key of the ledger
    std::string clip;              // Clip::key(); once in a request
    std::string video;             // path
    double start_s = 0;            // of the clip
    double end_s = 0;              // infinity: to the end of the video
    std::string kind = "clip";     // clip: one class. ranges: classes of parts
    std::string purpose = "pool";  // start, pool, held_out, repeat
    std::string study;
    std::string version;        // of the oracle
    int64_t round = 0;          // that asks
    int64_t position = 0;       // the strategy's order: lower first
    int64_t wanted = 1;         // people
    std::string for_person;     // who alone may answer; empty: anybody
    int64_t after_answers = 0;  // it is handed out once its person has given as many answers in all
    std::string agree = "all";  // all: only equal answers settle it. majority, dawid_skene: as many
                                // answers as are wanted do, and who asked makes one of them
    double expected_s = 0;      // seconds of a person's time for an answer; 0: not known
    std::string budget;         // the budget of time that counts its answers; empty: none does
    std::string first_json;     // what the first of two oracles said, {"class": probability}, for
                                // people to see; empty: it is hidden, or there is none
    double budget_s = 0;        // seconds of that budget, where it is new; an earlier word stands
    std::vector<Reason> reasons;
  };
  struct Item : NewItem {  // without its reasons and budget_s
    int64_t id = 0;
    std::string state;       // open, settled, left_out (nobody could say), withdrawn
    int64_t places = 0;      // people who are still wanted; leases count as nobody
    bool conflict = false;   // open: who was wanted has answered, and they do not agree
    std::string class_name;  // settled, kind clip; of several what most said, empty with a tie
    std::string created;     // as Store has times
  };
  /// Adds items, and gives the id of each in their order. An item of the same request and clip that
  /// is there stays as it is. Throws PeopleRefused: invalid.
  std::vector<int64_t> add_items(const std::vector<NewItem>& items, int64_t now_ms);
  /// An item in another order, and why.
  struct Ranked {
    std::string request, clip;
    Reason reason;
  };
  /// Those of the items that are open exchange their positions, so that they come in this order,
  /// and get these reasons in place of those of the same strategy. Others stay as they are. Returns
  /// how many are open. Throws PeopleRefused: invalid.
  int64_t rank_again(const std::vector<Ranked>& items);
  std::optional<Item> item(int64_t id);
  /// In order of strategy.
  std::vector<Reason> reasons(int64_t item);
  struct AskedClip {
    int64_t item = 0;        // 0: the study did not ask about the clip
    std::string class_name;  // empty: not settled
    std::string purpose;     // of the item
  };
  /// Of each clip: the first item of the study that has a class, or else the last.
  std::vector<AskedClip> asked_about(const std::string& study,
                                     const std::vector<std::string>& clips);

  /// Fields that are empty filter nothing. A filter by state, purpose or round without a study or
  /// request looks through all items.
  struct ItemFilter {
    std::string request, clip, strategy, study, purpose, state;
    std::optional<int64_t> round;
    bool conflict = false;  // true: only those in conflict
  };
  /// At most `count` items with an id above `after`, by id: of a request that is its own order.
  std::vector<Item> items(const ItemFilter& filter, int64_t after, int64_t count);
  int64_t count_items(const ItemFilter& filter);
  /// At most `count` of the same, from the `offset`th on: for lists with numbered pages.
  std::vector<Item> items_at(const ItemFilter& filter, int64_t offset, int64_t count);

  // The queue. A lease keeps an item for a person until it ends. People who answered and people who
  // hold leases are together never more than are wanted.

  struct Next {
    std::string person, session;  // a session: one page of the person
    int64_t count = 1;
    int64_t now_ms = 0;
    int64_t lease_ms = 120'000;
    std::vector<int64_t> held;  // items that the page has already
    std::string study;          // empty: any
  };
  struct Leased {
    Item item;
    int64_t until_ms = 0;
  };
  /// The next items of the strategies' order for this person, now leased to the session. Left out
  /// is what the person answered or was not meant to, what other people fill, what another session
  /// of the person holds, and `held`. What this session holds besides comes again.
  std::vector<Leased> lease_next(const Next& next);
  /// Items that the person may still answer, those included that others hold at the moment.
  int64_t left(const std::string& person, const std::string& study = "");
  /// Leases the item until now_ms + lease_ms, which it returns. A lease that has ended, or was
  /// never there, is given too while there is a place. Throws PeopleRefused: not_found; conflict
  /// (the person answered it); lease_lost.
  int64_t renew(int64_t item, const std::string& person, const std::string& session, int64_t now_ms,
                int64_t lease_ms = 120'000);
  /// Gives the lease back. Where there is none, nothing happens.
  void release(int64_t item, const std::string& person);
  /// Gives back what the session of the person holds.
  void release_all(const std::string& person, const std::string& session);
  struct Lease {
    int64_t item = 0;
    std::string person, session;
    int64_t until_ms = 0;
  };
  /// Those that stand, by item and person.
  std::vector<Lease> leases(int64_t now_ms);

  // Answers

  struct Range {
    double start_s = 0;
    double end_s = 0;
    std::string class_name;
    bool operator==(const Range&) const = default;
  };
  /// An answer says one of: a class, `skipped`, or (an item of kind ranges) its ranges, which may
  /// be none.
  struct NewAnswer {
    std::string uuid;  // the client's: the same answer again has the same
    int64_t item = 0;
    std::string person;
    std::string class_name;
    bool skipped = false;
    bool unsure = false;
    std::string note;
    std::string source = "page";  // page, csv, label-studio, cvat
    int64_t began_ms = 0;
    int64_t answered_ms = 0;
    double seconds = 0;  // 0: unknown
    std::vector<Range> ranges;
  };
  struct Answer : NewAnswer {
    int64_t id = 0;
    std::string study;      // of the item
    bool decides = false;   // an adjudicator's word, above all others
    int64_t undone_ms = 0;  // 0: it stands
    bool used = false;      // taken by take_settled(): it cannot be undone
  };
  /// What became of an answer.
  struct Put {
    std::string state;      // of the item
    bool conflict = false;  // of the item
    bool repeated = false;  // it was stored before; nothing changed
  };
  /// Stores a person's answer, ends the person's lease, and settles the item where it can be. The
  /// same uuid with the same content (answered_ms apart) changes nothing, whatever became of it
  /// since. Without a lease that stands at now_ms an answer needs a place that is free. Throws
  /// PeopleRefused: not_found; invalid; conflict (other content under the uuid, the person has
  /// another answer of the item, or it is for somebody else); lease_lost.
  Put put(const NewAnswer& answer, int64_t now_ms);
  /// The adjudicator's word: settles the item whatever others said; no lease is needed. Throws
  /// PeopleRefused as put does; conflict where another decision stands; used where the item was
  /// taken.
  Put decide(const NewAnswer& answer);
  /// What became of each answer of a file.
  struct PutRow {
    std::optional<Put> put;    // nothing: it was refused
    PeopleRefused::Why why{};  // refused
    std::string message;       // refused
  };
  /// put() for each, in order and in one transaction. What is refused leaves the others stored.
  std::vector<PutRow> put_all(const std::vector<NewAnswer>& answers, int64_t now_ms);
  /// From now on the answer does not stand, and its item may be open again. Twice changes nothing.
  /// Throws PeopleRefused: not_found (another person's too, where `person` is not empty); used.
  Answer undo(const std::string& uuid, const std::string& person, int64_t now_ms);

  std::optional<Answer> answer(const std::string& uuid);
  /// Fields that are empty filter nothing.
  struct AnswerFilter {
    std::string person, study;
    int64_t item = 0;
    bool undone = false;  // true: also what was undone
  };
  /// At most `count` answers with an id below `before`, the newest first.
  std::vector<Answer> answers(const AnswerFilter& filter, int64_t before, int64_t count);
  /// The same, the oldest first, with an id above `after`.
  std::vector<Answer> answers_after(const AnswerFilter& filter, int64_t after, int64_t count);
  int64_t count_answers(const AnswerFilter& filter);
  /// At most `count` answers, the newest first, from the `offset`th on.
  std::vector<Answer> answers_at(const AnswerFilter& filter, int64_t offset, int64_t count);

  // Settling. An item is settled when as many people as are wanted answered and said the same, or
  // an adjudicator decided. It is left out when all of them skipped it, or the adjudicator did.
  // Where some said something else, or some skipped it and some did not, it stays open, in
  // conflict; a clip whose NewItem::agree is not `all` is settled then. Ranges are the same when
  // begin, end and class of all are equal.

  struct Standing {
    int64_t items = 0;
    int64_t open = 0;
    int64_t settled = 0;
    int64_t left_out = 0;
    int64_t withdrawn = 0;
    int64_t conflicts = 0;  // of the open ones
    int64_t answers = 0;    // that stand
  };
  /// Of a request; no items: it is not here.
  Standing standing(const std::string& request);
  struct Settled {
    Item item;
    std::vector<Range> ranges;    // settled, kind ranges
    std::vector<Answer> answers;  // that stand, the oldest first; none of a withdrawn item
  };
  /// The items of a request by id, once all of them, or the `share` in (0, 1], are not open any
  /// more; nothing before. Those that are still open are withdrawn then. The answers given are used
  /// from now on. The same call again gives the same. Throws PeopleRefused: not_found.
  std::optional<std::vector<Settled>> take_settled(const std::string& request, double share = 1);
  /// The same of a request that is finished, without using its answers: they can still be undone.
  std::optional<std::vector<Settled>> settled(const std::string& request);
  /// Withdraws what is open of a request, ends its leases and says how many items that were.
  int64_t withdraw(const std::string& request);
  /// The same for some items.
  int64_t withdraw(const std::vector<int64_t>& items);

  // Time. An answer counts its seconds: at most kMostOfExpected times what was expected of its item
  // (longer was a break), and what was expected where its seconds are unknown. What was undone
  // counts, and an adjudicator's decision does not. A lease in a budget keeps free what its answer
  // may count at most, so that the answers of a budget never count more than its seconds. Where
  // nobody holds a lease and the rest is less than any open item may count, what wants answers is
  // withdrawn. put() and renew() without a lease, and put_all(), refuse what does not fit:
  // lease_lost.

  struct TimeSpent {
    double seconds = 0;  // of the budget
    double used = 0;     // by answers
    double leased = 0;   // kept for leases that stand
  };
  /// Nothing where there is no such budget.
  std::optional<TimeSpent> time_spent(const std::string& budget, int64_t now_ms);
  /// Withdraws what the budgets cannot pay any more, and says how many items that were. put(),
  /// put_all() and lease_next() do so too: this is for who waits while nobody answers.
  int64_t withdraw_spent(int64_t now_ms);
  /// From now on the open repeats of a study count in the budget, if it is there.
  void move_repeats(const std::string& study, const std::string& budget);
  /// What answers about a clip took, and may still take.
  struct ClipTime {
    bool asked = false;
    double taken = 0;  // seconds that its answers count, those of repeats among them
    double most = 0;   // seconds that the answers still wanted may count
  };
  /// At the place of each clip; of items of the study and version.
  std::vector<ClipTime> clip_times(const std::vector<std::string>& clips, const std::string& study,
                                   const std::string& version);
  struct TimedAnswer {
    double clip_s = 0;  // length; infinity: to the end of its video
    double seconds = 0;
  };
  /// The last `count` answers whose seconds are known, in the order in which they were given.
  std::vector<TimedAnswer> timed_answers(const std::string& study, int64_t count);

  /// What somebody said of a clip; no decision, and nothing that was skipped or undone.
  struct Opinion {
    int64_t item = 0;
    std::string clip, purpose, version, person, class_name;
    bool used = false;
  };
  /// In the order in which they were given.
  std::vector<Opinion> opinions(const std::string& study);

  // Users, sessions, links. Passwords and tokens come as hashes that the caller makes.

  struct User {
    std::string name;
    std::string role;      // annotator, adjudicator, owner
    std::string password;  // hash; empty: no login by password
    std::string created;   // as Store has times; set by the store
    bool disabled = false;
  };
  /// Throws PeopleRefused: conflict (the name is taken), invalid.
  void add_user(const User& user, int64_t now_ms);
  std::optional<User> user(const std::string& name);
  /// By name.
  std::vector<User> users();
  struct UserChange {
    std::optional<std::string> role, password;
    std::optional<bool> disabled;
  };
  /// A new password, a new role or being disabled ends the user's sessions. Throws PeopleRefused:
  /// not_found, invalid, conflict (nobody would be left who is an owner).
  void change_user(const std::string& name, const UserChange& change);

  struct Session {
    std::string token_hash, person, csrf;
    int64_t created_ms = 0;
    int64_t seen_ms = 0;
    int64_t expires_ms = 0;
    std::string role;  // the user's; set by the store
  };
  /// Starts a session of a user, and forgets those that have ended. Throws PeopleRefused: not_found
  /// (no such user, or disabled), conflict (the token is taken).
  void open_session(const std::string& token_hash, const std::string& person,
                    const std::string& csrf, int64_t now_ms, const SessionTimes& times = {});
  /// The session, where it has not ended and its user is not disabled. Moves its end.
  std::optional<Session> session(const std::string& token_hash, int64_t now_ms,
                                 const SessionTimes& times = {});
  /// Where there is none, nothing happens.
  void end_session(const std::string& token_hash);

  struct Link {
    std::string token_hash, person, role;
    int64_t expires_ms = 0;
  };
  /// A link that starts one session of `person`, who becomes a user with that role where there is
  /// none of the name. Throws PeopleRefused: conflict (the token is taken), invalid.
  void add_link(const Link& link);
  /// Uses the link and starts the session, both or neither. Throws PeopleRefused: not_found, used,
  /// expired; as open_session.
  Session use_link(const std::string& link_hash, const std::string& token_hash,
                   const std::string& csrf, int64_t now_ms, const SessionTimes& times = {});

  // Totals, of answers that stand. An empty study: of all.

  struct Progress {
    std::string study, purpose;
    int64_t open = 0;
    int64_t settled = 0;
    int64_t left_out = 0;
    int64_t withdrawn = 0;
    int64_t conflicts = 0;  // of the open ones
  };
  /// By study and purpose.
  std::vector<Progress> progress(const std::string& study = "");
  /// What a round asks for one purpose; withdrawn items do not count.
  struct Batch {
    std::string purpose;
    int64_t round = 0;
    int64_t open = 0;
    int64_t answered = 0;  // settled or left out
  };
  /// Those with open items, by purpose and round.
  std::vector<Batch> open_batches(const std::string& study);
  struct ClassTotal {
    std::string class_name;
    int64_t answers = 0;  // of clips
    int64_t ranges = 0;
  };
  /// By class; classes that nobody named are missing.
  std::vector<ClassTotal> class_totals(const std::string& study = "");
  struct PersonTotal {
    std::string person;
    int64_t answers = 0;
    int64_t skipped = 0;
    int64_t unsure = 0;
    double seconds = 0;
  };
  /// By person.
  std::vector<PersonTotal> person_totals(const std::string& study = "");
  /// Classes that people said of whole clips. What an adjudicator decided, what was skipped and
  /// ranges are not in it.
  struct Compared {
    struct Said {
      int64_t item = 0;
      std::string clip;  // of `again`
      std::string person, class_name;
    };
    std::vector<Said> shared;  // of items that several people answered or skipped, by item
    std::vector<Said> again;   // about clips that several items ask about, the oldest first
    struct Count {
      std::string person, class_name;
      int64_t answers = 0;
    };
    std::vector<Count> counts;  // of all, by class and person
  };
  Compared compared(const std::string& study = "");
  /// Seconds of a person's time an answer; nothing where no answer says them.
  std::optional<double> median_seconds(const std::string& study = "");

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace distal
