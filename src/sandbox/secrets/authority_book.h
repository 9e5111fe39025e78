// AuthorityBook: the certificate authority of a server, with which requests with secrets are
// intercepted (network/intercept/), in a sealed file (sealed_files.h). Made when it is first asked
// for, and the same from then on, so that sandboxes trust the next server and the next relay too.
//
//   const AuthorityBook book(paths.state_dir);
//   const ServerAuthority authority = TRY(book.Get(UnixMs()));
//
//   STATE/secrets.authority   sealed
//
// It lives for ten years. Two before its end another is made, which sandboxes are given from then
// on beside it; one before its end that other signs. So no sandbox meets a certificate that it was
// not given, unless it has run for a year without being started, reset or resumed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "crypto/authority.h"
#include "protocol/message_codec.h"
#include "sandbox/secrets/sealed_files.h"

namespace cay::sandbox {

struct KeptAuthority {
  std::string certificate{};
  std::string key{};
  int64_t made_unix_ms = 0;
  protocol::SkippedFields rest{};

  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.certificate, Identity::kMaxBytes);
    codec.Field(2, self.key, Identity::kMaxBytes);
    codec.Field(3, self.made_unix_ms);
    codec.Rest(self.rest);
  }
};

// Which of them to go on with. Pure.
struct AuthorityPlan {
  static constexpr int64_t kDayMs = 86'400'000;
  static constexpr int64_t kLifeMs = kDayMs * (kAuthorityLife.count() / 24);
  static constexpr int64_t kMadeAheadMs = 2 * 365 * kDayMs;  // before the end of the one before
  static constexpr int64_t kUsedAheadMs = 365 * kDayMs;

  // Those that have not ended, oldest first.
  static std::vector<KeptAuthority> Living(std::vector<KeptAuthority> all, int64_t now_unix_ms);
  static bool NeedsAnother(const std::vector<KeptAuthority>& living, int64_t now_unix_ms);
  // Of at least one.
  static size_t InUse(const std::vector<KeptAuthority>& living, int64_t now_unix_ms);
};

struct ServerAuthority {
  Identity identity;                 // that signs
  std::vector<std::string> trusted;  // certificates for sandboxes: its own, and the next one's
  std::string mark;                  // another where `trusted` is
};

class AuthorityBook {
 public:
  static constexpr size_t kMost = 4;

  explicit AuthorityBook(std::string state_dir) : files_(std::move(state_dir)) {}
  Result<ServerAuthority> Get(int64_t now_unix_ms) const;

 private:
  struct Pages {
    std::vector<KeptAuthority> authorities{};
    protocol::SkippedFields rest{};

    static void Fields(auto& self, auto& codec) {
      codec.Field(1, self.authorities, AuthorityBook::kMost);
      codec.Rest(self.rest);
    }
  };
  Result<Pages> Read() const;

  SealedFiles files_;
};

}  // namespace cay::sandbox
