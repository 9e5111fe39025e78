// What the machine itself says about names: hosts(5), and the name servers of resolv.conf(5). Both
// are read as the C library reads them; other sources of names that nsswitch.conf(5) may list are
// not asked.
//
//   WatchedFile file("/etc/resolv.conf");
//   if (const auto text = TRY(file.Changed())) … ParseResolvConf(*text) …
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "network/policy/address.h"

namespace cay::network {

struct NameServer {
  static constexpr uint16_t kPort = 53;

  Address address{};
  uint16_t port = kPort;

  // "192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:5353". kInvalidArgument.
  static Result<NameServer> Parse(std::string_view text);
  std::string Text() const;  // always with its port

  friend bool operator==(const NameServer&, const NameServer&) = default;
};

// As many as the C library asks (MAXNS).
inline constexpr size_t kMaxNameServers = 3;

struct ResolvConf {
  // The first kMaxNameServers of those that can be used; 127.0.0.1 where none is named, as
  // resolv.conf(5) says. A server may be named with its port, which the C library does not know.
  std::vector<NameServer> servers{};
  // Servers that are named and cannot be used: fe80::1%eth0, for instance.
  std::vector<std::string> unusable{};
};
ResolvConf ParseResolvConf(std::string_view text);

// Names in lower case, without a trailing dot; addresses in the order of their lines, each once, at
// most kMaxHostAddresses. What is no address with names behind it is passed over.
using HostNames = std::unordered_map<std::string, std::vector<Address>>;
inline constexpr size_t kMaxHostAddresses = 64;
HostNames ParseHosts(std::string_view text);

// A file that others write, and that is read again when it differs by its times, size or inode.
class WatchedFile {
 public:
  static constexpr Bytes kMaxBytes = 8 * kMiB;

  explicit WatchedFile(std::string path) : path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  // Its text, when it is another than at the last call, or that one failed. Of a file that is not
  // there it is empty. An error is told once for each state of the file.
  Result<std::optional<std::string>> Changed();

 private:
  struct Mark {
    int error = 0;  // why it cannot be looked at; ENOENT where it is not there
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    int64_t modified_ns = 0;
    int64_t changed_ns = 0;
    friend bool operator==(const Mark&, const Mark&) = default;
  };

  std::string path_;
  std::optional<Mark> mark_;
};

// Each as NameServer::Parse takes it, and not more than `most`.
Result<std::vector<NameServer>> ParseNameServers(const std::vector<std::string>& texts,
                                                 size_t most);

}  // namespace cay::network
