// Secret: a value that a sandbox's programs use and never hold: where they send its placeholder,
// the relay sends the value.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cay::network {

struct Secret {
  static constexpr size_t kMaxName = 64;
  static constexpr size_t kMaxHosts = 16;
  static constexpr size_t kMaxHost = 253 + 6;  // with a port
  static constexpr size_t kMaxHeader = 128;
  static constexpr size_t kMaxFormat = 256;
  static constexpr size_t kMaxValue = size_t{4} * 1024;
  static constexpr size_t kMostOfASandbox = 16;  // a packet holds all of their values

  std::string name{};
  std::vector<std::string> hosts{};  // "api.example.com", or with a port other than 443
  std::string header{};              // the only one that may carry it; empty: any
  std::string format{};              // "Bearer {}": what this header is then; empty: as it was sent
  std::string placeholder{};
  std::string value{};
  bool revoked = false;  // without a value: its placeholder is refused everywhere, at its hosts too

  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.name, kMaxName);
    codec.Field(2, self.hosts, kMaxHosts, kMaxHost);
    codec.Field(3, self.header, kMaxHeader);
    codec.Field(4, self.format, kMaxFormat);
    codec.Field(5, self.placeholder, size_t{64});
    codec.Field(6, self.value, kMaxValue);
    codec.Field(7, self.revoked);
  }
  friend bool operator==(const Secret&, const Secret&) = default;
};

}  // namespace cay::network
