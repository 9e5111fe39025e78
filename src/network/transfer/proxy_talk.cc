#include "network/transfer/proxy_talk.h"

#include <algorithm>
#include <array>

#include "base/encoding.h"
#include "base/text.h"
#include "base/units.h"

namespace cay::network {
namespace {

constexpr std::string_view kEndOfHead = "\r\n\r\n";
constexpr char kVersion = 5;
constexpr char kPasswordVersion = 1;
constexpr uint8_t kNoMethod = 0;
constexpr uint8_t kPasswordMethod = 2;
constexpr uint8_t kNameKind = 3;

Error NoSuchProxy(std::string_view kind) {
  return {ErrorCode::kProtocol, Fault::kMachine,
          "the proxy does not answer as " + std::string(kind) + " does"};
}

Error WantsCredentials() {
  return Error(ErrorCode::kPermissionDenied, Fault::kMachine,
               "the proxy does not take the user name and password that it was given, or wants "
               "some");
}

Error Refuses(std::string why, bool forbidden) {
  return {forbidden ? ErrorCode::kPermissionDenied : ErrorCode::kUnavailable, Fault::kMachine,
          "the proxy did not connect: " + std::move(why)};
}

std::string Authority(const std::string& host, uint16_t port) {
  return (host.contains(':') ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string ConnectRequest(const Proxy& proxy, const std::string& host, uint16_t port) {
  const std::string authority = Authority(host, port);
  std::string request = "CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n";
  if (!proxy.user.empty()) {
    request +=
        "Proxy-Authorization: Basic " + EncodeBase64(proxy.user + ":" + proxy.password) + "\r\n";
  }
  return request + "\r\n";
}

// RFC 1928, 3.
std::string Greeting(const Proxy& proxy) {
  std::string greeting = {kVersion, 1, static_cast<char>(kNoMethod)};
  if (proxy.user.empty()) return greeting;
  greeting[1] = 2;
  return greeting + static_cast<char>(kPasswordMethod);
}

// RFC 1929, 2.
std::string PasswordRequest(const Proxy& proxy) {
  std::string request(1, kPasswordVersion);
  for (const std::string* text : {&proxy.user, &proxy.password}) {
    request += static_cast<char>(text->size());
    request += *text;
  }
  return request;
}

// RFC 1928, 4.
std::string SocksRequest(const std::string& host, uint16_t port) {
  std::string request = {kVersion, 1, 0};
  if (const auto address = Address::Parse(host)) {
    const bool v4 = address->family() == Family::kV4;
    request += static_cast<char>(v4 ? 1 : 4);
    for (size_t i = 0; i < (v4 ? 4U : 16U); ++i) request += static_cast<char>(address->bytes()[i]);
  } else {
    request += static_cast<char>(kNameKind);
    request += static_cast<char>(host.size());
    request += host;
  }
  request += static_cast<char>(port >> 8);
  request += static_cast<char>(port & 255);
  return request;
}

// RFC 1928, 6.
std::string_view ReplyText(uint8_t reply) {
  constexpr std::array<std::string_view, 9> kTexts = {"",
                                                      "it has failed",
                                                      "its rules do not allow it",
                                                      "the network cannot be reached",
                                                      "the host cannot be reached",
                                                      "the connection was refused",
                                                      "the time to live has expired",
                                                      "it does not know the command",
                                                      "it does not know this kind of address"};
  return reply < kTexts.size() ? kTexts[reply] : "for a reason that has no name";
}

}  // namespace

ProxyTalk::ProxyTalk(const Proxy& proxy, std::string_view host, uint16_t port)
    : proxy_(proxy), host_(host), port_(port) {
  if (proxy.kind == Proxy::Kind::kHttp) {
    unsent_ = ConnectRequest(proxy, host_, port);
  } else {
    stage_ = Stage::kMethod;
    unsent_ = Greeting(proxy);
    wanted_ = 2;
  }
}

Result<size_t> ProxyTalk::Read(std::string_view bytes) {
  if (stage_ == Stage::kDone) return size_t{0};
  return stage_ == Stage::kHead ? ReadHead(bytes) : ReadSocks(bytes);
}

Result<size_t> ProxyTalk::ReadHead(std::string_view bytes) {
  size_t taken = 0;
  while (stage_ == Stage::kHead && taken < bytes.size()) {
    const size_t before = heard_.size();
    heard_.append(bytes.substr(taken, kMaxHead - read_));
    const size_t end = heard_.find(kEndOfHead);
    if (end != std::string::npos) heard_.resize(end + kEndOfHead.size());
    taken += heard_.size() - before;
    read_ += heard_.size() - before;
    constexpr std::string_view kBegins = "HTTP/1.";
    if (!heard_.starts_with(kBegins.substr(0, heard_.size())))
      return Failure(NoSuchProxy("an HTTP proxy"));
    if (end != std::string::npos) {
      TRY(OfHead());
    } else if (read_ == kMaxHead) {
      return Failure(Error(ErrorCode::kProtocol, Fault::kMachine,
                           "the proxy's answer is over " + std::to_string(kMaxHead) + " bytes"));
    }
  }
  return taken;
}

// "HTTP/1.1 200 Connection established"
Result<void> ProxyTalk::OfHead() {
  const std::string_view line(heard_.data(), heard_.find("\r\n"));
  const auto status = line.size() >= 12 && line[8] == ' ' && (line.size() == 12 || line[12] == ' ')
                          ? ParseUnsigned(line.substr(9, 3), 599)
                          : Result<uint64_t>(0);
  if (!status || *status < 100) return Failure(NoSuchProxy("an HTTP proxy"));
  if (*status < 200 && *status != 101 && ++interim_ <= kMaxInterim) {
    heard_.clear();
    return {};
  }
  if (*status == 407) return Failure(WantsCredentials());
  if (*status < 200 || *status >= 300)
    return Failure(Refuses("it answered " + std::to_string(*status), *status == 403));
  stage_ = Stage::kDone;
  heard_.clear();
  return {};
}

Result<size_t> ProxyTalk::ReadSocks(std::string_view bytes) {
  size_t taken = 0;
  while (stage_ != Stage::kDone && unsent_.empty() && taken < bytes.size()) {
    const std::string_view part = bytes.substr(taken, wanted_ - heard_.size());
    heard_ += part;
    taken += part.size();
    const auto version = stage_ == Stage::kPassword ? kPasswordVersion : kVersion;
    if (heard_.front() != version) return Failure(NoSuchProxy("a SOCKS5 proxy"));
    if (heard_.size() < wanted_) break;
    if (stage_ == Stage::kReply) {
      TRY(OfReply());
    } else {
      TRY(OfMethod());
    }
  }
  return taken;
}

// Of what it says to the greeting, and to the password: two bytes each.
Result<void> ProxyTalk::OfMethod() {
  const auto said = static_cast<uint8_t>(heard_[1]);
  heard_.clear();
  if (stage_ == Stage::kMethod && said == kPasswordMethod && !proxy_.user.empty()) {
    stage_ = Stage::kPassword;
    unsent_ = PasswordRequest(proxy_);
    return {};
  }
  if (said != kNoMethod) return Failure(WantsCredentials());
  stage_ = Stage::kReply;
  unsent_ = SocksRequest(host_, port_);
  wanted_ = 5;  // and the address's length is known
  return {};
}

Result<void> ProxyTalk::OfReply() {
  const auto byte = [&](size_t at) { return static_cast<uint8_t>(heard_[at]); };
  if (byte(1) != 0) return Failure(Refuses(std::string(ReplyText(byte(1))), byte(1) == 2));
  // After the address, of 4 or 16 bytes, or of as many as its first one says, comes a port.
  constexpr size_t kBefore = 4;
  constexpr size_t kPort = 2;
  const uint8_t kind = byte(3);
  if (kind == 1) {
    wanted_ = kBefore + 4 + kPort;
  } else if (kind == 4) {
    wanted_ = kBefore + 16 + kPort;
  } else if (kind == kNameKind) {
    wanted_ = kBefore + 1 + byte(4) + kPort;
  } else {
    return Failure(NoSuchProxy("a SOCKS5 proxy"));
  }
  if (heard_.size() == wanted_) stage_ = Stage::kDone;
  return {};
}

}  // namespace cay::network
