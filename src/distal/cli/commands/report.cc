#include "distal/report/report.h"
#include "distal/base/files.h"
#include "distal/cli/command.h"
#include "distal/evaluation/runs.h"
#include "distal/report/thumbnail.h"

namespace distal {
namespace {

void add_report(CLI::App* command) {
  command->description(
      "writes the report page of a finished run, or one page of several runs on the same test set");
  const auto folders = std::make_shared<std::vector<std::string>>();
  const auto out = std::make_shared<std::string>("report.html");
  const auto json = std::make_shared<bool>(false);
  command->add_option("runs", *folders, "result folders; of several, each arm is called FOLDER/ARM")
      ->required();
  command->add_option("--out", *out, "the page to write")->capture_default_str();
  command->add_flag("--json", *json, "the results as JSON on stdout, beside the page");
  command->callback([=] {
    const Results results = read_runs(*folders);
    write_atomically(*out, report_html(results, thumbnails()));
    fmt::print("{}\n", *json ? report_json(results) : *out);
  });
}

}  // namespace

extern const Command report_command;
const Command report_command{90, add_report};

}  // namespace distal
