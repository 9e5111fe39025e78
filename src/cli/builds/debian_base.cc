#include "cli/builds/debian_base.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <vector>

#include "base/os/file.h"
#include "base/os/reap.h"
#include "base/os/sys.h"
#include "base/text.h"
#include "template/oci/digest.h"
#include "template/oci/manifest.h"
#include "template/saved/file_range.h"

namespace cay::cli {
namespace {

namespace oci = templates::oci;

constexpr Millis kMmdebstrapPatience{1'800'000};
constexpr Millis kAptPatience{60'000};
constexpr size_t kMaxSaid = 4 * 1024 * 1024;

Result<oci::Digest> DigestOf(const templates::FileRange& content) {
  const auto source = content.Open();
  oci::Digester digester = TRY(oci::Digester::Start());
  std::vector<char> buffer(kMiB);
  while (const size_t got = TRY(source->Read(buffer))) TRY(digester.Add({buffer.data(), got}));
  return std::move(digester).Finish();
}

std::string EndOf(const std::string& text) {
  constexpr size_t kMost = 600;
  return text.size() > kMost ? "… " + text.substr(text.size() - kMost) : text;
}

// A program of this machine, what it prints in files of `place`; what it printed.
Result<std::string> RunProgram(const std::vector<std::string>& argv, const std::string& place,
                               Millis patience) {
  const std::string out = place + "/out";
  const std::string err = place + "/err";
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  const int flags = O_WRONLY | O_CREAT | O_TRUNC;
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out.c_str(), flags, 0600);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, err.c_str(), flags, 0600);
  std::vector<char*> arguments;
  for (const std::string& argument : argv)
    arguments.push_back(const_cast<char*>(argument.c_str()));  // NOLINT: execve(2) takes it so
  arguments.push_back(nullptr);
  pid_t child = -1;
  const int failed =
      ::posix_spawnp(&child, argv.front().c_str(), &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed == ENOENT) {
    return Failure(
        Error(ErrorCode::kNotSupported, Fault::kMachine, argv.front() + " is not installed")
            .WithRemedy("apt-get install " + argv.front()));
  }
  if (failed != 0) return Failure(Error::FromErrno("starting " + argv.front(), failed));
  const auto status = AwaitChild(child, patience);
  if (!status) {
    KillAndReap(child);
    return Failure(status.error());
  }
  if (WIFEXITED(*status) && WEXITSTATUS(*status) == 0) return ReadFile(out, kMaxSaid);
  const auto said = ReadFile(err, kMaxSaid);
  return Failure(Error(ErrorCode::kIo, Fault::kMachine,
                       argv.front() + " failed: " + EndOf(said ? *said : "it says nothing")));
}

// Where apt has Debian's own packages from.
Result<std::string> MirrorOf(const std::string& place) {
  const std::string targets = TRY(RunProgram(
      {"apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI)", "Created-By: Packages"},
      place, kAptPatience));
  for (const std::string_view line : Split(targets, '\n')) {
    constexpr std::string_view kOrigin = "Debian ";
    if (line.starts_with(kOrigin) && !line.contains("security"))
      return std::string(line.substr(kOrigin.size()));
  }
  return Failure(
      Error(ErrorCode::kNotSupported, Fault::kMachine, "this machine's apt has no mirror of Debian")
          .WithRemedy("apt-get update, or pull the image"));
}

// As the image of a registry: one layer, and nothing of Cay's own in it.
Result<void> AddAsImage(templates::TemplateStore& store, const std::string& name,
                        const std::string& suite, const std::string& tar) {
  const auto open = [&]() -> Result<templates::FileRange> {
    auto file =
        std::make_shared<const Fd>(TRY(sys::OpenAt(AT_FDCWD, tar.c_str(), O_RDONLY | O_CLOEXEC)));
    struct stat info{};
    if (::fstat(file->get(), &info) < 0) return Failure(Error::FromErrno(tar));
    return templates::FileRange{
        .file = std::move(file), .offset = 0, .size = static_cast<Bytes>(info.st_size)};
  };
  const templates::FileRange content = TRY(open());
  oci::Digest digest = TRY(DigestOf(content));
  templates::NewImage image{
      .origin = {.reference = {}, .config = {.platform = oci::Platform::Native()}}, .layers = {}};
  image.origin.config.process.env = {std::string(templates::kDefaultPath)};
  image.origin.config.process.cmd = {"bash"};
  image.origin.config.diff_ids = {digest};
  image.layers.push_back({.media_type = std::string(oci::kOciLayerTar),
                          .digest = std::move(digest),
                          .size = content.size});
  templates::ImportOptions options;
  options.replace = true;
  options.source_name = "mmdebstrap " + suite;
  const auto added = store.AddImage(
      name, image,
      [&](size_t) -> Result<std::unique_ptr<archive::ByteSource>> { return content.Open(); },
      options);
  return added ? Result<void>() : Failure(added.error());
}

}  // namespace

Result<void> MakeDebian(templates::TemplateStore& store, const std::string& name,
                        const std::string& suite) {
  // A place aside, which goes with this.
  templates::LayerStore layers = store.layers();
  const templates::NewLayer work = TRY(layers.Begin());
  const std::string place = work.root();
  const std::string tar = place + "/root.tar";
  const std::string mirror = TRY(MirrorOf(place));
  TRY(RunProgram({"mmdebstrap", "--variant=minbase", "--quiet", "--format=tar", suite, tar, mirror},
                 place, kMmdebstrapPatience));
  return AddAsImage(store, name, suite, tar);
}

}  // namespace cay::cli
