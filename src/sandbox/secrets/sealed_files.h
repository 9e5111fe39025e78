// SealedFiles: files of a state directory that are sealed (crypto/sealed.h) with one key, which is
// a file beside them.
//
//   const SealedFiles files(paths.state_dir);
//   const Fd lock = TRY(files.Lock());
//   TRY(files.Write(kFile, kContext, plain));
//   const auto plain = TRY(files.Read(kFile, kContext, kMaxFile));   // empty: there is none
//
//   STATE/secrets.key   32 bytes, 0600
//
// So a copy of one of them without the key tells nothing; whoever may read the state directory as
// its owner reads both. What cannot be opened is an error, and stays as it is: a key that is lost
// is not replaced while there is something that was sealed with it. Several processes may use them
// at the same time; who changes something holds the lock.
#pragma once

#include <string>
#include <string_view>

#include "base/os/fd.h"
#include "base/result.h"
#include "crypto/sealed.h"

namespace cay::sandbox {

class SealedFiles {
 public:
  explicit SealedFiles(std::string state_dir) : state_dir_(std::move(state_dir)) {}

  Result<Fd> Lock() const;
  // `context`: what is sealed says what it is, so that one file is not taken for another.
  Result<std::string> Read(std::string_view file, std::string_view context, size_t most) const;
  Result<void> Write(std::string_view file, std::string_view context, std::string_view plain) const;
  std::string PathOf(std::string_view file) const { return state_dir_ + "/" + std::string(file); }

 private:
  Result<SealingKey> ReadKey() const;
  Result<SealingKey> ReadOrMakeKey() const;

  std::string state_dir_;
};

// The files that there are.
inline constexpr std::string_view kSecretsFile = "secrets";
inline constexpr std::string_view kAuthorityFile = "secrets.authority";

}  // namespace cay::sandbox
