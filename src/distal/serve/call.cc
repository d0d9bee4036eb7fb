#include "distal/serve/call.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/ranges.h>

#include "distal/base/json.h"
#include "distal/base/text.h"
#include "distal/serve/refusal.h"

namespace distal::serve {
namespace {

template <class Number>
std::optional<Number> number_in(const std::string& text) {
  Number value{};
  const auto end = text.data() + text.size();
  const auto [rest, trouble] = std::from_chars(text.data(), end, value);
  if (trouble != std::errc() || rest != end) return std::nullopt;
  return value;
}

}  // namespace

Role role_of(const std::string& name) {
  if (name == "owner") return Role::owner;
  if (name == "adjudicator") return Role::adjudicator;
  return name == "annotator" ? Role::annotator : Role::nobody;
}

int64_t Call::id() const {
  const auto id = number_in<int64_t>(part("id"));
  if (!id || *id < 1)
    refuse_unknown(fmt::format("item {}: there is none; take its number", excerpt(part("id"), 40)));
  return *id;
}

int64_t Call::whole_part(const std::string& name) const {
  const auto number = number_in<int64_t>(part(name));
  if (!number || *number < 0) {
    refuse_unknown(
        fmt::format("{}: there is no {}; take a number from 0 on", name, excerpt(part(name), 40)));
  }
  return *number;
}

std::string Call::text(const std::string& name) const {
  const auto found = query.find(name);
  return found == query.end() ? "" : found->second;
}

double Call::number(const std::string& name, std::optional<double> otherwise) const {
  const auto found = query.find(name);
  if (found == query.end() && otherwise) return *otherwise;
  if (found == query.end()) refuse_request(fmt::format("{}: it is missing; give seconds", name));
  const auto value = number_in<double>(found->second);
  if (!value || !std::isfinite(*value) || *value < 0) {
    refuse_request(fmt::format("{}: '{}' is no number of 0 or more; give seconds", name,
                               excerpt(found->second, 40)));
  }
  return *value;
}

int64_t Call::whole(const std::string& name, int64_t low, int64_t high, int64_t otherwise) const {
  const auto found = query.find(name);
  if (found == query.end()) return otherwise;
  const auto value = number_in<int64_t>(found->second);
  if (!value || *value < low || *value > high) {
    refuse_request(fmt::format("{}: '{}' is no whole number; give one from {} to {}", name,
                               excerpt(found->second, 40), low, high));
  }
  return *value;
}

std::string Call::word(const std::string& name, const std::vector<std::string>& words) const {
  const auto found = query.find(name);
  if (found == query.end()) return words.front();
  if (std::ranges::find(words, found->second) == words.end()) {
    refuse_request(fmt::format("{}: '{}' is none of {}; give one of them", name,
                               excerpt(found->second, 40), fmt::join(words, ", ")));
  }
  return found->second;
}

bool Call::may(Role role) const { return caller && role_of(caller->role) >= role; }

Reply json_reply(const nlohmann::ordered_json& json, int status) {
  Reply reply;
  reply.status = status;
  reply.body = json_text(json);
  return reply;
}

Reply empty_reply() {
  Reply reply;
  reply.status = 204;
  return reply;
}

Fields::Fields(const nlohmann::json& body, std::vector<std::string> names, int rule_status)
    : body_(body), rule_status_(rule_status) {
  if (!body.is_object()) refuse_request("body: it is no JSON object; send one");
  for (const auto& [name, value] : body.items()) {
    if (std::ranges::find(names, name) == names.end()) {
      refuse_request(fmt::format("body: nobody knows the field '{}'; send {}", excerpt(name, 40),
                                 fmt::join(names, ", ")));
    }
  }
}

bool Fields::has(const std::string& name) const {
  const auto found = body_.find(name);
  return found != body_.end() && !found->is_null();
}

const nlohmann::json& Fields::field(const std::string& name) const {
  const auto found = body_.find(name);
  if (found == body_.end()) refuse_request(fmt::format("{}: it is missing; send it", name));
  return *found;
}

const nlohmann::json& Fields::at(const std::string& name, const char* type, bool fits) const {
  if (!fits) refuse_request(fmt::format("{}: it is no {}; send one", name, type));
  return field(name);
}

void Fields::break_rule(const std::string& name, const std::string& rule) const {
  throw Refusal(rule_status_, code_of(rule_status_), fmt::format("{}: {}", name, rule));
}

std::string Fields::text(const std::string& name, size_t least, size_t most) const {
  const auto text = at(name, "text", field(name).is_string()).get<std::string>();
  const size_t characters = static_cast<size_t>(
      std::ranges::count_if(text, [](char byte) { return (byte & 0xC0) != 0x80; }));
  if (characters < least || characters > most) {
    break_rule(name,
               fmt::format("it has {} characters; send from {} to {}", characters, least, most));
  }
  return text;
}

bool Fields::truth(const std::string& name) const {
  return at(name, "true or false", field(name).is_boolean()).get<bool>();
}

int64_t Fields::whole(const std::string& name, int64_t low, int64_t high) const {
  const auto& value = at(name, "whole number", field(name).is_number_integer());
  const bool fits = !value.is_number_unsigned() || value.get<uint64_t>() <= INT64_MAX;
  if (!fits || value.get<int64_t>() < low || value.get<int64_t>() > high)
    break_rule(name, fmt::format("it is outside; send a number from {} to {}", low, high));
  return value.get<int64_t>();
}

double Fields::number(const std::string& name, double low) const {
  const double value = at(name, "number", field(name).is_number()).get<double>();
  if (!std::isfinite(value) || value < low)
    break_rule(name, fmt::format("it is outside; send a number of {} or more", low));
  return value;
}

const nlohmann::json& Fields::list(const std::string& name) const {
  return at(name, "list", field(name).is_array());
}

const nlohmann::json& Fields::object(const std::string& name) const {
  return at(name, "object", field(name).is_object());
}

}  // namespace distal::serve
