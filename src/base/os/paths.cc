#include "base/os/paths.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/os/file.h"

namespace cay {
namespace {

std::string FromEnvironment(const char* name) {
  const char* value = ::secure_getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

// Nobody but its owner, this user, may put anything there: names in it are trusted.
Result<void> Claim(const std::string& path, mode_t mode) {
  TRY(MakeDirectories(path, mode));
  struct stat info{};
  if (::lstat(path.c_str(), &info) < 0) return Failure(Error::FromErrno("looking at " + path));
  if (!S_ISDIR(info.st_mode) || info.st_uid != ::geteuid() ||
      (info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Failure(
        Error(ErrorCode::kPermissionDenied, Fault::kMachine,
              path + " is not a directory that only this user can write to")
            .WithRemedy(S_ISDIR(info.st_mode) && info.st_uid != ::geteuid()
                            ? "it is another user's directory: name another with CAY_STATE_DIR and "
                              "CAY_RUN_DIR, or run as its owner"
                            : "remove it, or name another with CAY_STATE_DIR and CAY_RUN_DIR"));
  }
  return {};
}

std::string UserDirectory(const char* xdg_variable, const std::string& under_home) {
  if (const std::string xdg = FromEnvironment(xdg_variable); !xdg.empty()) return xdg + "/cay";
  const std::string home = FromEnvironment("HOME");
  if (!under_home.empty() && !home.empty() && ::access(home.c_str(), W_OK) == 0 && home != "/") {
    return home + under_home;
  }
  return "/tmp/cay-" + std::to_string(::geteuid());
}

// Without "//", "/./", "/../" and a slash at the end: paths are compared, and built on, as text.
std::string Plain(const std::string& path) {
  std::string plain = std::filesystem::path(path).lexically_normal().string();
  while (plain.size() > 1 && plain.back() == '/') plain.pop_back();
  return plain;
}

}  // namespace

Result<Paths> Paths::Resolve(const std::string& state_dir_override) {
  const bool root = ::geteuid() == 0;
  Paths paths;
  paths.state_dir =
      state_dir_override.empty() ? FromEnvironment("CAY_STATE_DIR") : state_dir_override;
  paths.run_dir = FromEnvironment("CAY_RUN_DIR");
  if (paths.run_dir.empty()) {
    if (!paths.state_dir.empty()) {
      paths.run_dir = paths.state_dir + "/run";
    } else {
      paths.run_dir = root ? "/run/cay" : UserDirectory("XDG_RUNTIME_DIR", "");
    }
  }
  if (paths.state_dir.empty()) {
    paths.state_dir =
        root ? kDefaultStateDir : UserDirectory("XDG_STATE_HOME", "/.local/state/cay");
  }
  for (std::string* path : {&paths.state_dir, &paths.run_dir}) {
    if (path->front() != '/') {
      return Failure(Error::Invalid("not an absolute path: \"" + *path + "\"")
                         .WithRemedy("name state and run directories from the root"));
    }
    *path = Plain(*path);
  }
  const mode_t mode = root ? 0711 : 0700;
  TRY(Claim(paths.state_dir, mode));
  TRY(Claim(paths.run_dir, mode));
  return paths;
}

}  // namespace cay
