#include "cli/builds/typed_context.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "archive/compression.h"
#include "archive/tar_format.h"
#include "archive/unpack.h"
#include "base/os/sys.h"
#include "cli/local/local_survey.h"
#include "template/dockerfile/dockerfile.h"
#include "template/layers/lower_chain.h"

namespace cay::cli {
namespace {

constexpr Bytes kMaxContext = 64 * kGiB;
constexpr uint64_t kMaxContextEntries = 5'000'000;

// A descriptor, of which the beginning has been looked at.
class InputSource final : public archive::ByteSource {
 public:
  explicit InputSource(Fd file) : file_(std::move(file)) {}

  // At least so much, unless it ends before.
  Result<std::string_view> Peek(size_t count) {
    while (begin_.size() < count) {
      std::array<char, 4096> space{};
      const size_t got = TRY(ReadFile(space));
      if (got == 0) break;
      begin_.append(space.data(), got);
    }
    return std::string_view(begin_);
  }

  Result<size_t> Read(std::span<char> into) override {
    if (at_ == begin_.size()) return ReadFile(into);
    const size_t count = std::min(into.size(), begin_.size() - at_);
    std::memcpy(into.data(), begin_.data() + at_, count);
    at_ += count;
    return count;
  }

 private:
  Result<size_t> ReadFile(std::span<char> into) {
    while (true) {
      const ssize_t got = ::read(file_.get(), into.data(), into.size());
      if (got >= 0) return static_cast<size_t>(got);
      if (errno != EINTR) return Failure(Error::FromErrno("reading the context"));
    }
  }

  Fd file_;
  std::string begin_;
  size_t at_ = 0;
};

Result<Fd> OpenInput(const std::string& typed) {
  if (typed != "-")
    return sys::OpenAt(AT_FDCWD, typed.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (::isatty(STDIN_FILENO) == 1) {
    return Failure(Error::Invalid("the context - is standard input, which is a terminal")
                       .WithRemedy("lead a Dockerfile or a tar into it: cay template build -t app "
                                   "- <Dockerfile"));
  }
  const int copy = ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) return Failure(Error::FromErrno("standard input"));
  return Fd::Adopt(copy);
}

// Whether it is a file, and no directory; what is neither is told by whoever opens it.
bool IsFile(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

// One without a name: nothing is in it, and nothing of it stays.
Result<std::shared_ptr<const Fd>> EmptyDirectory() {
  const char* const temporary = ::getenv("TMPDIR");
  std::string path = std::string(temporary != nullptr && *temporary == '/' ? temporary : "/tmp") +
                     "/cay-context-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) return Failure(Error::FromErrno("making " + path));
  auto opened = sys::OpenAt(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (::rmdir(path.c_str()) < 0 && opened) return Failure(Error::FromErrno("removing " + path));
  if (!opened) return Failure(std::move(opened).error());
  return std::make_shared<const Fd>(*std::move(opened));
}

Result<build::OpenedContext> DockerfileAlone(archive::ByteSource& source) {
  constexpr Bytes kMost = templates::dockerfile::kMaxDockerfile;
  build::OpenedContext context{.directory = TRY(EmptyDirectory())};
  context.file_name = "standard input";
  std::array<char, 16 * 1024> space{};
  while (const size_t got = TRY(source.Read(space))) {
    context.dockerfile.append(space.data(), got);
    if (context.dockerfile.size() <= kMost) continue;
    return Failure(
        Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
              "standard input is no tar, and a Dockerfile has at most " + HumanBytes(kMost)));
  }
  return context;
}

}  // namespace

bool LooksLikeArchive(std::string_view begin) {
  using namespace std::string_view_literals;
  // gzip, zstd, xz, bzip2: what is not read is named by whoever unpacks it.
  constexpr std::array kMagics = {"\x1f\x8b"sv, "\x28\xb5\x2f\xfd"sv, "\xfd\x37zXZ\0"sv, "BZh"sv};
  if (std::ranges::any_of(kMagics,
                          [&](std::string_view magic) { return begin.starts_with(magic); }))
    return true;
  archive::tar::Block block{};
  if (begin.size() < block.size()) return false;
  std::ranges::copy(begin.substr(0, block.size()), block.begin());
  // The end of an archive without a member is blocks of nothing.
  const bool is_nothing = std::ranges::all_of(block, [](auto letter) { return letter == 0; });
  return is_nothing || archive::tar::ChecksumMatches(block);
}

Result<TypedContext> OpenTypedContext(const std::string& typed, const std::string& file) {
  const bool is_input = typed == "-";
  if (!is_input && !IsFile(typed))
    return TypedContext{.opened = TRY(build::OpenContext(typed, file))};
  if (is_input && file == "-")
    return Failure(Error::Invalid("standard input is the context or the Dockerfile, and not both"));
  auto source = std::make_shared<InputSource>(TRY(OpenInput(typed)));
  if (LooksLikeArchive(TRY(source->Peek(sizeof(archive::tar::Block))))) {
    if (file != "-") return TypedContext{.archive = std::move(source)};
    return Failure(Error::Invalid("the Dockerfile of an archive is in it: -f is a path there"));
  }
  if (!is_input)
    return Failure(Error::Invalid("the context " + typed + " is neither a directory nor a tar"));
  if (!file.empty()) {
    return Failure(
        Error::Invalid("standard input is no tar, so it is a Dockerfile; -f names another"));
  }
  return TypedContext{.opened = TRY(DockerfileAlone(*source))};
}

Result<UnpackedContext> UnpackContextHere(const Paths& paths, archive::ByteSource& archive,
                                          const std::string& file) {
  templates::TemplateStore store = TRY(OpenLocalTemplates(paths));
  templates::LayerStore layers = store.layers();
  templates::NewLayer made = TRY(layers.Begin());
  auto directory = std::make_shared<const Fd>(TRY(templates::OpenLayerRoot(made.root())));
  archive::UnpackOptions unpack;
  unpack.max_entries = kMaxContextEntries;
  unpack.max_bytes = unpack.max_file_bytes = kMaxContext;
  const auto plain = TRY(archive::Decompress(archive));
  if (auto done = archive::Unpack(*plain, *directory, unpack); !done)
    return Failure(std::move(done).error().WithContext("the context"));
  auto context = TRY(build::OpenUnpackedContext(std::move(directory), file));
  return UnpackedContext{.directory = std::move(made), .context = std::move(context)};
}

}  // namespace cay::cli
