#include "distal/report/step_log.h"

#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "distal/base/error.h"
#include "distal/base/files.h"
#include "distal/base/json.h"

namespace distal {
namespace {

constexpr const char* kStepEvents = "events.out.tfevents.distal";

double unix_time_s() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

int64_t step_of_line(const std::string& line) {
  const auto json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  const bool whole = json.is_object() && json.contains("step") && json["step"].is_number_integer();
  return whole ? json["step"].get<int64_t>() : 0;
}

void append(const std::string& path, const std::string& text) {
  std::ofstream out(path, std::ios::app | std::ios::binary);
  out << text << std::flush;
  if (!out) fail("{}: cannot be written; is the disk full, or the folder not yours?", path);
}

}  // namespace

std::vector<std::string> whole_lines(const std::string& path, int64_t& from) {
  std::ifstream in(path, std::ios::binary);
  std::vector<std::string> lines;
  in.seekg(from);
  for (std::string line; std::getline(in, line) && !in.eof();) {
    from += std::ssize(line) + 1;
    lines.push_back(line);
  }
  return lines;
}

StepLog::StepLog(std::string folder, std::string training)
    : folder_(std::move(folder)),
      training_(std::move(training)),
      events_(folder_ + "/" + kStepEvents) {}

void StepLog::open(bool anew) {
  opened_ = true;
  make_folder(folder_);
  const std::string path = folder_ + "/" + kStepsFile;
  std::error_code absent;
  if (anew) {
    std::filesystem::remove(path, absent);
    std::filesystem::remove(folder_ + "/" + kStepEvents, absent);
    return;
  }
  int64_t whole = 0;
  const std::vector<std::string> lines = whole_lines(path, whole);
  if (!lines.empty()) last_ = step_of_line(lines.back());
  // A line that a kill cut off is written again.
  if (std::filesystem::exists(path, absent)) std::filesystem::resize_file(path, whole, absent);
}

void StepLog::add(int64_t from, int64_t step, const Values& values) {
  if (!opened_) open(from == 0);
  if (step <= last_) return;
  last_ = step;
  nlohmann::ordered_json line = {
      {"training", training_}, {"step", step}, {"time_s", unix_time_s()}};
  std::vector<Scalar> scalars;
  for (const auto& [name, value] : values) {
    line[name] = value;  // nlohmann writes null for what is not finite
    if (std::isfinite(value)) scalars.push_back({name, step, value});
  }
  append(folder_ + "/" + kStepsFile, json_text(line) + "\n");
  events_.add(scalars, unix_time_s());
}

}  // namespace distal
