// cay template build: what is typed.
#include "cli/builds/build_options.h"

#include "base/os/file.h"
#include "base/text.h"
#include "build/stages/build.h"
#include "cli/builds/build_here.h"
#include "cli/builds/shared_options.h"
#include "cli/frame/argument_values.h"
#include "cli/frame/option_tables.h"
#include "template/store/template_name.h"

namespace cay::cli {
namespace {

using std::string_view;

Result<void> AddTag(BuildOptions& o, string_view value) {
  o.tags.push_back(TRY(templates::NormalTemplateName(value)));
  return {};
}

Result<void> AddLabel(BuildOptions& o, string_view value) {
  const size_t equals = value.find('=');
  const std::string name(value.substr(0, equals));
  if (name.empty()) return Failure(Error::Invalid("a label is NAME=VALUE"));
  o.labels[name] = equals == string_view::npos ? "" : std::string(value.substr(equals + 1));
  return {};
}

Result<void> AddSecret(BuildOptions& o, string_view value) {
  TypedSecret secret = TRY(ReadTypedSecret(value));
  o.secrets[secret.id] = std::move(secret.content);
  return {};
}

Result<void> SetPlatform(BuildOptions& o, string_view value) {
  o.platform = TRY(templates::oci::Platform::Parse(value));
  return {};
}

Result<void> SetMemory(BuildOptions& o, string_view value) {
  o.limits.limits.memory = TRY(ParseBytes(value));
  return {};
}
Result<void> SetCpus(BuildOptions& o, string_view value) {
  o.has_cpus = true;
  o.limits.limits.cpus = TRY(ParseCpus(value));
  return {};
}
Result<void> SetDisk(BuildOptions& o, string_view value) {
  o.limits.limits.disk = TRY(ParseBytes(value));
  return {};
}
Result<void> SetStepTimeout(BuildOptions& o, string_view value) {
  o.limits.timeout = TRY(ParseDuration(value));
  return {};
}

template <auto kApply>
constexpr auto kInto = &Into<BuildOptions, kApply>;

constexpr OptionSpec kOptions[] = {
    {.name = "file",
     .short_name = 'f',
     .value = "FILE",
     .help =
         "The Dockerfile (-: standard input; default CONTEXT/Dockerfile; of a tar: a path in it)",
     .example = "./docker/Dockerfile",
     .completes = Completes::kFiles,
     .apply = kText<BuildOptions, &BuildOptions::file>},
    {.name = "tag",
     .short_name = 't',
     .value = "NAME",
     .help = "Name the template so, and replace the one of that name; repeatable",
     .example = "app:1.0",
     .apply = kInto<AddTag>},
    kBuildArgOption<BuildOptions>,
    {.name = "target",
     .value = "STAGE",
     .help = "Build this stage and what it needs (default: the last)",
     .example = "test",
     .apply = kText<BuildOptions, &BuildOptions::target>},
    {.name = "secret",
     .value = "id=ID[,src=FILE][,env=NAME]",
     .help = "What RUN --mount=type=secret,id=ID gets: never in a layer; repeatable",
     .example = "id=token,src=./token.txt",
     .apply = kInto<AddSecret>},
    {.name = "label",
     .value = "NAME=VALUE",
     .help = "Beside the labels of the Dockerfile; repeatable",
     .example = "version=1.2",
     .apply = kInto<AddLabel>},
    {.name = "platform",
     .value = "OS/ARCH[/VARIANT]",
     .help = "Of images for several platforms, this one (default: this machine's)",
     .example = "linux/amd64",
     .apply = kInto<SetPlatform>},
    kPullBasesOption<BuildOptions>,
    kNoCacheOption<BuildOptions>,
    kProgressOption<BuildOptions>,
    kQuietOption<BuildOptions>,
    kJsonOption<BuildOptions>,
    {.name = "memory",
     .short_name = 'm',
     .value = "SIZE",
     .help = "Memory of each RUN (default 4g)",
     .group = "Limits",
     .example = "8g",
     .apply = kInto<SetMemory>},
    {.name = "cpus",
     .value = "NUMBER",
     .help = "Processors of each RUN (default all)",
     .example = "2",
     .apply = kInto<SetCpus>},
    {.name = "disk",
     .value = "SIZE",
     .help = "What each RUN can write (default 20g)",
     .example = "50g",
     .apply = kInto<SetDisk>},
    {.name = "step-timeout",
     .value = "TIME",
     .help = "How long each RUN may take (default any)",
     .example = "10m",
     .apply = kInto<SetStepTimeout>},
    kNetOption<BuildOptions>,
    kAllowOption<BuildOptions>,
    kDenyOption<BuildOptions>,
    kDnsOption<BuildOptions>,
    kResolverOption<BuildOptions>,
    kProxyOption<BuildOptions>,
    kStepAuthorityOption<BuildOptions>,
    InGroup("Where", kInsecureRegistryOption<BuildOptions>),
    kRegistryCaOption<BuildOptions>,
    kStateDirOption<BuildOptions>,
    kUrlOption<BuildOptions>,
    kApiKeyFileOption<BuildOptions>,
    kContextOption<BuildOptions>,
};

}  // namespace

Result<TypedSecret> ReadTypedSecret(string_view text) {
  TypedSecret secret;
  std::string file;
  std::string variable;
  for (const string_view field : Split(text, ',')) {
    const size_t equals = field.find('=');
    const string_view key = field.substr(0, equals);
    const std::string value(equals == string_view::npos ? "" : field.substr(equals + 1));
    if (equals == string_view::npos) {
      return Failure(Error::Invalid("\"" + std::string(field) + "\" has to be KEY=VALUE"));
    }
    if (key == "id") {
      secret.id = value;
    } else if (key == "src" || key == "source") {
      file = value;
    } else if (key == "env") {
      variable = value;
    } else if (key != "type" || (value != "file" && value != "env")) {
      return Failure(Error::Invalid("a secret has id, src and env, and no " + std::string(key)));
    }
  }
  if (secret.id.empty()) return Failure(Error::Invalid("a secret has an id: id=ID"));
  if (file.empty()) {
    const std::string& name = variable.empty() ? secret.id : variable;
    if (const auto found = LookupEnvironment(name)) {
      secret.content = *found;
      return secret;
    }
    if (!variable.empty())
      return Failure(Error::Invalid("there is no variable " + variable + " here"));
  }
  secret.content = TRY(ReadFile(file.empty() ? secret.id : file, build::kMaxSecret));
  return secret;
}

constinit const Command kTemplateBuildCommand = {
    .name = "build",
    .summary = "Make a template of a Dockerfile",
    .usage = "[OPTIONS] DIR|TAR|-",
    .description =
        "Each RUN is done in a sandbox, as root inside, without a network unless --net or --allow\n"
        "says otherwise. What a step made is kept, and found again by what it depends on.\n"
        "An image that FROM names is a template of this machine, or pulled; Debian's own is made "
        "by\n"
        "mmdebstrap where no registry is reached.\n"
        "The context is a directory, or a tar (plain, gzip, zstd); - is standard input: a tar, or "
        "a\n"
        "Dockerfile alone.\n"
        "With --url, --context or a current context a server builds it, within its configuration:\n"
        "the build goes on when this command ends, but a signal cancels it.\n"
        "Exits with 1 when a step failed.\n",
    .options = kOptions,
    .examples =
        "cay template build -t app .\n"
        "cay template build -t app:test --target test --net pypi .\n"
        "cay template build -t small - <Dockerfile\n"
        "cay template build -t app --build-arg VERSION=1.2 --secret id=token,src=token.txt .\n",
    .min_arguments = 1,
    .max_arguments = 1,
    .completes = Completes::kFiles,
    .run = &ParseAndAct<BuildOptions, BuildMain>,
};

}  // namespace cay::cli
