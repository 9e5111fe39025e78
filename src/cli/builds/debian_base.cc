#include "cli/builds/debian_base.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <vector>

#include "base/os/file.h"
#include "base/os/reap.h"
#include "base/text.h"

namespace cay::cli {
namespace {

constexpr Millis kMmdebstrapPatience{1'800'000};
constexpr Millis kAptPatience{60'000};
constexpr size_t kMaxSaid = 4 * 1024 * 1024;

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
  templates::ImportOptions options;
  options.replace = true;
  options.source_name = "mmdebstrap " + suite;
  const auto imported = store.Import(name, tar, options);
  return imported ? Result<void>() : Failure(imported.error());
}

}  // namespace cay::cli
