#include "distal/report/text.h"

#include "distal/base/text.h"
#include "distal/report/summary.h"

namespace distal {

std::string summary_text(const Results& results) {
  const Summary summary(results);
  std::string text = results.question.empty() ? "" : results.question + "\n";
  for (const ArmView& arm : summary.arms) {
    const Estimate final = estimate_share(final_values(arm, accuracy));
    if (!arm.ran()) continue;
    text += fmt::format("  {:<20} accuracy {:.4f}", arm.name, final.mean);
    if (final.seeds > 1 && final.high - final.low > 1e-9)
      text += fmt::format(" [{:.4f}, {:.4f}]", final.low, final.high);
    text += fmt::format(
        "  {} seed{}, {:.0f} {}\n", final.seeds, final.seeds == 1 ? "" : "s",
        estimate(final_values(arm, [&](const RoundResult& r) { return summary.spent(r); })).mean,
        summary.unit());
  }
  for (const std::string& sentence : answer(summary)) text += "  " + sentence + "\n";
  if (results.teacher_accuracy >= 0)
    text += fmt::format("  teacher: accuracy {:.4f}\n", results.teacher_accuracy);
  if (const size_t bad = results.quarantined.size(); bad > 0)
    text += fmt::format("  {} video{} could not be used\n", bad, bad == 1 ? "" : "s");
  return printable_lines(text);
}

}  // namespace distal
