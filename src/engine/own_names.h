// What /etc says of a sandbox's own name and network: hosts(5), resolv.conf(5).
#pragma once

#include <string>
#include <string_view>

namespace cay::engine {

// The name that sandboxes have unless another is asked for, and that templates' files have.
inline constexpr std::string_view kUsualHostname = "cay";

// localhost, and `hostname` at 127.0.1.1, where Debian has it.
inline std::string HostsFile(std::string_view hostname) {
  return "127.0.0.1\tlocalhost\n127.0.1.1\t" + std::string(hostname) +
         "\n::1\tlocalhost ip6-localhost ip6-loopback\n";
}

inline constexpr const char* kResolvConf =
    "# This sandbox has no network, and so no name servers.\n";

}  // namespace cay::engine
