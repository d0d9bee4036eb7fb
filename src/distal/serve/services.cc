#include "distal/serve/services.h"

namespace distal::serve {
Services::Services(ServeOptions told)
    : options(std::move(told)),
      people([this] { return std::make_unique<PeopleStore>(options.store); }),
      store([this] { return std::make_unique<Store>(options.store); }),
      sign_in(people, options.now),
      media(people, options.probes_folder, options.proxies_folder, options.most_proxy_bytes),
      served(options, people),
      maps(served, people, media),
      studies(served, people, store),
      events(people, studies, served, options.store, options.now) {}

}  // namespace distal::serve
