// cay: one program. The way of a run from here: cli/run/run_command.cc ->
// engine/native/native_engine.cc -> engine/native/launcher/launcher.cc ->
// engine/native/spawn/spawn.cc, where clone3 makes the sandbox.
#include <fcntl.h>
#include <unistd.h>

#include <string_view>

#include "base/os/process_title.h"
#include "build/fetch/download_process.h"
#include "cli/frame/command.h"
#include "cli/frame/console.h"
#include "cli/frame/environment.h"
#include "cli/local/forked_guest.h"
#include "engine/native/launcher/launcher_server.h"
#include "network/relay/relay_process.h"
#include "sandbox/projects/content_types_child.h"

namespace {

// A program may be started with descriptors 0 to 2 closed: the next file opened would then be taken
// for standard input or output.
void OpenStandardDescriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0) ::open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY);
  }
}

}  // namespace

int main(int argc, char** argv) {
  cay::NoteArguments(argc, argv);
  using cay::cli::Arguments;
  std::string_view first = argc > 1 ? argv[1] : "";
  // The launcher starts from this same file, and so do others; nothing else of the program is to
  // run in them.
  if (argc == 2 && first == "launcher") {
    return cay::engine::native::ServeLauncher(cay::Fd::Adopt(STDIN_FILENO),
                                              cay::cli::ForkedGuest());
  }
  if (argc == 2 && first == cay::sandbox::kContentTypesCommand) {
    return cay::sandbox::ServeContentTypes(cay::Fd::Adopt(STDIN_FILENO));
  }
  if (argc == 2 && first == cay::network::kRelayCommand)
    return cay::network::ServeSpawnedRelay(cay::Fd::Adopt(STDIN_FILENO));
  if (argc == 2 && first == cay::build::kDownloadCommand) return cay::build::ServeDownload();
  OpenStandardDescriptors();
  Arguments arguments(argv + 1, argc > 0 ? static_cast<size_t>(argc - 1) : 0);
  cay::cli::NoteUnknownVariables(first == "serve" || first == "config");
  const char* version[] = {"version"};
  if (argc == 2 && (first == "--version" || first == "-v")) arguments = version;
  cay::Result<int> code = cay::cli::Dispatch(cay::cli::kRootCommand, "cay", arguments);
  return code ? *code : cay::cli::Report(code.error());
}
