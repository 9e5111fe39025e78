#include "sandbox/secrets/secret_book.h"

#include <sys/stat.h>

#include <algorithm>
#include <tuple>

#include "base/text.h"
#include "network/intercept/credentials.h"

namespace cay::sandbox {
namespace {

constexpr std::string_view kContext = "cay secrets 1";
constexpr size_t kMaxFile = size_t{16} * 1024 * 1024;

Error TooMany(size_t count, std::string_view whose) {
  return Error(ErrorCode::kResourceExhausted, Fault::kCaller,
               "there are " + std::to_string(count) + " secrets" + std::string(whose) + " already")
      .WithRemedy("remove some: cay secrets rm NAME");
}

const std::string& NameOf(const KeptSecret& one) { return one.secret.name; }
const std::string& NameOf(const RemovedSecret& one) { return one.name; }

auto IsIt(std::string_view owner, std::string_view name) {
  return [owner, name](const auto& one) { return one.owner == owner && NameOf(one) == name; };
}

// Null: it is not among them.
template <class T>
const T* FindIn(const std::vector<T>& all, std::string_view owner, std::string_view name) {
  const auto found = std::ranges::find_if(all, IsIt(owner, name));
  return found == all.end() ? nullptr : &*found;
}

}  // namespace

bool IsVariableName(std::string_view text) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  return !text.empty() && text.size() <= 128 && letter(text[0]) &&
         std::ranges::all_of(text, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

std::string VariableFor(std::string_view name) {
  std::string variable;
  for (const char c : name) {
    const bool lower = c >= 'a' && c <= 'z';
    const char upper = lower ? static_cast<char>(c - 'a' + 'A') : c;
    const bool good = (upper >= 'A' && upper <= 'Z') || (upper >= '0' && upper <= '9');
    variable += good ? upper : '_';
  }
  return !variable.empty() && variable[0] >= '0' && variable[0] <= '9' ? "_" + variable : variable;
}

Error NoSuchSecret(const std::string& name) {
  const std::string shown = name.substr(0, network::Secret::kMaxName);
  return Error(ErrorCode::kNotFound, Fault::kCaller, "there is no secret \"" + shown + "\"")
      .WithRemedy("cay secrets set " + shown + " --host HOST, with the value on standard input");
}

const KeptSecret* SecretBook::Pages::Find(std::string_view owner, std::string_view name) const {
  return FindIn(secrets, owner, name);
}

const RemovedSecret* SecretBook::Pages::FindRemoved(std::string_view owner,
                                                    std::string_view name) const {
  return FindIn(removed, owner, name);
}

Result<SecretBook::Pages> SecretBook::Read() const {
  std::string plain = TRY(files_.Read(kSecretsFile, kContext, kMaxFile));
  if (plain.empty()) return Pages();
  auto pages = protocol::Decode<Pages>(plain, protocol::Unknown::kSkipped);
  Wipe(plain);  // it is not given back to the allocator with values in it
  if (!pages) return pages;
  std::ranges::sort(pages->secrets, [](const KeptSecret& a, const KeptSecret& b) {
    return std::tie(a.owner, a.secret.name) < std::tie(b.owner, b.secret.name);
  });
  return pages;
}

Result<std::vector<KeptSecret>> SecretBook::List(const std::string& owner) const {
  Pages pages = TRY(Read());
  std::erase_if(pages.secrets, [&](const KeptSecret& one) { return one.owner != owner; });
  return std::move(pages.secrets);
}

Result<KeptSecret> SecretBook::Find(const std::string& owner, const std::string& name) const {
  const Pages pages = TRY(Read());
  if (const KeptSecret* found = pages.Find(owner, name)) return *found;
  return Failure(NoSuchSecret(name));
}

Result<void> SecretBook::Write(const Pages& pages) const {
  std::string plain = protocol::Encode(pages);
  auto written = files_.Write(kSecretsFile, kContext, plain);
  Wipe(plain);
  return written;
}

Result<bool> SecretBook::Put(KeptSecret secret) {
  TRY(network::CheckSecret(secret.secret));
  if (!IsVariableName(secret.variable)) {
    return Failure(Error::Invalid("\"" + secret.variable + "\" is no variable of an environment"));
  }
  const Fd lock = TRY(files_.Lock());
  Pages pages = TRY(Read());
  const std::string owner = secret.owner;
  const std::string name = secret.secret.name;
  const bool was_there = std::erase_if(pages.secrets, IsIt(owner, name)) > 0;
  const auto of_owner = [&](const KeptSecret& one) { return one.owner == owner; };
  if (pages.secrets.size() >= kMaxSecrets) return Failure(TooMany(kMaxSecrets, ""));
  if (static_cast<size_t>(std::ranges::count_if(pages.secrets, of_owner)) >= kMaxOfOwner)
    return Failure(TooMany(kMaxOfOwner, " of one owner"));
  std::erase_if(pages.removed, IsIt(owner, name));
  pages.secrets.push_back(std::move(secret));
  TRY(Write(pages));
  return was_there;
}

Result<void> SecretBook::Remove(const std::string& owner, const std::string& name) {
  const Fd lock = TRY(files_.Lock());
  Pages pages = TRY(Read());
  const KeptSecret* const found = pages.Find(owner, name);
  if (found == nullptr) return Failure(NoSuchSecret(name));
  RemovedSecret removed{.owner = owner, .name = name, .hosts = found->secret.hosts};
  std::erase_if(pages.secrets, IsIt(owner, name));
  if (pages.removed.size() >= kMaxRemoved) pages.removed.erase(pages.removed.begin());
  pages.removed.push_back(std::move(removed));
  return Write(pages);
}

// A file that was replaced has another inode.
uint64_t SecretBook::Mark() const {
  struct stat info{};
  if (::stat(files_.PathOf(kSecretsFile).c_str(), &info) < 0) return 0;
  const auto seconds = static_cast<uint64_t>(info.st_mtim.tv_sec);
  const auto nanos = static_cast<uint64_t>(info.st_mtim.tv_nsec);
  return (seconds * 1'000'000'000 + nanos) ^ (static_cast<uint64_t>(info.st_ino) << 40);
}

}  // namespace cay::sandbox
