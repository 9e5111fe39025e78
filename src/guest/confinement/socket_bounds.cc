#include "guest/confinement/socket_bounds.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <string_view>

#include "guest/io/proc_files.h"

namespace cay::guest {
namespace {

// The third word of the line that begins with `name`: "NAME size sockets memory …".
std::optional<uint64_t> ThirdWord(std::string_view text, std::string_view name) {
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    at = end + 1;
    std::array<std::string_view, 3> words;
    for (std::string_view& word : words) {
      line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
      word = line.substr(0, line.find(' '));
      line.remove_prefix(word.size());
    }
    uint64_t number = 0;
    if (words[0] != name) continue;
    const auto parsed = std::from_chars(words[2].data(), words[2].data() + words[2].size(), number);
    if (parsed.ec == std::errc()) return number;
  }
  return std::nullopt;
}

std::optional<uint64_t> CountOfProtocol(const Fd& proc, std::string_view name) {
  std::array<char, 16'384> buffer;
  return ThirdWord(ReadSmall(proc, "self/net/protocols", buffer), name);
}

uint32_t Limit(int family, int option) {
  if (family == AF_NETLINK) {
    return option == SO_RCVBUF ? kNetlinkReceiveBuffer : kNetlinkSendBuffer;
  }
  const bool internet = family == AF_INET || family == AF_INET6;
  return internet && option == SO_RCVBUF ? kInternetReceiveBuffer : UINT32_MAX;
}

}  // namespace

std::optional<uint64_t> CountNetlinkSockets(const Fd& proc) {
  // /proc/net/netlink would not show those that have no address yet.
  return CountOfProtocol(proc, "NETLINK");
}

std::optional<uint64_t> CountPingSockets(const Fd& proc, int family) {
  return CountOfProtocol(proc, family == AF_INET6 ? "PINGv6" : "PING");
}

std::optional<uint64_t> CountSockets(const Fd& proc) {
  std::array<char, 1024> buffer;
  return FindNumber(ReadSmall(proc, "self/net/sockstat", buffer), "sockets: used");
}

int OpenNetlinkSocket(int type, int protocol) {
  const int raw = ::socket(AF_NETLINK, type | SOCK_CLOEXEC, protocol);
  if (raw < 0) return -errno;
  Fd socket = Fd::Adopt(raw);
  for (const int option : {SO_RCVBUF, SO_SNDBUF}) {
    const int error = SetBuffer(socket, option, INT32_MAX);
    if (error != 0) return -error;
  }
  return std::move(socket).Release();
}

int SetBuffer(const Fd& socket, int option, int value) {
  int family = 0;
  socklen_t size = sizeof family;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_DOMAIN, &family, &size) < 0) return errno;
  // The kernel takes it for unsigned as well.
  const uint32_t least = std::min(static_cast<uint32_t>(value), Limit(family, option));
  const auto bytes = static_cast<int>(least);
  return ::setsockopt(socket.get(), SOL_SOCKET, option, &bytes, sizeof bytes) < 0 ? errno : 0;
}

}  // namespace cay::guest
