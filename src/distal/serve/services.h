#pragma once
// What handlers work with.

#include "distal/serve/events.h"
#include "distal/serve/maps.h"
#include "distal/serve/media.h"
#include "distal/serve/options.h"
#include "distal/serve/pool.h"
#include "distal/serve/served.h"
#include "distal/serve/sign_in.h"
#include "distal/serve/studies.h"

namespace distal::serve {

/// Thread-safe.
struct Services {
  explicit Services(ServeOptions told);

  ServeOptions options;
  Pool<PeopleStore> people;
  Pool<Store> store;
  SignIn sign_in;
  Media media;
  Served served;
  Maps maps;
  Studies studies;
  Events events;
};

}  // namespace distal::serve
