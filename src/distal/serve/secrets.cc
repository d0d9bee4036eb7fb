#include "distal/serve/secrets.h"

#include <array>

#include <sodium.h>

#include "distal/base/error.h"

namespace distal::serve {
namespace {

constexpr size_t kTokenBytes = 32;

void need_sodium() {
  static const int ready = ::sodium_init();
  expect(ready >= 0, "libsodium can be initialised");
}

/// A place among hashing_places(), as long as this lives.
class HashingPlace {
 public:
  HashingPlace() { hashing_places().enter(); }
  ~HashingPlace() { hashing_places().leave(); }
  HashingPlace(const HashingPlace&) = delete;
};

}  // namespace

Places& hashing_places() {
  static Places places(kHashedAtOnce, kMostToHash);
  return places;
}

std::string new_token() {
  need_sodium();
  std::array<unsigned char, kTokenBytes> bytes{};
  ::randombytes_buf(bytes.data(), bytes.size());
  constexpr int kVariant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
  std::string text(sodium_base64_ENCODED_LEN(kTokenBytes, kVariant), '\0');
  ::sodium_bin2base64(text.data(), text.size(), bytes.data(), bytes.size(), kVariant);
  text.pop_back();  // the terminating zero
  return text;
}

std::string token_hash(const std::string& token) {
  need_sodium();
  std::array<unsigned char, 32> hash{};
  ::crypto_generichash(hash.data(), hash.size(),
                       reinterpret_cast<const unsigned char*>(token.data()), token.size(), nullptr,
                       0);
  std::string text(2 * hash.size() + 1, '\0');
  ::sodium_bin2hex(text.data(), text.size(), hash.data(), hash.size());
  text.pop_back();
  return text;
}

std::string hash_password(const std::string& password) {
  need_sodium();
  const HashingPlace place;
  std::array<char, crypto_pwhash_STRBYTES> hash{};
  if (::crypto_pwhash_str(hash.data(), password.data(), password.size(),
                          crypto_pwhash_OPSLIMIT_INTERACTIVE,
                          crypto_pwhash_MEMLIMIT_INTERACTIVE) != 0) {
    fail("password: there is too little memory to hash it; stop what else runs");
  }
  return hash.data();
}

bool is_password(const std::string& hash, const std::string& password) {
  need_sodium();
  static const std::string nobodys = hash_password(new_token());
  const std::string& held = hash.empty() ? nobodys : hash;
  const HashingPlace place;  // behind nobodys, which takes one too
  const int same = ::crypto_pwhash_str_verify(held.c_str(), password.data(), password.size());
  return same == 0 && !hash.empty();
}

bool is_same_secret(const std::string& one, const std::string& other) {
  need_sodium();
  return one.size() == other.size() && ::sodium_memcmp(one.data(), other.data(), one.size()) == 0;
}

}  // namespace distal::serve
