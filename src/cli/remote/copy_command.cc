// cay cp: files between this machine and a sandbox of the server's.
#include <unistd.h>

#include <csignal>

#include "cli/client/call.h"
#include "cli/copy/copy_paths.h"
#include "cli/copy/file_transfer.h"

namespace cay::cli {
namespace {

struct CopyOptions : ServerOptions {
  std::string user;
  std::string format = "tar";
};

constexpr std::string_view kFormats = "tar tar.gz tar.zst";

Result<void> SetFormat(CopyOptions& options, std::string_view value) {
  TRY(CheckWord(value, kFormats));
  options.format = value;
  return {};
}

Result<int> CopyMain(ApiClient& api, CopyOptions& options, Positionals& rest) {
  const Copy copy = TRY(ParseCopy(rest.values[0], rest.values[1]));
  ::signal(SIGPIPE, SIG_IGN);
  const bool out = !copy.source.sandbox.empty();
  std::string sandbox = TRY(api.ResolveSandbox(out ? copy.source.sandbox : copy.target.sandbox));
  const FileTransfer transfer{
      .api = api, .sandbox = std::move(sandbox), .user = options.user, .quiet = options.quiet};
  if (copy.source.is_stream) {
    TRY(UnpackStandardInput(transfer, copy.target.path));
  } else if (copy.target.is_stream) {
    if (::isatty(STDOUT_FILENO) == 1) {
      return Failure(Error::Invalid("a tar archive is not written to a terminal")
                         .WithRemedy("pipe it on: cay cp … - | tar t"));
    }
    TRY(PackToStandardOutput(transfer, copy.source.path, options.format));
  } else if (out) {
    TRY(CopyFromSandbox(transfer, copy.source.path, copy.target.path));
  } else {
    TRY(CopyToSandbox(transfer, copy.source.path, copy.target.path));
  }
  return 0;
}

constexpr OptionSpec kOptions[] = {
    UserOption("Read and write inside as this user (default the sandbox's)",
               kText<CopyOptions, &CopyOptions::user>),
    {.name = "format",
     .value = "FORMAT",
     .help = "Of a tar on standard output: tar, tar.gz or tar.zst",
     .example = "tar.gz",
     .completes = Completes::kWords,
     .words = kFormats,
     .apply = &Into<CopyOptions, SetFormat>},
    {.name = "quiet",
     .short_name = 'q',
     .help = "No progress, no notes",
     .apply = kFlag<CopyOptions, &CopyOptions::quiet>},
    kUrlOption<CopyOptions>,
    kApiKeyFileOption<CopyOptions>,
    kContextOption<CopyOptions>,
};

}  // namespace

constinit const Command kCopyCommand = {
    .name = "cp",
    .summary = "Copy files and directories to and from a sandbox",
    .usage = "[OPTIONS] SANDBOX:PATH TARGET | SOURCE SANDBOX:PATH",
    .description =
        "Names are those of cp -r and docker cp: into a directory that is there the source keeps "
        "its\n"
        "name; \"DIR/.\" is what is in DIR. \"-\" is a tar on standard input or output. Paths "
        "inside that do\n"
        "not begin with / are the working directory's. Modes are kept, owners are not.\n",
    .options = kOptions,
    .examples =
        "cay cp ./app web:/workspace\n"
        "cay cp web:/workspace/outputs ./outputs\n"
        "cay cp web:report.xml .\n"
        "tar c src | cay cp - web:/workspace\n"
        "cay cp web:/workspace - | tar t\n",
    .min_arguments = 2,
    .max_arguments = 2,
    .completes = Completes::kFiles,
    .run = &ParseAndCall<CopyOptions, CopyMain>,
};

}  // namespace cay::cli
