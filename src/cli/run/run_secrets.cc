#include "cli/run/run_secrets.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "network/intercept/credentials.h"

namespace cay::cli {
namespace {

bool IsVariable(std::string_view name) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  return !name.empty() && name.size() <= network::Secret::kMaxName && letter(name[0]) &&
         std::ranges::all_of(name, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

}  // namespace

Result<RunSecret> ParseRunSecret(std::string_view text) {
  const size_t equals = text.find('=');
  RunSecret secret{.variable = std::string(text.substr(0, equals)), .hosts = {}};
  if (!IsVariable(secret.variable) || equals == std::string_view::npos) {
    return Failure(Error::Invalid("not NAME=HOST, with NAME a variable of your environment")
                       .WithRemedy("write --secret GITHUB_TOKEN=api.github.example, and the value "
                                   "in the variable: never on the command line"));
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
    char* const value = ::getenv(one.variable.c_str());
    if (value == nullptr) {
      return Failure(Error(ErrorCode::kNotFound, Fault::kCaller,
                           "--secret " + one.variable + ": the variable is not set")
                         .WithRemedy("set it in the environment of cay run"));
    }
    const size_t size = ::strlen(value);
    if (size > network::Secret::kMaxValue) {
      return Failure(Error::Invalid("--secret " + one.variable + ": its value has more than " +
                                    std::to_string(network::Secret::kMaxValue) + " bytes"));
    }
    std::memcpy(next, value, size);
    ::explicit_bzero(value, size);  // of the environment, which forks have
    ::unsetenv(one.variable.c_str());
    taken.values_.emplace_back(next, size);
    next += size;
    std::string placeholder = TRY(network::MakePlaceholder());
    taken.secrets_.push_back(
        {.name = one.variable, .hosts = one.hosts, .placeholder = std::move(placeholder)});
  }
  return taken;
}

RunSecrets::RunSecrets(RunSecrets&& other) noexcept
    : secrets_(std::move(other.secrets_)),
      values_(std::move(other.values_)),
      memory_(std::exchange(other.memory_, nullptr)),
      size_(other.size_) {}

RunSecrets::~RunSecrets() {
  if (memory_ == nullptr) return;
  ::explicit_bzero(memory_, size_);
  ::munmap(memory_, size_);
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
  for (size_t i = 0; i < copies.size(); ++i) copies[i].value = values_[i];
  return copies;
}

}  // namespace cay::cli
