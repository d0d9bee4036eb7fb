#pragma once
// Passwords and tokens, by libsodium. Thread-safe.

#include <string>

#include "distal/serve/place.h"

namespace distal::serve {

/// Where passwords are hashed and compared: each takes 64 MiB and a core, so two at once.
inline constexpr int64_t kHashedAtOnce = 2;
inline constexpr int64_t kMostToHash = 16;  // that wait
Places& hashing_places();

/// 256 random bits as 43 letters, digits, `-` and `_`.
std::string new_token();

/// BLAKE2b of a token, 64 hexadecimal digits: what the store keeps in its place.
std::string token_hash(const std::string& token);

/// Argon2id with libsodium's limits for interactive use: 64 MiB and some tenths of a second. Throws
/// Error: not enough memory; Refusal: 503, too many wait to be hashed.
std::string hash_password(const std::string& password);

/// Whether it is the password of the hash. With an empty hash it takes as long and says no. Throws
/// as hash_password does.
bool is_password(const std::string& hash, const std::string& password);

/// Compares in a time that depends on the lengths alone.
bool is_same_secret(const std::string& one, const std::string& other);

}  // namespace distal::serve
