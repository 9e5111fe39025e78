// cay template import | list | rm, and the table of the others: a thin front of
// template/store/template_store.h, or of a server's templates when a server is named (--url,
// --context, CAY_URL or the current context; not with --state-dir).
#include <unistd.h>

#include <boost/json/array.hpp>

#include "cli/builds/build_options.h"
#include "cli/client/call.h"
#include "cli/client/values.h"
#include "cli/frame/command.h"
#include "cli/frame/console.h"
#include "cli/frame/option_tables.h"
#include "cli/local/local_survey.h"
#include "cli/remote/server_templates.h"
#include "cli/templates/export_command.h"
#include "cli/templates/pull_command.h"
#include "cli/templates/usage_commands.h"
#include "json/field_writer.h"
#include "template/oci/platform.h"
#include "template/space/make_room.h"
#include "template/store/template_store.h"
#include "template/template_fields.h"

namespace cay::cli {
namespace {

using templates::ImportOptions;
using templates::ImportProgress;
using templates::TemplateInfo;
using templates::TemplateStore;

struct ImportArguments : ServerOptions {
  ImportOptions import;
  std::string state_dir;
};

struct ListArguments : ServerOptions {
  std::string state_dir;
};

Result<TemplateStore> OpenStore(const std::string& state_dir) {
  return OpenLocalTemplates(TRY(Paths::Resolve(state_dir)));
}

// One line that is written over again, and only for a person who watches.
void ShowProgress(const ImportProgress& progress) {
  std::string line =
      "\r" + std::to_string(progress.entries) + " files, " + HumanBytes(progress.bytes) + " ";
  [[maybe_unused]] ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

Result<int> ImportMain(ImportArguments& options, Positionals& rest) {
  if (auto server = TRY(NamedServer(options.connection, options.state_dir))) {
    return FinishCall(
        *server, ImportToServer(*server, options, rest.values[0], rest.values[1], options.import));
  }
  TemplateStore store = TRY(OpenStore(options.state_dir));
  bool watched = !options.quiet && ::isatty(STDERR_FILENO) == 1;
  if (watched) options.import.on_progress = &ShowProgress;
  std::string what;
  options.import.on_recognized = [&](const std::string& found) { what = found + ", "; };
  TRY(templates::MakeRoom(store, 0));
  options.import.check_room = templates::RoomCheck(store);
  Result<TemplateInfo> info = store.Import(rest.values[0], rest.values[1], options.import);
  // Takes the progress line away.
  if (watched) [[maybe_unused]]
    ssize_t written = ::write(STDERR_FILENO, "\r\x1b[K", 4);
  if (!info) return Failure(std::move(info).error());
  if (!options.quiet) {
    TRY(Print("imported " + info->name + " (" + what + HumanBytes(info->size) +
              "); try: cay run --template " + info->name + " -it -- sh\n"));
    const std::string notes = templates::DescribeNotes(info->notes);
    if (!notes.empty()) Note(notes);
  }
  return 0;
}

Result<int> ListMain(ListArguments& options, Positionals&) {
  if (auto server = TRY(NamedServer(options.connection, options.state_dir))) {
    return FinishCall(*server, ListServerTemplates(*server, options));
  }
  TemplateStore store = TRY(OpenStore(options.state_dir));
  boost::json::array list;
  for (const TemplateInfo& info : TRY(store.List())) {
    const JsonWriter json = ObjectJson<templates::fields::Template>(info);
    list.push_back(TRY(ParseJson(json.text())));
  }
  return PrintTemplates(list, options);
}

Result<int> RemoveMain(ListArguments& options, Positionals& rest) {
  if (auto server = TRY(NamedServer(options.connection, options.state_dir))) {
    return FinishCall(*server, RemoveFromServer(*server, rest.values));
  }
  TemplateStore store = TRY(OpenStore(options.state_dir));
  for (const std::string& name : rest.values) TRY(store.Remove(name));
  return 0;
}

Result<void> SetMaxSize(ImportArguments& o, std::string_view value) {
  o.import.max_bytes = TRY(ParseBytes(value));
  return {};
}

Result<void> SetTag(ImportArguments& o, std::string_view value) {
  if (value.empty()) return Failure(Error::Invalid("the value is empty"));
  o.import.tag = value;
  return {};
}

Result<void> SetPlatform(ImportArguments& o, std::string_view value) {
  o.import.platform = TRY(templates::oci::Platform::Parse(value)).Text();
  return {};
}

constexpr OptionSpec kImportOptions[] = {
    {.name = "replace",
     .help = "Take the place of a template of that name",
     .apply = &Into<ImportArguments,
                    [](ImportArguments& o, std::string_view) {
                      o.import.replace = true;
                      return Ok();
                    }>},
    {.name = "tag",
     .value = "TAG",
     .help = "Of an archive of several images, the one that it calls so",
     .example = "app:1.2",
     .apply = &Into<ImportArguments, SetTag>},
    {.name = "platform",
     .value = "OS/ARCH[/VARIANT]",
     .help = "Of an image for several platforms, this one (default: this machine's)",
     .example = "linux/amd64",
     .apply = &Into<ImportArguments, SetPlatform>},
    {.name = "max-size",
     .value = "SIZE",
     .help = "Refuse more unpacked content than this (default 16g)",
     .example = "4g",
     .apply = &Into<ImportArguments, SetMaxSize>},
    {.name = "quiet",
     .short_name = 'q',
     .help = "Print only errors",
     .apply = kFlag<ImportArguments, &ImportArguments::quiet>},
    kStateDirOption<ImportArguments>,
    kUrlOption<ImportArguments>,
    kApiKeyFileOption<ImportArguments>,
    kContextOption<ImportArguments>,
};

constexpr OptionSpec kListOptions[] = {
    kJsonOption<ListArguments>,
    {.name = "quiet",
     .short_name = 'q',
     .help = "Only the names",
     .apply = kFlag<ListArguments, &ListArguments::quiet>},
    kStateDirOption<ListArguments>,
    kUrlOption<ListArguments>,
    kApiKeyFileOption<ListArguments>,
    kContextOption<ListArguments>,
};

constexpr OptionSpec kRemoveOptions[] = {kStateDirOption<ListArguments>, kUrlOption<ListArguments>,
                                         kApiKeyFileOption<ListArguments>,
                                         kContextOption<ListArguments>};

constinit const Command kImport = {
    .name = "import",
    .summary =
        "Make a template from a root filesystem or an image: a directory, or a tar (plain, "
        ".gz, .zst)",
    .usage = "[OPTIONS] NAME FILE|DIR|-",
    .description =
        "What it is, its content says: a root filesystem, an archive of docker save, an OCI "
        "archive, or\n"
        "an OCI layout. An image's variables, user and directory hold, as those of one that was "
        "pulled.\n",
    .options = kImportOptions,
    .examples =
        "cay template import alpine ./alpine-minirootfs.tar.gz\n"
        "cay template import --replace ci ./rootfs/\n"
        "docker save app:1.2 | cay template import app -\n"
        "cay template import --tag app:1.2 app ./images.tar\n",
    .min_arguments = 2,
    .max_arguments = 2,
    .completes = Completes::kFiles,
    .run = &ParseAndAct<ImportArguments, ImportMain>,
};

constinit const Command kList = {
    .name = "list",
    .summary = "List templates",
    .usage = "[OPTIONS]",
    .options = kListOptions,
    .examples = "cay template list\ncay template list --json\n",
    .run = &ParseAndAct<ListArguments, ListMain>,
};

constinit const Command kRemove = {
    .name = "rm",
    .summary = "Remove templates; sandboxes that run from one keep its files until they end",
    .usage = "[OPTIONS] NAME...",
    .options = kRemoveOptions,
    .examples = "cay template rm alpine\n",
    .min_arguments = 1,
    .max_arguments = 1000,
    .completes = Completes::kTemplates,
    .run = &ParseAndAct<ListArguments, RemoveMain>,
};

constinit const Command kLs = {
    .name = "ls",
    .summary = "The same as list",
    .usage = "[OPTIONS]",
    .options = kListOptions,
    .examples = "cay template ls -q\n",
    .run = &ParseAndAct<ListArguments, ListMain>,
};

constexpr const Command* kSubcommands[] = {&kTemplateBuildCommand,
                                           &kImport,
                                           &kTemplateExportCommand,
                                           &kTemplatePullCommand,
                                           &kTemplatePushCommand,
                                           &kList,
                                           &kLs,
                                           &kTemplateInspectCommand,
                                           &kTemplateDfCommand,
                                           &kRemove,
                                           &kTemplatePruneCommand};

}  // namespace

constinit const Command kTemplateCommand = {
    .name = "template",
    .summary =
        "What sandboxes start from: build, import, pull, export, push, list, inspect and remove it",
    .usage = "COMMAND",
    .description =
        "Of this machine, or of a server when one is named: with --url, --context or CAY_URL, or "
        "by a\n"
        "current context (cay context use).\n",
    .examples =
        "cay template import alpine ./alpine-minirootfs.tar.gz\n"
        "cay template build -t app .\n"
        "cay run --template alpine -- cat /etc/os-release\n",
    .subcommands = kSubcommands,
};

}  // namespace cay::cli
