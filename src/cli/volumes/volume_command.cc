// cay volume create | ls | inspect | rm | export | import: filesystems that outlive sandboxes: of
// this machine, or of a server when one is named (as cay template has it).
#include <fcntl.h>
#include <unistd.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "archive/byte_stream.h"
#include "base/clock.h"
#include "cli/client/call.h"
#include "cli/client/target.h"
#include "cli/client/values.h"
#include "cli/frame/console.h"
#include "cli/frame/option_tables.h"
#include "cli/local/local_survey.h"
#include "cli/remote/server_templates.h"
#include "json/field_writer.h"
#include "sandbox/volumes/volume_keeper.h"
#include "volume/disk/ext4_image.h"
#include "volume/store/volume_fields.h"
#include "volume/store/volume_store.h"

namespace cay::cli {
namespace {

namespace json = boost::json;
using volume::VolumeInfo;
using volume::VolumeStore;

struct VolumeOptions : ServerOptions {
  std::optional<Bytes> size;
  std::string state_dir;
};

std::string VolumePath(const std::string& name, std::string_view rest = {}) {
  return "/api/volumes/" + EncodeComponent(name) + std::string(rest);
}

Result<json::object> ObjectOf(const VolumeInfo& info) {
  const JsonWriter writer = ObjectJson<volume::fields::Volume>(info);
  return ParseJsonObject(writer.text());
}

// What all of them have in common: where the volumes are.
class Volumes {
 public:
  static Result<Volumes> Open(const VolumeOptions& options) {
    auto server = TRY(NamedServer(options.connection, options.state_dir));
    if (server) return Volumes(std::move(server), std::nullopt);
    return Volumes(std::nullopt, TRY(OpenLocalVolumes(TRY(Paths::Resolve(options.state_dir)))));
  }

  Result<json::object> Create(const std::string& name, Bytes size) {
    if (server_) {
      return server_->Call("POST", "/api/volumes", json::object{{"name", name}, {"size", size}});
    }
    TRY(CheckCanMount());
    return ObjectOf(TRY(store_->Create(name, size)));
  }
  Result<json::object> Get(const std::string& name) {
    if (server_) return server_->Get(VolumePath(name));
    return ObjectOf(TRY(store_->Get(name)));
  }
  Result<json::array> List() {
    if (server_) return ArrayOf(TRY(server_->Get("/api/volumes")), "volumes");
    json::array list;
    const std::vector<VolumeInfo> all = TRY(store_->List());
    for (const VolumeInfo& info : all) list.push_back(TRY(ObjectOf(info)));
    return list;
  }
  Result<void> Remove(const std::string& name) {
    if (!server_) return store_->Remove(name);
    TRY(server_->Call("DELETE", VolumePath(name)));
    return {};
  }
  Result<void> Export(const std::string& name, archive::ByteSink& sink) {
    if (!server_) {
      const archive::PackReport report = TRY(store_->Export(name, sink));
      Tell(report);
      return {};
    }
    http::ClientRequest request;
    request.target = VolumePath(name, "/archive");
    auto response = TRY(server_->Send(std::move(request)));
    std::vector<char> space(256 * kKiB);
    while (true) {
      const size_t got = TRY(response->Read(space));
      if (got == 0) return {};
      TRY(sink.Write({space.data(), got}));
    }
  }
  Result<json::object> Import(const std::string& name, Bytes size, archive::ByteSource& source) {
    if (!server_) {
      const VolumeStore::Imported done = TRY(store_->Import(name, size, source));
      Tell(done.report);
      return ObjectOf(done.info);
    }
    http::ClientRequest request;
    request.method = "PUT";
    request.target = Target(VolumePath(name, "/archive")).Add("size", std::to_string(size)).text();
    request.headers.Add("Content-Type", "application/x-tar");
    request.source = [&](std::span<char> space) { return source.Read(space); };
    auto response = TRY(server_->Send(std::move(request)));
    return ParseJsonObject(TRY(response->ReadAll(kMaxAnswerBytes)));
  }

  bool local() const { return store_.has_value(); }

  // The code, as FinishCall has it.
  Result<int> Finish(Result<int> code) {
    return server_ ? FinishCall(*server_, std::move(code)) : std::move(code);
  }

 private:
  Volumes(std::optional<ApiClient> server, std::optional<VolumeStore> store)
      : server_(std::move(server)), store_(std::move(store)) {}

  static Result<void> CheckCanMount() {
    const std::string why_not = volume::WhyNoImages();
    if (why_not.empty()) return {};
    return Failure(Error(ErrorCode::kNotSupported, Fault::kMachine,
                         "volumes are not possible here: " + why_not));
  }
  static void Tell(const archive::PackReport& report) {
    const uint64_t left = report.skipped_special + report.skipped_unreadable +
                          report.skipped_mounts + report.skipped_too_deep +
                          report.skipped_fragmented;
    if (left == 0) return;
    Note("left out: " + std::to_string(left) +
         " entries that are no files, directories or links, or that an archive cannot hold; the "
         "first is " +
         report.first_problem);
  }
  static void Tell(const archive::UnpackReport& report) {
    if (report.skipped_special > 0)
      Note("left out: " + std::to_string(report.skipped_special) + " devices and FIFOs");
    if (report.stripped_modes > 0)
      Note("setuid and setgid were taken from " + std::to_string(report.stripped_modes) +
           " entries");
    if (report.replaced_owners > 0)
      Note(std::to_string(report.replaced_owners) + " owners over 65535 became 65534");
  }

  std::optional<ApiClient> server_;
  std::optional<VolumeStore> store_;
};

std::string CellOfUsers(const json::object& info) {
  std::string ids;
  for (const json::value& entry : ArrayOf(info, "used_by"))
    if (entry.is_object()) ids += (ids.empty() ? "" : " ") + TextOf(entry.get_object(), "sandbox");
  return ids.empty() ? "-" : ids;
}

// As it is typed: an owner's own by its name alone.
std::string TypedName(const json::object& info, bool with_owner) {
  const std::string owner = TextOf(info, "owner");
  const std::string name = TextOf(info, "name");
  return with_owner && !owner.empty() ? "@" + owner + "/" + name : name;
}

Result<int> CreateMain(VolumeOptions& options, Positionals& rest) {
  Volumes volumes = TRY(Volumes::Open(options));
  const Bytes size = options.size.value_or(sandbox::VolumeSpec::kUsualSize);
  return volumes.Finish([&]() -> Result<int> {
    const json::object made = TRY(volumes.Create(rest.values[0], size));
    if (options.json || !options.quiet)
      TRY(Print(options.json ? PrettyJson(made) : rest.values[0] + "\n"));
    return 0;
  }());
}

Result<int> List(Volumes& volumes, const VolumeOptions& options) {
  const json::array all = TRY(volumes.List());
  if (options.json) {
    TRY(Print(PrettyJson(all)));
    return 0;
  }
  // Of several owners, or of none, the name alone does not say which.
  std::string first;
  bool mixed = false;
  for (const json::value& entry : all) {
    if (!entry.is_object()) continue;
    const std::string owner = TextOf(entry.get_object(), "owner");
    if (&entry == &all.front()) first = owner;
    mixed |= owner != first;
  }
  const bool with_owner = mixed || volumes.local();
  std::string names;
  std::vector<std::vector<std::string>> rows = {{"NAME", "SIZE", "USED", "AGE", "SANDBOXES"}};
  for (const json::value& entry : all) {
    if (!entry.is_object()) continue;
    const json::object& info = entry.get_object();
    const std::string name = TypedName(info, with_owner);
    names += name + "\n";
    rows.push_back({name, BytesCell(info, "size"), BytesCell(info, "used"),
                    AgeCell(info, "created_at", UnixMs()), CellOfUsers(info)});
  }
  TRY(Print(options.quiet ? names : FormatTable(rows)));
  return 0;
}

Result<int> ListMain(VolumeOptions& options, Positionals&) {
  Volumes volumes = TRY(Volumes::Open(options));
  return volumes.Finish(List(volumes, options));
}

Result<int> InspectMain(VolumeOptions& options, Positionals& rest) {
  Volumes volumes = TRY(Volumes::Open(options));
  Answers answers({.json = true}, rest.values.size());
  return volumes.Finish(
      answers.Finish(ForEach(rest.values, [&](const std::string& name) -> Result<void> {
        return answers.Add(name, TRY(volumes.Get(name)));
      })));
}

Result<int> RemoveMain(VolumeOptions& options, Positionals& rest) {
  Volumes volumes = TRY(Volumes::Open(options));
  return volumes.Finish(
      ForEach(rest.values, [&](const std::string& name) { return volumes.Remove(name); }));
}

Result<int> ExportMain(VolumeOptions& options, Positionals& rest) {
  if (::isatty(STDOUT_FILENO) == 1) {
    return Failure(Error::Invalid("an archive is not written to a terminal")
                       .WithRemedy("lead standard output into a file: cay volume export " +
                                   rest.values[0] + " > FILE"));
  }
  Volumes volumes = TRY(Volumes::Open(options));
  const int raw = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  if (raw < 0) return Failure(Error::FromErrno("standard output"));
  const Fd out = Fd::Adopt(raw);
  archive::FdSink sink(out);
  return volumes.Finish([&]() -> Result<int> {
    TRY(volumes.Export(rest.values[0], sink));
    return 0;
  }());
}

Result<int> ImportMain(VolumeOptions& options, Positionals& rest) {
  if (::isatty(STDIN_FILENO) == 1) {
    return Failure(Error::Invalid("an archive is not read from a terminal")
                       .WithRemedy("lead a file into standard input: cay volume import " +
                                   rest.values[0] + " < FILE"));
  }
  Volumes volumes = TRY(Volumes::Open(options));
  const int raw = ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
  if (raw < 0) return Failure(Error::FromErrno("standard input"));
  const Fd in = Fd::Adopt(raw);
  archive::FdSource source(in);
  const Bytes size = options.size.value_or(sandbox::VolumeSpec::kUsualSize);
  return volumes.Finish([&]() -> Result<int> {
    const json::object made = TRY(volumes.Import(rest.values[0], size, source));
    if (options.json || !options.quiet)
      TRY(Print(options.json ? PrettyJson(made) : rest.values[0] + "\n"));
    return 0;
  }());
}

constexpr OptionSpec kSize = {.name = "size",
                              .value = "SIZE",
                              .help = "How much it can hold (default 1g)",
                              .example = "10g",
                              .apply = kParsed<VolumeOptions, &VolumeOptions::size, &ParseBytes>};

constexpr OptionSpec kMakeOptions[] = {
    kSize,
    kJsonOption<VolumeOptions>,
    {.name = "quiet",
     .short_name = 'q',
     .help = "Print only errors",
     .apply = kFlag<VolumeOptions, &VolumeOptions::quiet>},
    kStateDirOption<VolumeOptions>,
    kUrlOption<VolumeOptions>,
    kApiKeyFileOption<VolumeOptions>,
    kContextOption<VolumeOptions>,
};

constexpr OptionSpec kListOptions[] = {
    kJsonOption<VolumeOptions>,
    {.name = "quiet",
     .short_name = 'q',
     .help = "Only the names",
     .apply = kFlag<VolumeOptions, &VolumeOptions::quiet>},
    kStateDirOption<VolumeOptions>,
    kUrlOption<VolumeOptions>,
    kApiKeyFileOption<VolumeOptions>,
    kContextOption<VolumeOptions>,
};

constexpr OptionSpec kPlainOptions[] = {kStateDirOption<VolumeOptions>, kUrlOption<VolumeOptions>,
                                        kApiKeyFileOption<VolumeOptions>,
                                        kContextOption<VolumeOptions>};

constinit const Command kCreate = {
    .name = "create",
    .summary = "Make a volume, and print its name",
    .usage = "[OPTIONS] NAME",
    .options = kMakeOptions,
    .examples = "cay volume create data\ncay volume create --size 10g models\n",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = &ParseAndAct<VolumeOptions, CreateMain>,
};

constinit const Command kLs = {
    .name = "ls",
    .summary = "List volumes, and the sandboxes that have them",
    .usage = "[OPTIONS]",
    .options = kListOptions,
    .examples = "cay volume ls\ncay volume ls --json\n",
    .run = &ParseAndAct<VolumeOptions, ListMain>,
};

constinit const Command kInspect = {
    .name = "inspect",
    .summary = "Show volumes as JSON",
    .usage = "[OPTIONS] NAME...",
    .options = kPlainOptions,
    .examples = "cay volume inspect data\n",
    .min_arguments = 1,
    .max_arguments = 1000,
    .run = &ParseAndAct<VolumeOptions, InspectMain>,
};

constinit const Command kRm = {
    .name = "rm",
    .summary = "Remove volumes, with all that is in them; refused while a sandbox has one",
    .usage = "[OPTIONS] NAME...",
    .options = kPlainOptions,
    .examples = "cay volume rm data\n",
    .min_arguments = 1,
    .max_arguments = 1000,
    .run = &ParseAndAct<VolumeOptions, RemoveMain>,
};

constinit const Command kExport = {
    .name = "export",
    .summary = "Write what is in a volume to standard output, as a tar archive",
    .usage = "[OPTIONS] NAME",
    .description =
        "Refused while a sandbox that runs writes to it. Sockets and FIFOs are left out.\n",
    .options = kPlainOptions,
    .examples = "cay volume export data > data.tar\ncay volume export data | zstd > data.tar.zst\n",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = &ParseAndAct<VolumeOptions, ExportMain>,
};

constinit const Command kImport = {
    .name = "import",
    .summary = "Make a volume of a tar archive (plain, .gz, .zst) on standard input",
    .usage = "[OPTIONS] NAME",
    .options = kMakeOptions,
    .examples =
        "cay volume import data < data.tar\ncay volume import --size 10g data < data.tar.zst\n",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = &ParseAndAct<VolumeOptions, ImportMain>,
};

constexpr const Command* kSubcommands[] = {&kCreate, &kLs, &kInspect, &kRm, &kExport, &kImport};

}  // namespace

constinit const Command kVolumeCommand = {
    .name = "volume",
    .summary = "Filesystems that outlive sandboxes: create, list, remove and back them up",
    .usage = "COMMAND",
    .description =
        "A volume has a size, and is used by one sandbox that writes to it, or by several that "
        "only\n"
        "read it. Of this machine, or of a server when one is named: with --url, --context or\n"
        "CAY_URL, or by a current context (cay context use).\n",
    .examples =
        "cay volume create data\n"
        "cay run --volume data:/data -- sh -c 'date >> /data/log'\n"
        "cay run --volume data:/data:ro -- cat /data/log\n",
    .subcommands = kSubcommands,
};

}  // namespace cay::cli
