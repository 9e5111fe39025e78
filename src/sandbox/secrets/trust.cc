#include "sandbox/secrets/trust.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>

#include "base/os/file.h"
#include "base/os/sys.h"
#include "network/link/messages.h"

namespace cay::sandbox {
namespace {

constexpr std::string_view kBundle = "/etc/ssl/certs/ca-certificates.crt";
constexpr std::string_view kBesides = "/run/cay-certificates.crt";
constexpr std::string_view kRoot = "0:0";
constexpr uint64_t kMaxBundle = uint64_t{4} * 1024 * 1024;

constexpr std::array<std::string_view, 5> kVariables = {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE",
                                                        "CURL_CA_BUNDLE", "GIT_SSL_CAINFO",
                                                        "NODE_EXTRA_CA_CERTS"};

// Of Debian, Fedora, SUSE, Alpine.
constexpr std::array<const char*, 4> kMachineBundles = {
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};

// For the whole of it: a guest may always say a little more.
class Deadline {
 public:
  Result<void> Check() const {
    if (std::chrono::steady_clock::now() < ends_) return {};
    return Failure(Error(ErrorCode::kTimeout, Fault::kMachine,
                         "the sandbox takes more than " + std::to_string(kInstallTime.count()) +
                             " s for its certificates"));
  }

 private:
  const std::chrono::steady_clock::time_point ends_ =
      std::chrono::steady_clock::now() + kInstallTime;
};

// Empty: there is none.
Result<std::string> ReadBundle(const GuestChannel& guest, const std::string& user,
                               std::string_view path, const Deadline& deadline) {
  std::string text;
  const auto read = guest.ReadFile(
      {.user = user, .path = std::string(path)}, [&](std::string_view bytes) -> Result<void> {
        TRY(deadline.Check());
        if (text.size() + bytes.size() > kMaxBundle)
          return Failure(Error::Impossible(std::string(path) + " of the sandbox has over 4 MiB"));
        text += bytes;
        return {};
      });
  if (read) return text;
  if (read.error().code() == ErrorCode::kNotFound) return std::string();
  return Failure(read.error());
}

Result<void> Install(const GuestChannel& guest, const std::vector<std::string>& certificates,
                     bool read_only, const std::string& user) {
  const Deadline deadline;
  std::string bundle = TRY(ReadBundle(guest, user, kBundle, deadline));
  bool changed = read_only;
  for (const std::string& certificate : certificates) {
    if (bundle.find(certificate) != std::string::npos) continue;
    if (!bundle.empty() && !bundle.ends_with('\n')) bundle += '\n';
    bundle += certificate;
    changed = true;
  }
  if (!changed) return {};
  size_t at = 0;
  const Source source = [&](std::span<char> space) -> Result<size_t> {
    TRY(deadline.Check());
    const size_t count = std::min(space.size(), bundle.size() - at);
    std::memcpy(space.data(), bundle.data() + at, count);
    at += count;
    return count;
  };
  TRY(guest.WriteFile({.user = user,
                       .path = std::string(TrustFile(read_only)),
                       .mode = 0644U,
                       .make_parents = true},
                      source));
  return {};
}

}  // namespace

std::string_view TrustFile(bool read_only) { return read_only ? kBesides : kBundle; }

std::vector<std::pair<std::string, std::string>> TrustVariables(bool read_only) {
  std::vector<std::pair<std::string, std::string>> variables;
  for (const std::string_view name : kVariables) variables.emplace_back(name, TrustFile(read_only));
  return variables;
}

Result<void> InstallAuthority(const GuestChannel& guest,
                              const std::vector<std::string>& certificates, bool read_only,
                              SandboxUsers users) {
  const std::string user(users == SandboxUsers::kAll ? kRoot : std::string_view());
  const auto installed = Install(guest, certificates, read_only, user);
  if (installed) return {};
  return Failure(Error(installed.error())
                     .WithContext("giving the sandbox the certificate with which its secrets are "
                                  "sent"));
}

Result<std::vector<Fd>> OpenTrusted(const std::vector<std::string>& extra) {
  std::vector<Fd> opened;
  for (const char* path : kMachineBundles) {
    auto file = sys::OpenAt(AT_FDCWD, path, O_RDONLY);
    if (!file) continue;
    opened.push_back(*std::move(file));
    break;
  }
  if (extra.size() + opened.size() > network::AuthorityRequest::kMaxFiles)
    return Failure(Error::Invalid("too many files of certificates"));
  for (const std::string& path : extra) {
    auto file = sys::OpenAt(AT_FDCWD, path.c_str(), O_RDONLY);
    if (!file) return Failure(std::move(file).error().WithContext("certificates to trust"));
    opened.push_back(*std::move(file));
  }
  return opened;
}

Result<std::string> ReadTrusted(const std::vector<std::string>& extra, Bytes most) {
  std::string all;
  if (extra.empty()) return all;
  for (const Fd& file : TRY(OpenTrusted(extra))) {
    const std::string path = "/proc/self/fd/" + std::to_string(file.get());
    all += TRY(ReadFile(path, most)) + "\n";
  }
  if (all.size() <= most) return all;
  return Failure(
      Error::Invalid("the authorities that steps are to trust are more than " + HumanBytes(most)));
}

}  // namespace cay::sandbox
