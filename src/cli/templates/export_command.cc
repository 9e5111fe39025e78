// cay template export: a template as a file that docker, podman, skopeo and others read.
#include "cli/templates/export_command.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/os/file.h"
#include "base/os/sys.h"
#include "cli/client/call.h"
#include "cli/frame/console.h"
#include "cli/frame/option_tables.h"
#include "cli/local/local_survey.h"
#include "cli/remote/server_templates.h"
#include "template/export/write_image.h"
#include "template/store/template_name.h"

namespace cay::cli {
namespace {

using archive::Compression;
using templates::PackedImage;
using templates::oci::ImageReference;

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kEvery{100};

enum class Format : uint8_t { kOci, kDocker, kOciDirectory };

struct ExportArguments : ServerOptions {
  Format format = Format::kOci;
  std::optional<Compression> compression;
  std::string tag;
  std::string state_dir;
};

Result<Format> ParseFormat(std::string_view text) {
  if (text == "oci") return Format::kOci;
  if (text == "docker") return Format::kDocker;
  if (text == "oci-dir") return Format::kOciDirectory;
  return Failure(Error::Invalid("a format is docker, oci or oci-dir"));
}

// What is made beside its name, and gets it when it is whole; removed otherwise.
class Target {
 public:
  explicit Target(std::string path) : path_(std::move(path)) {}
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;
  ~Target() {
    // Nobody is left to be told when this fails.
    if (!aside_.empty()) [[maybe_unused]]
      const Result<void> removed = RemoveTreeAt(AT_FDCWD, aside_);
  }

  Result<std::string> MakeAside() {
    std::string path = path_;
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    path += ".partial-" + TRY(SandboxId::Generate()).text();
    aside_ = path;
    return path;
  }

  Result<void> Publish() {
    if (::rename(aside_.c_str(), path_.c_str()) < 0) {
      Error error = Error::FromErrno("writing " + path_);
      if (error.sys_errno() != ENOTEMPTY && error.sys_errno() != EEXIST)
        return Failure(std::move(error));
      return Failure(Error(ErrorCode::kAlreadyExists, Fault::kCaller,
                           "the directory " + path_ + " is there, and has something in it"));
    }
    aside_.clear();
    return {};
  }

 private:
  std::string path_;
  std::string aside_;
};

Result<void> WriteArchive(const ExportArguments& options, const PackedImage& image,
                          const ImageReference& reference, const Fd& file) {
  archive::FdSink sink(file);
  return options.format == Format::kDocker ? WriteDockerArchive(image, reference, sink)
                                           : WriteOciArchive(image, reference, sink);
}

Result<void> WriteTo(const ExportArguments& options, const PackedImage& image,
                     const ImageReference& reference, const std::string& path) {
  Target target(path);
  if (options.format == Format::kOciDirectory) {
    const std::string aside = TRY(target.MakeAside());
    TRY(sys::MkdirAt(AT_FDCWD, aside.c_str(), 0755));
    TRY(WriteOciLayout(image, reference, aside));
    return target.Publish();
  }
  struct stat info{};
  const bool is_stream = path == "-" || (::stat(path.c_str(), &info) == 0 &&
                                         !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode));
  if (is_stream) {  // a pipe, a device: nothing to rename
    const int raw = path == "-" ? ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
                                : ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (raw < 0) return Failure(Error::FromErrno("writing " + path));
    const Fd file = Fd::Adopt(raw);
    return WriteArchive(options, image, reference, file);
  }
  const std::string aside = TRY(target.MakeAside());
  {
    const Fd file = TRY(sys::OpenAt(AT_FDCWD, aside.c_str(),
                                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
    TRY(WriteArchive(options, image, reference, file));
  }
  return target.Publish();
}

Result<void> CheckArguments(const ExportArguments& options, const std::string& path) {
  if (!options.tag.empty()) TRY(ReferenceToWrite(options.tag, ""));
  if (options.format == Format::kOciDirectory && path == "-")
    return Failure(Error::Invalid("a directory cannot be written to standard output"));
  if (options.format == Format::kDocker &&
      options.compression.value_or(Compression::kNone) != Compression::kNone) {
    return Failure(Error::Invalid("a docker archive has its layers without compression")
                       .WithRemedy("compress the whole of it, or take --format oci"));
  }
  if (path == "-" && ::isatty(STDOUT_FILENO) == 1) {
    return Failure(Error::Invalid("an archive is not written to a terminal")
                       .WithRemedy("name a file, or lead standard output into one"));
  }
  return {};
}

void ShowProgress(const templates::PackProgress& now) {
  const std::string line = "\r\x1b[Klayer " + std::to_string(now.layer + 1) + " of " +
                           std::to_string(now.layers) + ", " + HumanBytes(now.bytes) + " ";
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

Result<int> ExportMain(ExportArguments& options, Positionals& rest) {
  const std::string& path = rest.values[1];
  TRY(CheckNoServer(options.connection, options.state_dir));
  TRY(CheckArguments(options, path));
  auto store = TRY(OpenLocalTemplates(TRY(Paths::Resolve(options.state_dir))));
  templates::PackImageOptions pack;
  pack.compression = options.compression.value_or(
      options.format == Format::kDocker ? Compression::kNone : Compression::kGzip);
  const bool watched = !options.quiet && ::isatty(STDERR_FILENO) == 1;
  if (watched) {
    pack.on_progress = [next = Clock::time_point()](const auto& now) mutable -> Result<void> {
      if (Clock::now() < next) return {};
      next = Clock::now() + kEvery;
      ShowProgress(now);
      return {};
    };
  }
  const auto image = PackImage(store, rest.values[0], pack);
  // Takes the progress line away.
  if (watched) [[maybe_unused]]
    const ssize_t written = ::write(STDERR_FILENO, "\r\x1b[K", 4);
  if (!image) return Failure(image.error());
  const ImageReference reference = TRY(ReferenceToWrite(options.tag, image->name));
  TRY(WriteTo(options, *image, reference, path));
  if (!options.quiet) {
    Note("exported " + image->name + " as " + reference.Familiar() + " (" +
         std::to_string(image->layers.size()) +
         (image->layers.size() == 1 ? " layer, " : " layers, ") + image->descriptor.digest.text() +
         ")");
  }
  return 0;
}

constexpr OptionSpec kOptions[] = {
    {.name = "format",
     .value = "FORMAT",
     .help = "oci: an archive of an OCI layout; docker: as docker save writes it; oci-dir: the "
             "layout as a directory (default oci)",
     .example = "docker",
     .completes = Completes::kWords,
     .words = "oci docker oci-dir",
     .apply = kParsed<ExportArguments, &ExportArguments::format, ParseFormat>},
    {.name = "compression",
     .value = "KIND",
     .help = "Of the layers: gzip, zstd or none (default gzip; none with --format docker)",
     .example = "zstd",
     .completes = Completes::kWords,
     .words = "gzip zstd none",
     .apply = kParsed<ExportArguments, &ExportArguments::compression, ParseCompression>},
    {.name = "tag",
     .value = "IMAGE",
     .help = "Name the image so in it (default: as the template is named)",
     .example = "team/app:1.2",
     .apply = kText<ExportArguments, &ExportArguments::tag>},
    {.name = "quiet",
     .short_name = 'q',
     .help = "Print only errors",
     .apply = kFlag<ExportArguments, &ExportArguments::quiet>},
    kStateDirOption<ExportArguments>,
    kUrlOption<ExportArguments>,
    kApiKeyFileOption<ExportArguments>,
    kContextOption<ExportArguments>,
};

}  // namespace

Result<Compression> ParseCompression(std::string_view text) {
  if (text == "gzip") return Compression::kGzip;
  if (text == "zstd") return Compression::kZstd;
  if (text == "none") return Compression::kNone;
  return Failure(Error::Invalid("a compression is gzip, zstd or none"));
}

Result<ImageReference> ReferenceToWrite(const std::string& asked, const std::string& name) {
  auto reference = TRY(asked.empty() ? templates::ImageOfName(name) : ImageReference::Parse(asked));
  if (reference.digest && !asked.empty())
    return Failure(Error::Invalid("an image is named by a tag: its digest is what comes of it"));
  reference.digest.reset();
  if (reference.tag.empty()) reference.tag = "latest";
  return reference;
}

constinit const Command kTemplateExportCommand = {
    .name = "export",
    .summary = "Write a template as an image that docker, podman and skopeo read",
    .usage = "[OPTIONS] NAME FILE|DIR|-",
    .description =
        "Of an image that was pulled or imported, the image comes out, without what Cay added; of "
        "a root\n"
        "filesystem one layer. The same template gives the same bytes. `host` is this machine's "
        "own /usr,\n"
        "and cannot be written.\n",
    .options = kOptions,
    .examples =
        "cay template export python:3.12-slim python.tar\n"
        "cay template export --format docker app - | docker load\n"
        "cay template export --format oci-dir --compression zstd app ./layout\n",
    .min_arguments = 2,
    .max_arguments = 2,
    .completes = Completes::kTemplates,
    .run = &ParseAndAct<ExportArguments, ExportMain>,
};

}  // namespace cay::cli
