// Writes a video, reads a clip of it, and asks a strategy for two of five clips.
#include <iostream>

#include <distal/active/strategy.h>
#include <distal/base/choice.h>
#include <distal/base/random.h>
#include <distal/video/decoder.h>
#include <distal/video/synthetic.h>

int main(int, char** argv) {
  distal::write_motion(argv[1], "left", 1, distal::SyntheticOptions());
  const distal::VideoInfo info = distal::probe(argv[1]);
  const std::vector<double> times = {0, info.duration_s / 2};
  const distal::Frames clip = distal::Decoder(info).at_times(times, distal::Resize{32});
  distal::PoolScores scores;
  scores.logits = torch::tensor({9.f, 0.f, 1.f, 1.f, 5.f, 0.f, 1.f, 2.f, 8.f, 0.f}).view({5, 2});
  const auto strategy = distal::make<distal::Strategy>("entropy");
  const torch::Tensor rows = strategy->select(scores, 2, distal::Random(1));
  std::cout << clip.frames.sizes() << " " << rows[0].item<int64_t>() << " "
            << rows[1].item<int64_t>() << "\n";
}
