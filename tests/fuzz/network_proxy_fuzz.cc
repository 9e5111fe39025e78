// What a proxy answers, and how one is written: whatever the bytes, and however they come in
// pieces, the same is read of them, no more than belongs to the proxy is taken, and what is shown
// of a proxy has no password in it. The first byte says which of them it is.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "network/transfer/proxy.h"
#include "network/transfer/proxy_talk.h"

namespace {

using cay::network::Proxy;
using cay::network::ProxyTalk;

void Check(bool condition) {
  if (!condition) std::abort();
}

enum class End : uint8_t { kDone, kFailed, kWaits };
struct Outcome {
  End end = End::kWaits;
  size_t taken = 0;
};

Outcome Talk(const Proxy& proxy, std::string_view bytes, size_t piece) {
  ProxyTalk talk(proxy, "example.com", 443);
  Outcome outcome;
  while (true) {
    talk.Sent(talk.unsent().size());
    if (talk.done()) return {.end = End::kDone, .taken = outcome.taken};
    const std::string_view left = bytes.substr(outcome.taken);
    if (left.empty()) return outcome;
    const auto own = talk.Read(left.substr(0, piece));
    if (!own) return {.end = End::kFailed, .taken = outcome.taken};
    Check(*own > 0 && *own <= left.size());
    outcome.taken += *own;
    Check(proxy.kind != Proxy::Kind::kHttp || outcome.taken <= ProxyTalk::kMaxHead);
    Check(proxy.kind != Proxy::Kind::kSocks5 || outcome.taken <= 300);
  }
}

void CheckTalk(const Proxy& proxy, std::string_view bytes) {
  const Outcome whole = Talk(proxy, bytes, std::string_view::npos);
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{1000}}) {
    const Outcome pieces = Talk(proxy, bytes, piece);
    Check(pieces.end == whole.end);
    Check(whole.end == End::kFailed || pieces.taken == whole.taken);
  }
}

void CheckUrl(std::string_view url) {
  const auto proxy = Proxy::Parse(url);
  if (!proxy) return;
  Check(proxy->port != 0 && !proxy->host.empty());
  Check(!proxy->Text().contains('@'));
  // As it is shown it is the same proxy, but for the password.
  Proxy open = *proxy;
  open.password.clear();
  const auto again = Proxy::Parse(open.Masked());
  if (proxy->kind == Proxy::Kind::kSocks5 && !proxy->user.empty()) return Check(!again);
  Check(again && again->host == proxy->host && again->port == proxy->port);
  Check(again->user == proxy->user);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  Proxy proxy{.host = "proxy.example", .port = 3128};
  switch (data[0] % 4) {
    case 0:
      CheckTalk(proxy, bytes);
      break;
    case 1:
      proxy.kind = Proxy::Kind::kSocks5;
      CheckTalk(proxy, bytes);
      break;
    case 2:
      proxy.kind = Proxy::Kind::kSocks5;
      proxy.user = proxy.password = "me";
      CheckTalk(proxy, bytes);
      break;
    default:
      CheckUrl(bytes);
  }
  return 0;
}
