#include "build/stages/context.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "archive/safe_path.h"
#include "base/os/sys.h"
#include "template/dockerfile/dockerfile.h"

namespace cay::build {
namespace {

using templates::dockerfile::IgnorePatterns;

constexpr std::string_view kUsualDockerfile = "Dockerfile";
constexpr std::string_view kIgnoreFile = ".dockerignore";

Result<std::string> ReadAtMost(const Fd& file, Bytes most, const std::string& name) {
  std::string text;
  while (true) {
    const size_t before = text.size();
    text.resize(before + 64 * kKiB);
    const ssize_t got = ::read(file.get(), text.data() + before, 64 * kKiB);
    if (got < 0 && errno == EINTR) {
      text.resize(before);
      continue;
    }
    if (got < 0) return Failure(Error::FromErrno("reading " + name));
    text.resize(before + static_cast<size_t>(got));
    if (got == 0) return text;
    if (text.size() <= most) continue;
    return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                         name + " is larger than " + HumanBytes(most)));
  }
}

// A regular file; anything else is not waited for.
Result<std::string> ReadRegular(Result<Fd> file, Bytes most, const std::string& name) {
  if (!file) {
    Error error = std::move(file).error();
    const int why = error.sys_errno();
    if (why == EXDEV) return Failure(Error::Invalid(name + " leads out of the context"));
    if (why == ELOOP || why == ENAMETOOLONG) {
      return Failure(Error::Invalid(name + ": " + ErrnoText(why)));
    }
    if (why != ENOENT && why != ENOTDIR) return Failure(std::move(error).WithContext(name));
    Error missing(ErrorCode::kNotFound, Fault::kCaller, "there is no " + name);
    missing.set_sys_errno(ENOENT);
    return Failure(std::move(missing));
  }
  struct stat info{};
  if (::fstat(file->get(), &info) < 0) return Failure(Error::FromErrno(name));
  if (!S_ISREG(info.st_mode)) return Failure(Error::Invalid(name + " is no regular file"));
  return ReadAtMost(*file, most, name);
}

Result<Fd> OpenHere(const std::string& path) {
  return sys::OpenAt(AT_FDCWD, path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

// Of a tree that may be a stranger's: links lead on inside of it (EXDEV otherwise).
Result<Fd> OpenBeneath(const Fd& directory, const std::string& path) {
  const std::string inside = TRY(archive::NormalizeEntryPath(path));
  open_how how{};
  how.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  return sys::OpenAt2(directory.get(), inside.c_str(), how);
}

// Where `path` is in the directory, by their words; nothing when it is not in it.
std::optional<std::string> PathInside(const std::string& directory, const std::string& path) {
  std::error_code no_directory;
  const auto whole = [&](const std::string& name) {
    return std::filesystem::absolute(name, no_directory).lexically_normal();
  };
  const auto inside = whole(path).lexically_relative(whole(directory + "/"));
  if (no_directory || inside.empty() || *inside.begin() == "..") return std::nullopt;
  return inside.string();
}

Result<IgnorePatterns> ParseIgnore(const std::string& text, const std::string& name) {
  auto ignore = IgnorePatterns::ParseFile(text);
  if (!ignore) return Failure(std::move(ignore).error().WithContext(name));
  return ignore;
}

// The first of these that is there.
Result<IgnorePatterns> ReadIgnore(const std::vector<std::pair<std::string, Result<Fd>>>& files) {
  for (const auto& [name, file] : files) {
    if (!file && file.error().sys_errno() == ENOENT) continue;
    auto opened = file ? file->Duplicate() : Failure(file.error());
    return ParseIgnore(
        TRY(ReadRegular(std::move(opened), templates::dockerfile::kMaxIgnoreFile, name)), name);
  }
  return IgnorePatterns();
}

}  // namespace

Result<OpenedContext> OpenContext(const std::string& directory, const std::string& dockerfile) {
  auto opened = sys::OpenAt(AT_FDCWD, directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (!opened) return Failure(std::move(opened).error().WithContext("the context " + directory));
  OpenedContext context{.directory = std::make_shared<Fd>(*std::move(opened))};
  std::vector<std::pair<std::string, Result<Fd>>> files;
  if (dockerfile == "-") {
    context.file_name = "standard input";
    const int copy = ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    if (copy < 0) return Failure(Error::FromErrno("standard input"));
    const Fd input = Fd::Adopt(copy);
    context.dockerfile =
        TRY(ReadAtMost(input, templates::dockerfile::kMaxDockerfile, context.file_name));
  } else {
    const std::string path =
        dockerfile.empty() ? directory + "/" + std::string(kUsualDockerfile) : dockerfile;
    const auto inside = PathInside(directory, path);
    const auto open = [&](const std::string& suffix) {
      return inside ? OpenBeneath(*context.directory, *inside + suffix) : OpenHere(path + suffix);
    };
    context.file_name = dockerfile.empty() ? std::string(kUsualDockerfile) : dockerfile;
    context.dockerfile = TRY(ReadRegular(open(""), templates::dockerfile::kMaxDockerfile, path));
    const std::string ignore(kIgnoreFile);
    files.emplace_back(path + ignore, open(ignore));
  }
  const std::string usual(kIgnoreFile);
  files.emplace_back(directory + "/" + usual, OpenBeneath(*context.directory, usual));
  context.ignore = TRY(ReadIgnore(files));
  return context;
}

Result<OpenedContext> OpenUnpackedContext(std::shared_ptr<const Fd> directory,
                                          const std::string& dockerfile) {
  OpenedContext context{.directory = std::move(directory)};
  context.file_name = dockerfile.empty() ? std::string(kUsualDockerfile) : dockerfile;
  context.dockerfile = TRY(ReadRegular(OpenBeneath(*context.directory, context.file_name),
                                       templates::dockerfile::kMaxDockerfile, context.file_name));
  std::vector<std::pair<std::string, Result<Fd>>> files;
  for (const std::string& name :
       {context.file_name + std::string(kIgnoreFile), std::string(kIgnoreFile)})
    files.emplace_back(name, OpenBeneath(*context.directory, name));
  context.ignore = TRY(ReadIgnore(files));
  return context;
}

}  // namespace cay::build
