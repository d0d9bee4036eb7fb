#include <termios.h>
#include <unistd.h>

#include <iostream>

#include "distal/base/error.h"
#include "distal/base/text.h"
#include "distal/cli/command.h"
#include "distal/cli/output.h"
#include "distal/serve/options.h"
#include "distal/serve/secrets.h"
#include "distal/serve/sign_in.h"

namespace distal {
namespace {

using serve::kLongestPassword;
using serve::kShortestPassword;

const std::vector<std::string> kRoles = {"annotator", "adjudicator", "owner"};

struct UsersArguments {
  std::string store = "sqlite:distal.db";
  std::string name, role;
  std::string address = "http://127.0.0.1:8080/";
};

/// The terminal shows nothing of what is typed as long as this lives.
class Unseen {
 public:
  Unseen() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios hidden = before_;
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    changed_ = ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) == 0;
  }
  ~Unseen() {
    if (changed_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  Unseen(const Unseen&) = delete;

 private:
  termios before_{};
  bool changed_ = false;
};

std::string typed(const std::string& prompt) {
  if (::isatty(STDIN_FILENO) == 0) {
    std::string line;
    std::getline(std::cin, line);
    return line;
  }
  const Unseen unseen;  // first: it drops what was typed before
  print_error(prompt);
  std::string line;
  std::getline(std::cin, line);
  print_error("\n");
  return line;
}

// From a terminal twice, else one line of stdin.
std::string password_for(const std::string& name) {
  const std::string password = typed(fmt::format("password of {}: ", name));
  if (password.size() < kShortestPassword || password.size() > kLongestPassword) {
    fail("password: it has {} bytes; give one of {} to {} on stdin", password.size(),
         kShortestPassword, kLongestPassword);
  }
  if (::isatty(STDIN_FILENO) != 0 && typed("once more: ") != password)
    fail("password: the two differ; give the command again");
  return password;
}

PeopleStore::User known_user(PeopleStore& store, const std::string& name) {
  const auto user = store.user(name);
  if (!user) fail("user {}: there is none; distal users add makes one", name);
  return *user;
}

void list_users(const UsersArguments& arguments) {
  PeopleStore store(arguments.store);
  std::string text = fmt::format("{:24} {:12} {:>8}  {}\n", "name", "role", "answers", "log-in");
  for (const auto& user : store.users()) {
    const char* how = user.disabled           ? "disabled"
                      : user.password.empty() ? "by link"
                                              : "by password";
    text += fmt::format("{:24} {:12} {:>8}  {}\n", user.name, user.role,
                        store.count_answers({.person = user.name}), how);
  }
  fmt::print("{}", printable_lines(text));
}

void add_user(const UsersArguments& arguments) {
  serve::Pool<PeopleStore> stores([&] { return std::make_unique<PeopleStore>(arguments.store); });
  if (stores.borrow()->user(arguments.name))
    fail("user {}: the name is taken; distal users password gives another password",
         arguments.name);
  serve::SignIn(stores, serve::system_now_ms)
      .add_user(arguments.name, arguments.role, password_for(arguments.name));
  fmt::print("user {}: added as {}\n", arguments.name, arguments.role);
}

void change_user(const UsersArguments& arguments, const PeopleStore::UserChange& change,
                 const std::string& done) {
  PeopleStore store(arguments.store);
  store.change_user(arguments.name, change);
  fmt::print("user {}: {}\n", arguments.name, done);
}

void set_password(const UsersArguments& arguments) {
  PeopleStore store(arguments.store);
  known_user(store, arguments.name);
  const std::string password = password_for(arguments.name);
  change_user(arguments, {.password = serve::hash_password(password)},
              "has a new password; sessions before it have ended");
}

void give_link(const UsersArguments& arguments) {
  serve::Pool<PeopleStore> stores([&] { return std::make_unique<PeopleStore>(arguments.store); });
  const auto user = stores.borrow()->user(arguments.name);
  if (user && user->disabled)
    fail("user {}: is disabled; distal users enable comes first", arguments.name);
  const std::string role = user ? user->role : arguments.role;
  const std::string token = serve::SignIn(stores, serve::system_now_ms).link(arguments.name, role);
  print_now(fmt::format("{}{}#link={}\n", arguments.address,
                        arguments.address.ends_with('/') ? "" : "/", token));
}

CLI::App* add_action(CLI::App& users, const std::string& name, const std::string& about,
                     const std::shared_ptr<UsersArguments>& arguments, bool named,
                     const std::function<void()>& action) {
  CLI::App* const command = users.add_subcommand(name, about);
  if (named) command->add_option("name", arguments->name, "of the user")->required();
  command->add_option("--store", arguments->store, "the store of the study")->capture_default_str();
  command->callback(action);
  return command;
}

void add_role(CLI::App* command, UsersArguments& arguments, const std::string& about) {
  arguments.role = kRoles.front();
  command->add_option("--role", arguments.role, about)
      ->check(CLI::IsMember(kRoles))
      ->capture_default_str();
}

void add_users(CLI::App* command) {
  command->description(
      "keeps the users of distal serve: distal users list, add, password, disable, enable or link");
  command->require_subcommand(1);
  const auto users = std::make_shared<UsersArguments>();
  add_action(*command, "list", "lists the users", users, false, [users] { list_users(*users); });
  add_role(add_action(*command, "add", "adds a user; the password is one line of stdin", users,
                      true, [users] { add_user(*users); }),
           *users, "what the user may do");
  add_action(*command, "password", "gives a user another password, one line of stdin", users, true,
             [users] { set_password(*users); });
  add_action(*command, "disable", "keeps a user out; the answers stay", users, true, [users] {
    change_user(*users, {.disabled = true}, "disabled; the sessions have ended");
  });
  add_action(*command, "enable", "lets a disabled user in again", users, true,
             [users] { change_user(*users, {.disabled = false}, "enabled"); });
  CLI::App* const link =
      add_action(*command, "link", "prints an address that logs a user in once, within a day",
                 users, true, [users] { give_link(*users); });
  add_role(link, *users, "of a user who is not there yet");
  link->add_option("--address", users->address, "where the server is reached")
      ->capture_default_str();
}

}  // namespace

extern const Command users_command;
const Command users_command{76, add_users};

}  // namespace distal
