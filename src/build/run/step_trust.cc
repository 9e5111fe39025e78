#include "build/run/step_trust.h"

#include <algorithm>

namespace cay::build {
namespace {

// Of OpenSSL (Go's own TLS has it, too), curl, requests, pip, Node.js, git and Cargo.
constexpr std::string_view kVariables[] = {
    "SSL_CERT_FILE",       "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "PIP_CERT",
    "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO", "CARGO_HTTP_CAINFO",
};

}  // namespace

void Trust(RunStep& step, const std::string& authorities) {
  StepSecret file{.target = std::string(kAuthoritiesFile), .content = authorities};
  file.mode = 0444;
  step.secrets.push_back(std::move(file));
  for (const std::string_view name : kVariables) {
    const std::string entry = std::string(name) + "=";
    const bool is_set = std::ranges::any_of(
        step.env, [&](const std::string& variable) { return variable.starts_with(entry); });
    if (!is_set) step.env.push_back(entry + std::string(kAuthoritiesFile));
  }
}

}  // namespace cay::build
