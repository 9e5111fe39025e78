#include "network/resolver/machine_names.h"

#include <algorithm>
#include <cerrno>

#include "base/os/file.h"
#include "base/text.h"

namespace cay::network {
namespace {

// The words of a line, without its comment.
std::vector<std::string_view> Words(std::string_view line, std::string_view comment_marks) {
  line = line.substr(0, line.find_first_of(comment_marks));
  constexpr std::string_view kBlanks = " \t\r";
  std::vector<std::string_view> words;
  while (true) {
    const size_t begin = line.find_first_not_of(kBlanks);
    if (begin == std::string_view::npos) return words;
    line.remove_prefix(begin);
    const size_t length = std::min(line.find_first_of(kBlanks), line.size());
    words.push_back(line.substr(0, length));
    line.remove_prefix(length);
  }
}

int64_t Nanoseconds(const timespec& time) {
  return static_cast<int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

Result<NameServer> NameServer::Parse(std::string_view text) {
  std::string_view host = text;
  std::optional<std::string_view> port;
  if (text.starts_with('[')) {
    const size_t close = text.find("]:");
    if (close != std::string_view::npos) {
      host = text.substr(1, close - 1);
      port = text.substr(close + 2);
    }
  } else if (std::ranges::count(text, ':') == 1) {
    host = text.substr(0, text.find(':'));
    port = text.substr(text.find(':') + 1);
  }
  const Result<Address> address = Address::Parse(host);
  uint64_t number = kPort;
  if (port) number = ParseUnsigned(*port, UINT16_MAX).value_or(0);
  if (!address || number == 0 || (text.starts_with('[') && address->family() == Family::kV4)) {
    return Failure(Error::Invalid("a name server is named by its address, and not by \"" +
                                  std::string(text) + "\"")
                       .WithRemedy("192.0.2.1, 192.0.2.1:53 and [2001:db8::1]:53 are such names"));
  }
  return NameServer{.address = *address, .port = static_cast<uint16_t>(number)};
}

std::string NameServer::Text() const {
  const std::string host = address.Text();
  return (address.family() == Family::kV6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

ResolvConf ParseResolvConf(std::string_view text) {
  ResolvConf conf;
  for (const std::string_view line : Split(text, '\n')) {
    const std::vector<std::string_view> words = Words(line, "#;");
    if (words.size() < 2 || words[0] != "nameserver") continue;
    const Result<NameServer> server = NameServer::Parse(words[1]);
    if (!server) {
      conf.unusable.emplace_back(words[1]);
    } else if (conf.servers.size() < kMaxNameServers) {
      conf.servers.push_back(*server);
    }
  }
  if (conf.servers.empty()) conf.servers.push_back({.address = Address::V4(0x7f000001)});
  return conf;
}

HostNames ParseHosts(std::string_view text) {
  HostNames names;
  for (const std::string_view line : Split(text, '\n')) {
    const std::vector<std::string_view> words = Words(line, "#");
    if (words.size() < 2) continue;
    const Result<Address> address = Address::Parse(words[0]);
    if (!address) continue;
    for (size_t i = 1; i < words.size(); ++i) {
      std::string name = Lower(words[i]);
      if (name.ends_with('.')) name.pop_back();
      std::vector<Address>& known = names[std::move(name)];
      if (known.size() < kMaxHostAddresses && std::ranges::find(known, *address) == known.end()) {
        known.push_back(*address);
      }
    }
  }
  return names;
}

Result<std::optional<std::string>> WatchedFile::Changed() {
  Mark mark;
  struct stat status{};
  if (::stat(path_.c_str(), &status) < 0) {
    mark.error = errno;
  } else {
    mark = {.device = status.st_dev,
            .inode = status.st_ino,
            .size = status.st_size,
            .modified_ns = Nanoseconds(status.st_mtim),
            .changed_ns = Nanoseconds(status.st_ctim)};
  }
  if (mark_ == mark) return std::nullopt;
  // Of before it is read: what is written meanwhile is found at the next call.
  mark_ = mark;
  if (mark.error == ENOENT || mark.error == ENOTDIR) return std::string();
  if (mark.error != 0) return Failure(Error::FromErrno(path_, mark.error));
  if (!S_ISREG(status.st_mode)) {
    return Failure(Error(ErrorCode::kIo, Fault::kMachine, path_ + " is no regular file"));
  }
  return TRY(ReadFile(path_, kMaxBytes));
}

Result<std::vector<NameServer>> ParseNameServers(const std::vector<std::string>& texts,
                                                 size_t most) {
  if (texts.size() > most) {
    return Failure(Error::Invalid(std::to_string(texts.size()) + " name servers are more than " +
                                  std::to_string(most)));
  }
  std::vector<NameServer> servers;
  servers.reserve(texts.size());
  for (const std::string& text : texts) servers.push_back(TRY(NameServer::Parse(text)));
  return servers;
}

}  // namespace cay::network
