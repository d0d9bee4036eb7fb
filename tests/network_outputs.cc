// What the library computes with a network of others, for tests that compare it with the program
// that wrote it: `network_outputs RECIPE CLIPS.npy OUT.npy` reads the section `network` of a text
// as in a recipe, runs the network on float32 clips [N, 3, T, H, W] and writes [N, D]. Prints JSON:
// classes, size, frames, and what was said. A fourth argument says how often to run it once more,
// for bench/network.py; the seconds of each are printed.

#include <chrono>
#include <cstdlib>
#include <iostream>

#include <torch/types.h>
#include <nlohmann/json.hpp>

#include "distal/base/document.h"
#include "distal/base/error.h"
#include "distal/base/npy.h"
#include "distal/base/options.h"
#include "distal/networks/network.h"

namespace {

struct Recipe {
  distal::NetworkOptions network;
  void visit(distal::OptionVisitor& v) const { v("network", network, "a network"); }
};

}  // namespace

int main(int count, char** words) {
  if (count != 4 && count != 5) return 2;
  try {
    Recipe recipe;
    distal::read_options(recipe, words[1], "recipe");
    std::vector<std::string> said;
    const auto network = distal::open_network(
        recipe.network, "network", [&](const std::string& line) { said.push_back(line); });
    const torch::Tensor clips = distal::map_npy(words[2]).clone();
    distal::write_npy(words[3], network->run(clips));
    std::vector<double> seconds;
    for (int run = 0; count == 5 && run < std::atoi(words[4]); ++run) {
      const auto began = std::chrono::steady_clock::now();
      network->run(clips);
      seconds.push_back(
          std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
    }
    std::cout << nlohmann::json{{"classes", network->classes()},
                                {"size_px", network->size_px()},
                                {"frames", network->frames()},
                                {"width", network->width()},
                                {"said", said},
                                {"seconds", seconds}}
              << "\n";
    return 0;
  } catch (const distal::Error& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
