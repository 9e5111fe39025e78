#include "sandbox/secrets/sealed_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "base/os/file.h"
#include "base/os/sys.h"

namespace cay::sandbox {
namespace {

constexpr std::string_view kKeyFile = "secrets.key";
constexpr std::string_view kLockFile = "secrets.lock";

}  // namespace

Result<Fd> SealedFiles::Lock() const {
  Fd file = TRY(sys::OpenAt(AT_FDCWD, PathOf(kLockFile).c_str(), O_RDWR | O_CREAT, 0600));
  while (::flock(file.get(), LOCK_EX) < 0) {
    if (errno != EINTR) return Failure(Error::FromErrno("locking " + PathOf(kLockFile)));
  }
  return file;
}

Result<SealingKey> SealedFiles::ReadKey() const {
  auto bytes = ReadFile(PathOf(kKeyFile), SealingKey::kBytes);
  if (!bytes) {
    return Failure(std::move(bytes).error().WithContext("the key of the secrets in " + state_dir_));
  }
  auto key = SealingKey::Of(*std::move(bytes));
  if (key) return key;
  return Failure(Error(ErrorCode::kIo, Fault::kMachine,
                       PathOf(kKeyFile) + " is not the key of the secrets: it has no 32 bytes"));
}

Result<SealingKey> SealedFiles::ReadOrMakeKey() const {
  // What was sealed with a key that is lost is not overwritten with another's.
  for (const std::string_view file : {kKeyFile, kSecretsFile, kAuthorityFile}) {
    if (::access(PathOf(file).c_str(), F_OK) == 0 || errno != ENOENT) return ReadKey();
  }
  SealingKey made = TRY(SealingKey::Make());
  TRY(WriteFileAtomic(PathOf(kKeyFile), made.bytes(), 0600, true));
  return made;
}

Result<std::string> SealedFiles::Read(std::string_view file, std::string_view context,
                                      size_t most) const {
  const auto sealed = ReadFile(PathOf(file), most);
  if (!sealed && sealed.error().sys_errno() == ENOENT) return std::string();
  if (!sealed) return Failure(sealed.error());
  if (sealed->empty()) return std::string();
  const SealingKey key = TRY(ReadKey());
  auto plain = key.Open(*sealed, context);
  if (plain) return plain;
  return Failure(Error(ErrorCode::kIo, Fault::kMachine,
                       PathOf(file) + " cannot be read: " + plain.error().message())
                     .WithRemedy("put " + std::string(file) +
                                 " and secrets.key back from one backup; or move secrets, "
                                 "secrets.authority and secrets.key away, and set the secrets "
                                 "anew"));
}

Result<void> SealedFiles::Write(std::string_view file, std::string_view context,
                                std::string_view plain) const {
  const SealingKey key = TRY(ReadOrMakeKey());
  const std::string sealed = TRY(key.Seal(plain, context));
  return WriteFileAtomic(PathOf(file), sealed, 0600, true);
}

}  // namespace cay::sandbox
