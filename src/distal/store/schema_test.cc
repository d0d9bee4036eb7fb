#include "distal/store/schema.h"

#include <gmock/gmock.h>
#include <sqlite3.h>

#include <fstream>
#include <sstream>

#include "distal/base/hash.h"
#include "distal/base/random.h"
#include "distal/store/database.h"
#include "distal/store/people_store.h"
#include "distal/store/store_test_helpers.h"

namespace distal {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Raw {
 public:
  explicit Raw(const std::string& path) {
    EXPECT_EQ(sqlite3_open(path.c_str(), &db_), SQLITE_OK);
    run("PRAGMA synchronous = OFF");
  }
  ~Raw() { sqlite3_close(db_); }
  void run(const std::string& sql) {
    ASSERT_EQ(sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(db_);
  }
  std::vector<std::string> column(const std::string& sql) {
    std::vector<std::string> values;
    const auto take = [](void* into, int, char** fields, char**) {
      static_cast<std::vector<std::string>*>(into)->push_back(fields[0] ? fields[0] : "NULL");
      return 0;
    };
    EXPECT_EQ(sqlite3_exec(db_, sql.c_str(), take, &values, nullptr), SQLITE_OK)
        << sqlite3_errmsg(db_);
    return values;
  }

 private:
  sqlite3* db_ = nullptr;
};

std::string bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

// A store as the program of that version left it, with a row in every table it had.
void make_old(const std::string& path, int64_t version) {
  {
    const auto dialect = dialect_of("sqlite:" + path);
    soci::session sql;
    dialect->connect(sql);
    Transaction transaction(*dialect, sql);
    for (int64_t i = 0; i < version; ++i) {
      for (const auto statement : migrations()[i]) dialect->migrate(sql, statement);
    }
    dialect->set_version(sql, version);
    transaction.commit();
  }
  Raw raw(path);
  raw.run("INSERT INTO videos (id, path, duration_s) VALUES ('h', 'a.mp4', 2.5)");
  raw.run("INSERT INTO clips VALUES (1, 'h@0-2500', 'h', 0, 2500)");
  raw.run("INSERT INTO runs VALUES (4, 'key', 'arm', 3, 'recipe', 'rev', 'running', "
          "'2025-01-01T00:00:00.000Z')");
  raw.run("INSERT INTO clips VALUES (2, 'h@2500-5000', 'h', 2500, 5000)");
  if (version < 4) {
    raw.run(
        "INSERT INTO requests VALUES (2, 'o', 'v', 'cafe', 'open'), (1, 'o', 'v', 'beef', 'paid')");
  } else {
    raw.run("INSERT INTO request_groups VALUES (1, 'o', 'v', 'beef', 'paid'), (2, 'o', 'v', "
            "'cafe', 'open')");
    raw.run("INSERT INTO request_clips VALUES (1, 1, 1), (2, 1, 2)");
  }
  raw.run("INSERT INTO answers VALUES (1, 'o', 'v', '[0.25,0.75]', 0.5, 2.5, "
          "'2025-01-01T00:00:00.000Z')");
  if (version < 6) {
    raw.run("INSERT INTO reservations VALUES (4, 1, 0, 1, 2.5, 0.5)");
  } else {
    raw.run("INSERT INTO reservations VALUES (1, 4, 1, 0, 2.5, 0.5)");
  }
  raw.run("INSERT INTO rounds VALUES (4, 0, 1, 2.5, 0.5, '{}', '[]')");
  if (version >= 5)
    raw.run("INSERT INTO refusals VALUES (1, 1, 'reason', 0.5, '2025-01-01T00:00:00.000Z', '')");
  if (version >= 2)
    raw.run("INSERT INTO events VALUES (1, 4, '2025-01-01T00:00:00.000Z', 'kind', 'text')");
}

void log(const std::string& path, const std::string& run, const std::string& kind,
         const std::string& text) {
  Raw(path).run(fmt::format("INSERT INTO events (id, run, time, kind, text) "
                            "SELECT MAX(id) + 1, {}, 'then', '{}', '{}' FROM events",
                            run, kind, text));
}

TEST_F(StoreTest, MigratesEveryOlderVersionAndKeepsItsData) {
  ASSERT_GE(schema_version(), 4);
  for (int64_t version = 1; version <= schema_version(); ++version) {
    SCOPED_TRACE(version);
    std::filesystem::remove(path());
    make_old(path(), version);
    Store store(url());
    EXPECT_EQ(Raw(path()).column("PRAGMA user_version").at(0), std::to_string(schema_version()));
    ASSERT_EQ(store.videos().size(), 1u);
    EXPECT_EQ(store.videos()[0].health, 1);
    EXPECT_EQ(store.videos()[0].quarantined, "");
    EXPECT_EQ(store.begin_or_continue("key", "", 0, "", "").id, 4);
    ASSERT_EQ(store.open_requests("o", "v").size(), 1u);
    EXPECT_EQ(store.open_requests("o", "v")[0].key, "cafe");
    EXPECT_EQ(store.open_requests("o", "v")[0].clips, std::vector<std::string>{"h@2500-5000"});
    EXPECT_THAT(Raw(path()).column(
                    "SELECT state || ' ' || idempotency_key FROM request_groups ORDER BY id"),
                ::testing::ElementsAre("paid beef", "open cafe"));
    EXPECT_EQ(store.find_answer("h@0-2500", "o", "v")->probabilities,
              (std::vector<double>{0.25, 0.75}));
    EXPECT_EQ(store.reserved(4, 0), std::vector<std::string>{"h@0-2500"});
    EXPECT_EQ(store.spent(4, kOracle).price, 0.5);
    EXPECT_EQ(store.refused("o", "v").size(), version >= 5 ? 1u : 0u);
    EXPECT_EQ(store.rounds(4).size(), 1u);
    EXPECT_EQ(store.events(4).size(), version >= 2 ? 1u : 0u);
    store.event(4, "after", "the migration");
    EXPECT_EQ(store.events(4).back().kind, "after");
  }
}

TEST_F(StoreTest, MovesWhatEventsHeldIntoColumns) {
  for (const int64_t version : {2, 5, 7}) {
    SCOPED_TRACE(version);
    std::filesystem::remove(path());
    make_old(path(), version);
    Raw(path()).run(
        "INSERT INTO runs VALUES (9, 'other', 'arm', 5, 'recipe', 'rev', 'done', 'then')");
    log(path(), "4", "forwards", "100 in round 1");
    log(path(), "4", "forwards", "70 in round 2");
    log(path(), "4", "forwards", "120 in round 1");  // selected once more: the last word counts
    log(path(), "9", "forwards", "7 in round 1");
    log(path(), "4", "forwards", "many in round 3");
    log(path(), "4", "forwards", "80 in round 4 or so");
    log(path(), "4", "forwards", "");
    log(path(), "4", "quarantined", "b.mp4\nno frames\nat all");
    log(path(), "4", "quarantined", "a.mp4\nno index");
    log(path(), "4", "quarantined", "b.mp4\nsomething else");
    log(path(), "4", "quarantined", "no reason");
    log(path(), "4", "note", "second thoughts: it''s late");
    log(path(), "4", "note", "another");
    log(path(), "9", "note", "another");
    log(path(), "4", "unseen", "3: jump: high");
    log(path(), "4", "unseen", "3: bow");
    log(path(), "4", "unseen", "nonsense");
    log(path(), "4", "student", "abc in round 2");
    log(path(), "4", "student at", "/runs/x/arm.safetensors");
    log(path(), "4", "student", "def in round 3");
    log(path(), "4", "student", "def in round three");
    log(path(), "9", "student", "fff in round 2");  // by a program that did not say where
    log(path(), "NULL", "lists", "/lists/old");
    log(path(), "NULL", "lists", "/lists/new");
    const size_t lines = Raw(path()).column("SELECT id FROM events").size();

    Store store(url());
    EXPECT_EQ(store.passes(4, 1), 120);
    EXPECT_EQ(store.passes(4, 2), 70);
    EXPECT_EQ(store.passes(9, 1), 7);
    for (const int64_t round : {0, 3, 4}) EXPECT_FALSE(store.passes(4, round));
    const auto quarantined = store.quarantined(4);
    ASSERT_EQ(quarantined.size(), 2u);
    EXPECT_EQ(quarantined[0].path, "b.mp4");
    EXPECT_EQ(quarantined[0].reason, "no frames\nat all");
    EXPECT_EQ(quarantined[1].path, "a.mp4");
    EXPECT_THAT(store.notes(4), ElementsAre("second thoughts: it's late", "another"));
    EXPECT_THAT(store.notes(9), ElementsAre("another"));
    EXPECT_THAT(store.unseen(4), ElementsAre("jump: high", "bow"));
    std::vector<std::string> students;
    for (const auto& student : store.students(4)) {
      students.push_back(fmt::format("{} {} {}", student.weights, student.round, student.path));
    }
    EXPECT_THAT(students,
                ElementsAre("abc 2 /runs/x/arm.safetensors", "def 3 /runs/x/arm.safetensors"));
    ASSERT_EQ(store.students(9).size(), 1u);
    EXPECT_EQ(store.students(9)[0].weights, "fff");
    EXPECT_EQ(store.students(9)[0].path, "");
    EXPECT_EQ(store.lists_folder(), "/lists/new");
    EXPECT_EQ(Raw(path()).column("SELECT id FROM events").size(), lines) << "the log stays";
    EXPECT_EQ(store.events(4).at(1).text, "100 in round 1");
  }
}

TEST_F(StoreTest, LetsTheDatabaseNumberTheRowsOfAnOldStore) {
  make_old(path(), 5);
  {
    Raw raw(path());  // reserved in another order than clips were made
    raw.run("INSERT INTO clips VALUES (8, 'z@0-1', 'z', 0, 1)");
    raw.run("INSERT INTO reservations VALUES (4, 8, 0, 2, 1, 0), (4, 2, 0, 3, 1, 0)");
  }
  {
    Store store(url());
    EXPECT_THAT(store.reserved(4, 0), ElementsAre("h@0-2500", "z@0-1", "h@2500-5000"));
    store.reserve(4, kOracle, 1, {"new"}, {1}, {0}, 99, 99, 99);
    EXPECT_EQ(store.begin_or_continue("another", "", 0, "", "").id, 5);
    store.event(5, "kind", "text");
    store.open_request("o", "v", {"new"});
  }
  Raw raw(path());
  EXPECT_THAT(raw.column("SELECT id FROM clips ORDER BY id"), ElementsAre("1", "2", "8", "9"));
  EXPECT_THAT(raw.column("SELECT id FROM request_groups ORDER BY id"), ElementsAre("1", "2", "3"));
  EXPECT_THAT(raw.column("SELECT id FROM events ORDER BY id"), ElementsAre("1", "2"));
  EXPECT_THAT(raw.column("PRAGMA foreign_key_check"), ::testing::IsEmpty());
  EXPECT_THAT(raw.column("PRAGMA integrity_check"), ElementsAre("ok"));
  EXPECT_THAT(
      raw.column("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL "
                 "ORDER BY name"),
      ElementsAre("clips_of_video", "events_of_run", "item_leases_by_end",
                  "item_reasons_of_strategy", "items_by_progress", "items_in_conflict",
                  "items_of_budget", "items_of_clip", "items_of_purpose", "items_of_round",
                  "items_of_state", "items_of_study", "items_to_answer", "items_to_answer_of_study",
                  "one_answer_a_person", "one_decision", "people_answers_by_class",
                  "people_answers_by_seconds", "people_answers_of_item", "people_answers_of_person",
                  "people_answers_of_study", "refusals_of_clip", "requests_of_clip",
                  "sessions_of_person"));
  EXPECT_THAT(raw.column("SELECT DISTINCT \"table\" FROM sqlite_master, "
                         "pragma_foreign_key_list(sqlite_master.name) "
                         "WHERE type = 'table' ORDER BY 1"),
              ElementsAre("clips", "items", "people_answers", "request_groups", "runs", "users"));
}

// Every table with every row, as text.
std::vector<std::string> content(const std::string& path) {
  Raw raw(path);
  std::vector<std::string> all;
  for (const auto& table :
       raw.column("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")) {
    std::string columns = "'" + table + "'";
    for (const auto& column :
         raw.column(fmt::format("SELECT name FROM pragma_table_info('{}')", table))) {
      columns += fmt::format(" || ' {}=' || quote({})", column, column);
    }
    const auto rows = raw.column(fmt::format("SELECT {} FROM {} ORDER BY 1", columns, table));
    all.insert(all.end(), rows.begin(), rows.end());
  }
  return all;
}

TEST_F(StoreTest, KeepsWhatAStoreHeldBeforePeopleAnswered) {
  make_old(path(), 8);
  {
    Raw raw(path());
    raw.run("INSERT INTO leases VALUES (4, 'h', 'host', 'boot', 1, 2, 3)");
    raw.run("INSERT INTO passes VALUES (4, 1, 100)");
    raw.run("INSERT INTO quarantined VALUES (3, 4, 'b.mp4', 'no frames')");
    raw.run("INSERT INTO notes VALUES (2, 4, 'it''s late')");
    raw.run("INSERT INTO unseen_classes VALUES (1, 4, 'bow')");
    raw.run("INSERT INTO students VALUES (7, 4, 1, 'abc', '/runs/x.safetensors')");
    raw.run("INSERT INTO imports VALUES (1, 'then', '/lists')");
  }
  const auto before = content(path());
  ASSERT_EQ(before.size(), 20u);
  PeopleStore people(url());
  EXPECT_EQ(content(path()), before);
  EXPECT_EQ(Raw(path()).column("PRAGMA user_version").at(0), std::to_string(schema_version()));
  PeopleStore::NewItem item;
  item.request = "beef";
  item.clip = "h@0-2500";
  EXPECT_EQ(people.add_items({item}, 0).size(), 1u);
  EXPECT_EQ(Store(url()).find_answer("h@0-2500", "o", "v")->probabilities,
            (std::vector<double>{0.25, 0.75}));
  EXPECT_THAT(Raw(path()).column("PRAGMA foreign_key_check"), ::testing::IsEmpty());
}

TEST(Schema, NeverChangesAPublishedMigration) {
  // Fails after an edit of an old migration: undo the edit and add a migration instead. A new one
  // adds its number here.
  const std::vector<uint64_t> published = {
      2717717140154246386ULL,  3475397692491484926ULL,  18779452449670032ULL,
      17909226318179349059ULL, 11594692423639415740ULL, 11482315161386876502ULL,
      9367948879431260751ULL,  12372492502059058544ULL, 4699662119553120317ULL,
      6234434833937852124ULL,  17611835575294617983ULL, 16938595364735900169ULL};
  ASSERT_EQ(published.size(), migrations().size());
  for (size_t i = 0; i < published.size(); ++i) {
    std::string text;
    for (const auto statement : migrations()[i]) text += statement;
    EXPECT_EQ(fnv1a(text), published[i]) << "migration " << i + 1;
  }
}

TEST_F(StoreTest, RefusesANewerSchemaNamingBothVersions) {
  { Store store(url()); }
  Raw(path()).run("PRAGMA user_version = 42");
  const std::string before = bytes(path());
  EXPECT_THAT(error_of([&] { Store store(url()); }),
              AllOf(HasSubstr("version 42"), HasSubstr(fmt::format("up to {}", schema_version())),
                    HasSubstr("use a newer distal")));
  EXPECT_EQ(bytes(path()), before);
}

TEST_F(StoreTest, RefusesAnSqliteFileOfAnotherProgramUntouched) {
  Raw(path()).run("CREATE TABLE bookmarks (url TEXT)");
  const std::string before = bytes(path());
  EXPECT_THAT(error_of([&] { Store store(url()); }), HasSubstr("another program"));
  EXPECT_EQ(bytes(path()), before);
}

TEST_F(StoreTest, UsesWalAndFlagsItsFile) {
  Store store(url());
  EXPECT_EQ(Raw(path()).column("PRAGMA journal_mode").at(0), "wal");
  EXPECT_EQ(Raw(path()).column("PRAGMA application_id").at(0), std::to_string(kApplicationId));
}

TEST_F(StoreTest, SplitsTheKeyOfAClip) {
  Store store(url());
  store.open_request(
      "o", "v",
      {"h@0-2500", "a-1@b@30--1", "plain", "x@1-y", "@", "h@0-2500*0.3+i@7-8", "h@1-2#3"});
  EXPECT_THAT(
      Raw(path()).column("SELECT video || ' ' || start_ms || ' ' || end_ms FROM clips ORDER BY id"),
      ::testing::ElementsAre("h 0 2500", "a-1@b 30 -1", "plain 0 -1", "x@1-y 0 -1", "@ 0 -1",
                             "h 0 2500", "h 1 2"));
}

TEST_F(StoreTest, MarksARequestPaidByItsAnswersAndLostWhenGivenUp) {
  Store store(url());
  const auto paid = store.open_request("o", "v", {"c", "d"});
  const auto lost = store.open_request("o", "v", {"e"});
  store.open_request("o", "v", {"f"});
  store.put_answers({{"c", "o", "v", {1}, 0, 0}, {"d", "o", "v", {1}, 0, 0}}, paid.key);
  store.give_up(lost.key);
  store.give_up(paid.key);
  EXPECT_THAT(Raw(path()).column("SELECT state FROM request_groups ORDER BY id"),
              ::testing::ElementsAre("paid", "lost", "open"));
  EXPECT_THAT(Raw(path()).column("SELECT clip_key FROM request_clips JOIN clips ON clips.id = clip "
                                 "ORDER BY request, position"),
              ::testing::ElementsAre("c", "d", "e", "f"));
}

TEST_F(StoreTest, IsDocumentedTableByTableAndColumnByColumn) {
  const std::string page = bytes(DISTAL_SOURCE_DIR "/docs/database.md");
  { Store store(url()); }
  Raw raw(path());
  EXPECT_THAT(page, HasSubstr(fmt::format("version {}", schema_version())));
  for (const auto& table : raw.column("SELECT name FROM sqlite_master WHERE type = 'table'")) {
    const size_t start = page.find("## " + table + "\n");
    ASSERT_NE(start, std::string::npos) << table;
    const std::string section = page.substr(start, page.find("\n## ", start) - start);
    for (const auto& column :
         raw.column(fmt::format("SELECT name FROM pragma_table_info('{}')", table)))
      EXPECT_THAT(section, HasSubstr("| `" + column + "` |")) << table;
  }
}

TEST_F(StoreTest, SaysThatAnotherProgramForbidsWhatIsWritten) {
  Store store(url());
  Raw(path()).run("CREATE UNIQUE INDEX one_of_a_kind ON events (kind)");
  store.event(0, "import", "12 videos");
  EXPECT_THAT(error_of([&] { store.event(0, "import", "13 videos"); }),
              AllOf(HasSubstr(path()), HasSubstr("contradicts what is there"),
                    HasSubstr("restore a copy")));
  EXPECT_EQ(store.events(0).size(), 1u);
}

TEST_F(StoreTest, AnAnswerThatAnotherProgramSpoiledIsRefusedInOurWords) {
  Store store(url());
  store.put_answer({"clip", "oracle", "1", {0.25, 0.75}});
  for (const std::string text : {"", "no", "{}", "[0.5, \"a\"]", "[0.5, null]", "[[0.5]]"}) {
    Raw(path()).run("UPDATE answers SET probabilities = '" + text + "'");
    const std::string said = error_of([&] { store.find_answer("clip", "oracle", "1"); });
    EXPECT_THAT(said, ::testing::StartsWith("store: the answer about clip clip: ")) << text;
    EXPECT_THAT(said, ::testing::Not(::testing::HasSubstr("json.exception"))) << text;
  }
}

}  // namespace
}  // namespace distal
