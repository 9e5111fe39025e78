#include "cli/run/run_secrets.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "network/intercept/credentials.h"
#include "sandbox/secrets/secret_book.h"

namespace cay::cli {
Result<RunSecret> ParseRunSecret(std::string_view text) {
  const size_t equals = text.find('=');
  RunSecret secret{.name = std::string(text.substr(0, equals)), .hosts = {}};
  if (secret.name.empty()) return Failure(Error::Invalid("not NAME or NAME=HOST"));
  if (equals == std::string_view::npos) return secret;
  if (!sandbox::IsVariableName(secret.name)) {
    return Failure(Error::Invalid("\"" + secret.name + "\" is no variable of your environment")
                       .WithRemedy("write --secret NAME=HOST, and the value in the variable NAME; "
                                   "or keep it: cay secrets set NAME --host HOST"));
  }
  std::string_view rest = text.substr(equals + 1);
  while (true) {
    const size_t end = std::min(rest.find(','), rest.size());
    TRY(network::ParseSecretHost(rest.substr(0, end)));
    secret.hosts.emplace_back(rest.substr(0, end));
    if (end == rest.size()) return secret;
    rest.remove_prefix(end + 1);
  }
}

Result<RunSecrets> RunSecrets::Take(const std::vector<RunSecret>& wanted) {
  RunSecrets taken;
  if (wanted.empty()) return taken;
  if (wanted.size() > network::Secret::kMostOfASandbox) {
    return Failure(Error::Invalid("more than " + std::to_string(network::Secret::kMostOfASandbox) +
                                  " secrets"));
  }
  taken.size_ = wanted.size() * network::Secret::kMaxValue;
  void* const memory =
      ::mmap(nullptr, taken.size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return Failure(Error::FromErrno("memory for secrets"));
  taken.memory_ = memory;
  if (::madvise(memory, taken.size_, MADV_DONTFORK) != 0 ||
      ::madvise(memory, taken.size_, MADV_DONTDUMP) != 0)
    return Failure(Error::FromErrno("keeping secrets from forks"));
  char* next = static_cast<char*>(memory);
  for (const RunSecret& one : wanted) {
    if (one.hosts.empty()) continue;
    char* const value = ::getenv(one.name.c_str());
    if (value == nullptr) {
      return Failure(Error(ErrorCode::kNotFound, Fault::kCaller,
                           "--secret " + one.name + ": the variable is not set")
                         .WithRemedy("set it in the environment of cay run"));
    }
    const size_t size = ::strlen(value);
    if (size > network::Secret::kMaxValue) {
      return Failure(Error::Invalid("--secret " + one.name + ": its value has more than " +
                                    std::to_string(network::Secret::kMaxValue) + " bytes"));
    }
    std::copy_n(value, size, next);
    ::explicit_bzero(value, size);  // of the environment, which forks have
    ::unsetenv(one.name.c_str());
    taken.values_.emplace_back(next, size);
    next += size;
    std::string placeholder = TRY(network::MakePlaceholder());
    taken.variables_.push_back({one.name, placeholder});
    taken.secrets_.push_back(
        {.name = one.name, .hosts = one.hosts, .placeholder = std::move(placeholder)});
  }
  return taken;
}

RunSecrets::RunSecrets(RunSecrets&& other) noexcept
    : secrets_(std::move(other.secrets_)),
      values_(std::move(other.values_)),
      variables_(std::move(other.variables_)),
      memory_(std::exchange(other.memory_, nullptr)),
      size_(other.size_) {}

RunSecrets::~RunSecrets() {
  if (memory_ == nullptr) return;
  ::explicit_bzero(memory_, size_);
  ::munmap(memory_, size_);
}

Result<void> RunSecrets::AddKept(const std::vector<RunSecret>& wanted,
                                 const std::string& state_dir) {
  const sandbox::SecretBook book(state_dir);
  for (const RunSecret& one : wanted) {
    if (!one.hosts.empty()) continue;
    sandbox::KeptSecret kept = TRY(book.Find(sandbox::kOwnerWithoutKey, one.name));
    kept.secret.placeholder = TRY(network::MakePlaceholder());
    variables_.push_back({kept.variable, kept.secret.placeholder});
    secrets_.push_back(std::move(kept.secret));
  }
  return {};
}

// 1 byte: less than any dump has, and unlike 0 it holds for dumps that are piped too (core(5)).
void RunSecrets::LeaveNoCore() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_CORE, &limit) < 0) return;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 1);
  ::setrlimit(RLIMIT_CORE, &limit);
}

std::vector<network::Secret> RunSecrets::Copies() const {
  std::vector<network::Secret> copies = secrets_;
  for (size_t i = 0; i < values_.size(); ++i) copies[i].value = values_[i];
  return copies;
}

}  // namespace cay::cli
