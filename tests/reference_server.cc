// The reference server as a program, for tests that kill distal: `reference_server WORK_S
// DROP_EVERY` prints its address and serves until its standard input ends. Two classes; an answer
// depends on its clip alone.

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "support/reference_server.h"

namespace {

torch::Tensor by_brightness(const torch::Tensor& clips) {
  const torch::Tensor probabilities = torch::empty({clips.size(0), 2});
  for (int64_t i = 0; i < clips.size(0); ++i) {
    const double bright = 1 / (1 + std::exp(-8 * clips[i].mean().item<double>()));
    probabilities[i][0] = bright;
    probabilities[i][1] = 1 - bright;
  }
  return probabilities;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) {
    std::fputs("usage: reference_server WORK_S DROP_EVERY\n", stderr);
    return 2;
  }
  const distal::ReferenceServer server(
      by_brightness, {.work_s = std::atof(arguments[1]), .drop_every = std::atoll(arguments[2])});
  std::puts(server.url().c_str());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
}
