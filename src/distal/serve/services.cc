#include "distal/serve/services.h"

namespace distal::serve {
namespace {

std::unique_ptr<Runner> runner_for(const ServeOptions& options, Pool<PeopleStore>& people) {
  if (!options.study || options.run_command.empty()) return nullptr;
  return std::make_unique<Runner>(options.run_command, options.run_log, options.study->name,
                                  people);
}

}  // namespace

Services::Services(ServeOptions told)
    : options(std::move(told)),
      people([this] { return std::make_unique<PeopleStore>(options.store); }),
      store([this] { return std::make_unique<Store>(options.store); }),
      sign_in(people, options.now),
      media(people, options.probes_folder, options.proxies_folder),
      runner(runner_for(options, people)),
      studies(options, people, store, runner.get()),
      events(people, studies, options.store, options.now) {}

}  // namespace distal::serve
