#include "base/id.h"

#include <sys/random.h>

#include <algorithm>
#include <array>

namespace cay {
namespace {

constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789";

}  // namespace

Result<SandboxId> SandboxId::Generate() {
  std::string text;
  text.reserve(kLength);
  // Rejection sampling: 252 is the largest multiple of 36 in a byte, so no letter is favoured.
  constexpr unsigned kUsable = 252;
  while (text.size() < kLength) {
    std::array<unsigned char, 32> random{};
    const ssize_t got = ::getrandom(random.data(), random.size(), 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      return Failure(Error::FromErrno("getrandom"));
    }
    for (ssize_t i = 0; i < got && text.size() < kLength; ++i) {
      const unsigned byte = random[static_cast<size_t>(i)];
      if (byte < kUsable) text.push_back(kAlphabet[byte % kAlphabet.size()]);
    }
  }
  return SandboxId(std::move(text));
}

Result<SandboxId> SandboxId::Parse(std::string_view text) {
  const bool valid = text.size() == kLength && std::ranges::all_of(text, [](char c) {
                       return kAlphabet.find(c) != std::string_view::npos;
                     });
  if (!valid) {
    return Failure(Error::Invalid("not a sandbox id: an id is 20 characters of a-z and 0-9"));
  }
  return SandboxId(std::string(text));
}

}  // namespace cay
