// Trust: what makes the programs of a sandbox take certificates of Cay's own authority, with which
// requests to hosts of its secrets are intercepted, and by whom those hosts are verified.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"
#include "guest_link/guest_channel.h"

namespace cay::sandbox {

// Where the certificates are that programs trust: OpenSSL's of most systems, or, where that cannot
// be written, a file that only the variables lead to.
std::string_view TrustFile(bool read_only);

// Variables by which programs are told of that file: names and values.
std::vector<std::pair<std::string, std::string>> TrustVariables(bool read_only);

// Whom the sandbox's files belong to: an ordinary user's has one user only.
enum class SandboxUsers : uint8_t { kAll, kOne };

// Adds the certificates (PEM) to those that the sandbox has there. Again: nothing is changed. Takes
// no longer than kInstallTime and the channel's patience, whatever the guest does.
inline constexpr std::chrono::seconds kInstallTime{10};
Result<void> InstallAuthority(const GuestChannel& guest,
                              const std::vector<std::string>& certificates, bool read_only,
                              SandboxUsers users);

// This machine's certificates of authorities, and these files' beside them, opened.
Result<std::vector<Fd>> OpenTrusted(const std::vector<std::string>& extra);
// Their text, at most so much; empty where there are no files beside the machine's.
Result<std::string> ReadTrusted(const std::vector<std::string>& extra, Bytes most);

}  // namespace cay::sandbox
