// cay template export: a template of this machine, or of a server, as a file that docker, podman,
// skopeo and others read.
#include "cli/templates/export_command.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>

#include "archive/unpack.h"
#include "base/id.h"
#include "base/os/file.h"
#include "base/os/sys.h"
#include "cli/client/call.h"
#include "cli/client/target.h"
#include "cli/copy/progress.h"
#include "cli/frame/console.h"
#include "cli/frame/option_tables.h"
#include "cli/local/local_survey.h"
#include "cli/remote/server_templates.h"
#include "template/export/image_form.h"
#include "template/export/write_image.h"
#include "template/store/template_name.h"

namespace cay::cli {
namespace {

using archive::Compression;
using templates::PackedImage;
using templates::oci::ImageReference;

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kEvery{100};
// Of a layout that a server sends: more than any image has.
constexpr uint64_t kMaxLayoutFiles = 10'000;
constexpr Bytes kMaxLayoutBytes = 256 * kGiB;

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
class NewFile {
 public:
  explicit NewFile(std::string path) : path_(std::move(path)) {}
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile() {
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

// How an image gets into an archive, and into an empty directory.
struct Writers {
  std::function<Result<void>(archive::ByteSink& sink)> archive;
  std::function<Result<void>(const std::string& directory)> directory;
};

Result<void> WriteTo(const ExportArguments& options, const Writers& writers,
                     const std::string& path) {
  NewFile target(path);
  if (options.format == Format::kOciDirectory) {
    const std::string aside = TRY(target.MakeAside());
    TRY(sys::MkdirAt(AT_FDCWD, aside.c_str(), 0755));
    TRY(writers.directory(aside));
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
    archive::FdSink sink(file);
    return writers.archive(sink);
  }
  const std::string aside = TRY(target.MakeAside());
  {
    const Fd file = TRY(sys::OpenAt(AT_FDCWD, aside.c_str(),
                                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
    archive::FdSink sink(file);
    TRY(writers.archive(sink));
  }
  return target.Publish();
}

templates::ImageForm FormOf(const ExportArguments& options) {
  return options.format == Format::kDocker ? templates::ImageForm::kDocker
                                           : templates::ImageForm::kOci;
}

Result<void> CheckArguments(const ExportArguments& options, const std::string& path) {
  if (!options.tag.empty()) TRY(templates::ReferenceToWrite(options.tag, ""));
  if (options.format == Format::kOciDirectory && path == "-")
    return Failure(Error::Invalid("a directory cannot be written to standard output"));
  [[maybe_unused]] const Compression compression =
      TRY(CompressionFor(FormOf(options), options.compression));
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

void NoteExported(const ExportArguments& options, const std::string& what) {
  if (!options.quiet) Note("exported " + what);
}

Result<int> ExportHere(const ExportArguments& options, const std::string& name,
                       const std::string& path) {
  auto store = TRY(OpenLocalTemplates(TRY(Paths::Resolve(options.state_dir))));
  templates::PackImageOptions pack;
  pack.compression = TRY(CompressionFor(FormOf(options), options.compression));
  const bool watched = !options.quiet && ::isatty(STDERR_FILENO) == 1;
  if (watched) {
    pack.on_progress = [next = Clock::time_point()](const auto& now) mutable -> Result<void> {
      if (Clock::now() < next) return {};
      next = Clock::now() + kEvery;
      ShowProgress(now);
      return {};
    };
  }
  const auto image = PackImage(store, name, pack);
  // Takes the progress line away.
  if (watched) [[maybe_unused]]
    const ssize_t written = ::write(STDERR_FILENO, "\r\x1b[K", 4);
  if (!image) return Failure(image.error());
  const ImageReference reference = TRY(templates::ReferenceToWrite(options.tag, image->name));
  const Writers writers{
      .archive =
          [&](archive::ByteSink& sink) {
            return options.format == Format::kDocker ? WriteDockerArchive(*image, reference, sink)
                                                     : WriteOciArchive(*image, reference, sink);
          },
      .directory = [&](const std::string& to) { return WriteOciLayout(*image, reference, to); }};
  TRY(WriteTo(options, writers, path));
  NoteExported(options, image->name + " as " + reference.Familiar() + " (" +
                            std::to_string(image->layers.size()) +
                            (image->layers.size() == 1 ? " layer, " : " layers, ") +
                            image->descriptor.digest.text() + ")");
  return 0;
}

std::string_view CompressionName(Compression compression) {
  switch (compression) {
    case Compression::kGzip:
      return "gzip";
    case Compression::kZstd:
      return "zstd";
    case Compression::kNone:
      break;
  }
  return "none";
}

// The answer's body; what of it came is shown.
class ResponseSource final : public archive::ByteSource {
 public:
  ResponseSource(http::ClientResponse& response, const std::string& name, bool quiet)
      : response_(response), progress_(name, std::nullopt, quiet) {}
  Result<size_t> Read(std::span<char> into) override {
    const size_t got = TRY(response_.Read(into));
    progress_.Add(got);
    return got;
  }

 private:
  http::ClientResponse& response_;
  Progress progress_;
};

Result<int> ExportThere(ApiClient& api, const ExportArguments& options, const std::string& name,
                        const std::string& path) {
  http::ClientRequest request;
  request.target =
      Target(TemplatePath(name) + "/export")
          .Add("format", options.format == Format::kDocker ? "docker" : "oci")
          .AddUnlessEmpty("tag", options.tag)
          .AddUnlessEmpty("compression", options.compression ? CompressionName(*options.compression)
                                                             : std::string_view())
          .text();
  const auto response = TRY(api.Send(std::move(request)));
  ResponseSource source(*response, name, options.quiet);
  const Writers writers{.archive = [&](archive::ByteSink& sink) -> Result<void> {
                          std::vector<char> space(256 * kKiB);
                          while (const size_t got = TRY(source.Read(space)))
                            TRY(sink.Write({space.data(), got}));
                          return {};
                        },
                        .directory = [&](const std::string& to) -> Result<void> {
                          const Fd directory = TRY(sys::OpenAt(AT_FDCWD, to.c_str(),
                                                               O_RDONLY | O_DIRECTORY | O_CLOEXEC));
                          archive::UnpackOptions unpack;
                          unpack.max_entries = kMaxLayoutFiles;
                          unpack.max_bytes = kMaxLayoutBytes;
                          TRY(archive::Unpack(source, directory, unpack));
                          return {};
                        }};
  TRY(WriteTo(options, writers, path));
  NoteExported(options, name + " (" +
                            std::string(response->headers()
                                            .Find("Docker-Content-Digest")
                                            .value_or("of a digest that it does not say")) +
                            ")");
  return 0;
}

Result<int> ExportMain(ExportArguments& options, Positionals& rest) {
  TRY(CheckArguments(options, rest.values[1]));
  if (auto server = TRY(NamedServer(options.connection, options.state_dir))) {
    return FinishCall(*server, ExportThere(*server, options, rest.values[0], rest.values[1]));
  }
  return ExportHere(options, rest.values[0], rest.values[1]);
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
     .apply = kParsed<ExportArguments, &ExportArguments::compression, templates::ParseCompression>},
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

constinit const Command kTemplateExportCommand = {
    .name = "export",
    .summary = "Write a template as an image that docker, podman and skopeo read",
    .usage = "[OPTIONS] NAME FILE|DIR|-",
    .description =
        "Of an image that was pulled or imported, the image comes out, without what Cay added; of "
        "a root\n"
        "filesystem one layer. The same template gives the same bytes. `host` is a machine's "
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
