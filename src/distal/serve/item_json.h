#pragma once
// Items and answers in the shapes of openapi.json.

#include <optional>

#include <nlohmann/json.hpp>

#include "distal/serve/services.h"
#include "distal/serve/videos.h"

namespace distal::serve {

/// `media/VIDEO/WHAT`, relative to the page, so that a prefix of a reverse proxy stays.
std::string media_url(const std::string& video, const std::string& what);
/// Of a small JPEG.
std::string picture_url(const std::string& video, double t_s);
/// Video.
nlohmann::ordered_json video_json(const Videos::Known& video);

/// null where the strategy scores no clips.
nlohmann::ordered_json score_json(const PeopleStore::Reason& reason);

/// Item, as `person` sees it. `lease_until_ms`: nothing where it is not leased to her.
nlohmann::ordered_json item_json(Services& services, PeopleStore& store,
                                 const PeopleStore::Item& item, const std::string& person,
                                 std::optional<int64_t> lease_until_ms);
/// GalleryItem; `blind`: without the class.
nlohmann::ordered_json gallery_json(Services& services, PeopleStore& store,
                                    const PeopleStore::Item& item, bool blind);
/// Answer.
nlohmann::ordered_json answer_json(PeopleStore& store, const PeopleStore::Answer& answer);
/// Answers, each as answer_json.
nlohmann::ordered_json answers_json(PeopleStore& store,
                                    const std::vector<PeopleStore::Answer>& answers);

}  // namespace distal::serve
