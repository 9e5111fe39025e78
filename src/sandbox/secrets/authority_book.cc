#include "sandbox/secrets/authority_book.h"

#include <algorithm>
#include <utility>

#include "crypto/digest.h"

namespace cay::sandbox {
namespace {

constexpr std::string_view kContext = "cay authority 1";
constexpr std::string_view kName = "Cay, of one server";
constexpr size_t kMaxFile = size_t{1024} * 1024;

int64_t LeftMs(const KeptAuthority& one, int64_t now_unix_ms) {
  return one.made_unix_ms + AuthorityPlan::kLifeMs - now_unix_ms;
}

// Good from a day before it was made: not where the clock was wrong then.
bool HasBegun(const KeptAuthority& one, int64_t now_unix_ms) {
  return one.made_unix_ms - AuthorityPlan::kDayMs <= now_unix_ms;
}

}  // namespace

std::vector<KeptAuthority> AuthorityPlan::Living(std::vector<KeptAuthority> all,
                                                 int64_t now_unix_ms) {
  std::erase_if(all, [&](const KeptAuthority& one) { return LeftMs(one, now_unix_ms) <= 0; });
  std::ranges::sort(all, {}, &KeptAuthority::made_unix_ms);
  return all;
}

bool AuthorityPlan::NeedsAnother(const std::vector<KeptAuthority>& living, int64_t now_unix_ms) {
  return std::ranges::none_of(living, [&](const KeptAuthority& one) {
    return HasBegun(one, now_unix_ms) && LeftMs(one, now_unix_ms) > kMadeAheadMs;
  });
}

size_t AuthorityPlan::InUse(const std::vector<KeptAuthority>& living, int64_t now_unix_ms) {
  size_t best = 0;
  for (size_t i = 0; i < living.size(); ++i) {
    if (!HasBegun(living[i], now_unix_ms)) continue;
    best = i;
    if (LeftMs(living[i], now_unix_ms) > kUsedAheadMs) return i;
  }
  return best;
}

Result<AuthorityBook::Pages> AuthorityBook::Read() const {
  const std::string plain = TRY(files_.Read(kAuthorityFile, kContext, kMaxFile));
  if (plain.empty()) return Pages();
  return protocol::Decode<Pages>(plain, protocol::Unknown::kSkipped);
}

Result<ServerAuthority> AuthorityBook::Get(int64_t now_unix_ms) const {
  Pages pages = TRY(Read());
  auto living = AuthorityPlan::Living(pages.authorities, now_unix_ms);
  if (AuthorityPlan::NeedsAnother(living, now_unix_ms)) {
    const Fd lock = TRY(files_.Lock());
    pages = TRY(Read());  // another process may have been faster
    living = AuthorityPlan::Living(std::move(pages.authorities), now_unix_ms);
    if (AuthorityPlan::NeedsAnother(living, now_unix_ms)) {
      Identity made = TRY(MakeAuthority(kName));
      living.push_back({.certificate = std::move(made.certificate),
                        .key = std::move(made.key),
                        .made_unix_ms = now_unix_ms});
      if (living.size() > kMost) living.erase(living.begin());
      std::ranges::sort(living, {}, &KeptAuthority::made_unix_ms);
      pages.authorities = living;
      TRY(files_.Write(kAuthorityFile, kContext, protocol::Encode(pages)));
    }
  }
  const size_t in_use = AuthorityPlan::InUse(living, now_unix_ms);
  ServerAuthority authority;
  authority.identity = {.certificate = living[in_use].certificate, .key = living[in_use].key};
  std::string all;
  for (KeptAuthority& one : living) {
    all += one.certificate;
    authority.trusted.push_back(std::move(one.certificate));
  }
  authority.mark = TRY(Sha256Hex(all));
  return authority;
}

}  // namespace cay::sandbox
