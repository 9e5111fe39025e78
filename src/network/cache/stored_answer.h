// StoredAnswer: what a package cache keeps of a server's answer, beside its body.
//
// On disk, and so with numbered fields (docs/decisions/0025). A reader that does not know its
// format asks the server anew.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "http/message.h"

namespace cay::network {

struct StoredAnswer {
  static constexpr uint32_t kFormat = 1;
  static constexpr size_t kMaxKey = size_t{8} * 1024;
  static constexpr size_t kMaxFields = 64;
  static constexpr size_t kMaxHeaders = size_t{16} * 1024;  // names and values together

  struct Field {
    std::string name{};
    std::string value{};
    static void Fields(auto& self, auto& codec) {
      codec.Field(1, self.name, kMaxHeaders);
      codec.Field(2, self.value, kMaxHeaders);
    }
    friend bool operator==(const Field&, const Field&) = default;
  };

  uint32_t format = kFormat;
  std::string key{};             // CacheKey::text
  int64_t received_unix_ms = 0;  // it, or the answer that said that it is still good
  uint64_t age_s = 0;            // that it had then (RFC 9111, 4.2.3)
  uint64_t fresh_s = 0;          // up to which age it may be given without asking
  bool check_always = false;     // no-cache
  std::vector<Field> headers{};  // without those that are between neighbours, and Age
  std::string digest{};          // SHA-256 of the body, in hexadecimal
  uint64_t size = 0;             // of the body

  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.format);
    codec.Field(2, self.key, kMaxKey);
    codec.Field(3, self.received_unix_ms);
    codec.Field(4, self.age_s);
    codec.Field(5, self.fresh_s);
    codec.Field(6, self.check_always);
    codec.Field(7, self.headers, kMaxFields);
    codec.Field(8, self.digest, size_t{64});
    codec.Field(9, self.size);
  }
  friend bool operator==(const StoredAnswer&, const StoredAnswer&) = default;

  const std::string* Find(std::string_view name) const;
};

}  // namespace cay::network
