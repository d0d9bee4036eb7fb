#include <ATen/Parallel.h>
#include <nlohmann/json.hpp>

#include "distal/base/error.h"
#include "distal/base/interrupted.h"
#include "distal/base/json.h"
#include "distal/cli/bench.h"
#include "distal/video/decoder.h"

namespace distal {
namespace {

struct DecodeArguments {
  std::string data, list = "train.csv";
  int64_t frames = 16;
  bool json = false;
};

// One thread; every video is probed, then read: `frames` spread evenly, as stored.
void bench_decode(const DecodeArguments& arguments) {
  const EndAtOnce makes_nothing;
  at::set_num_threads(1);
  double probe_s = 0;
  double read_s = 0;
  int64_t frames = 0;
  int64_t bad = 0;
  nlohmann::ordered_json means = nlohmann::ordered_json::object();
  for (const Row& row : read_rows(arguments.data + "/" + arguments.list, "", /*labelled=*/false)) {
    check_interrupted();
    if (means.contains(row.path)) continue;
    try {
      VideoInfo info;
      probe_s += seconds([&] { info = probe(arguments.data + "/" + row.path.str()); });
      std::vector<int64_t> indices;
      const int64_t count = arguments.frames > 0 ? arguments.frames : info.frames();
      for (int64_t k = 0; k < count; ++k)
        indices.push_back((2 * k + 1) * info.frames() / (2 * count));
      Frames read;
      read_s += seconds([&] { read = Decoder(info).at_frames(indices, {}); });
      means[row.path] = read.frames.mean(at::kDouble).item<double>();
      frames += count;
    } catch (const Interrupted&) {
      throw;
    } catch (const Error&) {
      ++bad;
    }
  }
  if (arguments.json) {
    fmt::print("{}\n", json_text(nlohmann::ordered_json{{"seconds", read_s},
                                                        {"probe_s", probe_s},
                                                        {"frames", frames},
                                                        {"bad", bad},
                                                        {"means", means}}));
    return;
  }
  fmt::print("{} frames of {} videos, one thread: {:.2f} s, {:.0f} frames/s; probed before in "
             "{:.2f} s; {} videos cannot be read\n",
             frames, means.size(), read_s, static_cast<double>(frames) / read_s, probe_s, bad);
}

}  // namespace

void add_bench_decode(CLI::App& bench) {
  auto* command =
      bench.add_subcommand("decode", "frames a second of the decoder, from the file, without the "
                                     "cache; against others: bench/decode.py");
  const auto arguments = std::make_shared<DecodeArguments>();
  command->add_option("--data", arguments->data, "folder of the list and the videos")->required();
  command->add_option("--list", arguments->list, "list in it")->capture_default_str();
  command->add_option("--frames", arguments->frames, "of each video, spread evenly; 0: all")
      ->capture_default_str()
      ->transform(number_from(0));
  command->add_flag("--json", arguments->json, "seconds and the mean pixel of each video");
  command->callback([arguments] { bench_decode(*arguments); });
}

}  // namespace distal
