#include "sandbox/network/secret_book.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>

#include "base/os/file.h"
#include "base/os/sys.h"
#include "network/intercept/credentials.h"

namespace cay::sandbox {
namespace {

constexpr std::string_view kFile = "secrets";
constexpr std::string_view kKeyFile = "secrets.key";
constexpr std::string_view kLockFile = "secrets.lock";
// What is sealed says what it is: another file of this key is not taken for it.
constexpr std::string_view kContext = "cay secrets 1";
constexpr size_t kMaxFile = size_t{4} * 1024 * 1024;

// The file's content.
struct Pages {
  std::vector<KeptSecret> secrets{};
  protocol::SkippedFields rest{};

  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.secrets, SecretBook::kMaxSecrets);
    codec.Rest(self.rest);
  }
};

Error Missing(const std::string& name) {
  return Error(ErrorCode::kNotFound, Fault::kCaller, "there is no secret \"" + name + "\"")
      .WithRemedy("cay secrets set " + name + " --host HOST, with the value on standard input");
}

Result<std::string> ReadIfThere(const std::string& path, size_t most) {
  auto text = ReadFile(path, most);
  if (!text && text.error().sys_errno() == ENOENT) return std::string();
  return text;
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

Result<Fd> SecretBook::Lock() const {
  Fd file = TRY(sys::OpenAt(AT_FDCWD, PathOf(kLockFile).c_str(), O_RDWR | O_CREAT, 0600));
  while (::flock(file.get(), LOCK_EX) < 0) {
    if (errno != EINTR) return Failure(Error::FromErrno("locking " + PathOf(kLockFile)));
  }
  return file;
}

Result<SealingKey> SecretBook::ReadKey() const {
  auto bytes = ReadFile(PathOf(kKeyFile), SealingKey::kBytes);
  if (!bytes) {
    return Failure(std::move(bytes).error().WithContext("the key of the secrets in " + state_dir_));
  }
  auto key = SealingKey::Of(*std::move(bytes));
  if (key) return key;
  return Failure(Error(ErrorCode::kIo, Fault::kMachine,
                       PathOf(kKeyFile) + " is not the key of the secrets: it has no 32 bytes"));
}

Result<SealingKey> SecretBook::ReadOrMakeKey() const {
  const std::string there = TRY(ReadIfThere(PathOf(kFile), kMaxFile));
  const std::string known = TRY(ReadIfThere(PathOf(kKeyFile), kMaxFile));
  // What was sealed with a key that is lost is not overwritten with another's.
  if (!there.empty() || !known.empty()) return ReadKey();
  SealingKey made = TRY(SealingKey::Make());
  TRY(WriteFileAtomic(PathOf(kKeyFile), made.bytes(), 0600, true));
  return made;
}

Result<std::vector<KeptSecret>> SecretBook::List() const {
  const std::string sealed = TRY(ReadIfThere(PathOf(kFile), kMaxFile));
  if (sealed.empty()) return std::vector<KeptSecret>();
  const SealingKey key = TRY(ReadKey());
  const auto plain = key.Open(sealed, kContext);
  if (!plain) {
    return Failure(Error(ErrorCode::kIo, Fault::kMachine,
                         PathOf(kFile) + " cannot be read: " + plain.error().message())
                       .WithRemedy("put both of secrets and secrets.key back from one backup; or "
                                   "move both away, and set the secrets anew"));
  }
  Pages pages = TRY(protocol::Decode<Pages>(*plain, protocol::Unknown::kSkipped));
  std::ranges::sort(pages.secrets, {},
                    [](const KeptSecret& one) -> const std::string& { return one.secret.name; });
  return std::move(pages.secrets);
}

Result<KeptSecret> SecretBook::Find(const std::string& name) const {
  for (KeptSecret& one : TRY(List()))
    if (one.secret.name == name) return std::move(one);
  return Failure(Missing(name));
}

Result<void> SecretBook::Write(const std::vector<KeptSecret>& secrets) const {
  const SealingKey key = TRY(ReadOrMakeKey());
  const std::string sealed = TRY(key.Seal(protocol::Encode(Pages{.secrets = secrets}), kContext));
  return WriteFileAtomic(PathOf(kFile), sealed, 0600, true);
}

Result<void> SecretBook::Put(KeptSecret secret) {
  TRY(network::CheckSecret(secret.secret));
  if (!IsVariableName(secret.variable)) {
    return Failure(Error::Invalid("\"" + secret.variable + "\" is no variable of an environment"));
  }
  const Fd lock = TRY(Lock());
  std::vector<KeptSecret> all = TRY(List());
  std::erase_if(all, [&](const KeptSecret& one) { return one.secret.name == secret.secret.name; });
  if (all.size() >= kMaxSecrets) {
    return Failure(Error(ErrorCode::kResourceExhausted, Fault::kCaller,
                         "there are " + std::to_string(kMaxSecrets) + " secrets already")
                       .WithRemedy("remove some: cay secrets rm NAME"));
  }
  all.push_back(std::move(secret));
  return Write(all);
}

Result<void> SecretBook::Remove(const std::string& name) {
  const Fd lock = TRY(Lock());
  std::vector<KeptSecret> all = TRY(List());
  if (std::erase_if(all, [&](const KeptSecret& one) { return one.secret.name == name; }) == 0)
    return Failure(Missing(name));
  return Write(all);
}

}  // namespace cay::sandbox
