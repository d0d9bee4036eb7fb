#include <fstream>
#include <iterator>

#include "cli/command.h"
#include "experiment/report.h"
#include "experiment/thumbnail.h"

namespace distal {
namespace {

Results read_results(const std::string& folder) {
  const std::string path = folder + "/report.json";
  std::ifstream in(path);
  if (!in) fail("{}: no finished run here; distal run writes it (--out names the folder)", path);
  return results_from_json({std::istreambuf_iterator<char>(in), {}});
}

}  // namespace

void add_report(CLI::App& app) {
  auto* command = app.add_subcommand("report", "one static page from finished runs; several are laid side by side");
  const auto folders = std::make_shared<std::vector<std::string>>();
  const auto out = std::make_shared<std::string>("report.html");
  command->add_option("runs", *folders, "result folders")->required();
  command->add_option("--out", *out, "the page to write")->capture_default_str();
  command->callback([=] {
    Results all = read_results(folders->front());
    for (size_t i = 1; i < folders->size(); ++i) {
      const Results more = read_results((*folders)[i]);
      if (more.classes != all.classes || more.test_clips != all.test_clips)
        fail("{}: other classes or another test set than {}; such numbers cannot stand side by side", (*folders)[i], folders->front());
      for (Cell cell : more.cells) {
        cell.arm = more.name + "/" + cell.arm;
        cell.control = false;
        all.cells.push_back(cell);
      }
    }
    std::ofstream file(*out);
    file << report_html(all, thumbnail);
    if (!file.flush()) fail("{}: cannot be written; check the folder and the disk", *out);
    fmt::print("{}\n", *out);
  });
}

}  // namespace distal
