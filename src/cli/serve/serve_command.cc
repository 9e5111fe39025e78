// cay serve: from the command line to a server that runs (serve_assembly.h).
#include "cli/serve/serve_command.h"

#include <array>

#include "cli/serve/serve_run.h"
#include "config/config_table.h"

namespace cay::cli {
namespace {

using config::Key;
using config::kKeyTable;

template <size_t kIndex>
Result<void> ApplyKey(ConfigArguments& arguments, std::string_view value) {
  arguments.sources.flags.emplace_back(kKeyTable[kIndex].name, config::Values{std::string(value)});
  return {};
}

constexpr size_t CountFlags() {
  size_t count = 0;
  for (const Key& key : kKeyTable) count += key.flag.empty() ? 0 : 1;
  return count;
}

// What comes before the details.
constexpr std::string_view Brief(std::string_view doc) {
  for (size_t i = 0; i < doc.size(); ++i) {
    const bool stop = doc[i] == '.' || doc[i] == ':' || doc[i] == ';';
    if (stop && (i + 1 == doc.size() || doc[i + 1] == ' ')) return doc.substr(0, i);
  }
  return doc;
}

constexpr size_t kOwnOptions = 2;

template <size_t... kIndices>
constexpr std::array<OptionSpec, kOwnOptions + CountFlags()> MakeOptions(
    std::index_sequence<kIndices...>) {
  std::array<OptionSpec, kOwnOptions + CountFlags()> options{};
  options[0] = kConfigOption;
  options[1] = kSetOption;
  size_t next = kOwnOptions;
  const auto add = [&](const Key& key, Result<void> (*apply)(void*, std::string_view)) {
    if (key.flag.empty()) return;
    options[next++] = {.name = key.flag,
                       .value = key.value,
                       .help = Brief(key.doc),
                       .example = key.example,
                       .completes = key.value == "FILE"  ? Completes::kFiles
                                    : key.value == "DIR" ? Completes::kDirectories
                                                         : Completes::kNothing,
                       .apply = apply};
  };
  (add(kKeyTable[kIndices], &Into<ConfigArguments, ApplyKey<kIndices>>), ...);
  return options;
}

constexpr auto kOptions = MakeOptions(std::make_index_sequence<std::size(kKeyTable)>());

Result<int> ServeMain(ConfigArguments& arguments, Positionals&) {
  return RunServer(arguments.sources);
}

}  // namespace

Result<void> AddSetting(ConfigArguments& arguments, std::string_view text) {
  const size_t equals = text.find('=');
  if (equals == 0 || equals == std::string_view::npos) {
    return Failure(Error::Invalid("\"" + std::string(text) + "\" is not KEY=VALUE"));
  }
  arguments.sources.flags.emplace_back(std::string(text.substr(0, equals)),
                                       config::Values{std::string(text.substr(equals + 1))});
  return {};
}

Result<void> SetFile(ConfigArguments& arguments, std::string_view path) {
  arguments.sources.file = path;
  return {};
}

constinit const Command kServeCommand = {
    .name = "serve",
    .summary = "Start the server: sandboxes over HTTP",
    .usage = "[OPTIONS]",
    .description =
        "Listens on 127.0.0.1:8888 unless told otherwise. Sandboxes outlive the server: one that "
        "is\n"
        "started again on the same state directory takes over what is there. Ends by SIGTERM or\n"
        "SIGINT when the requests under way are done, by a second one at once; SIGHUP reads the\n"
        "configuration again. Flags win over the environment (CAY_*), that over the file;\n"
        "`cay config show` says what holds.\n",
    .options = kOptions,
    .examples =
        "cay serve\n"
        "cay serve --listen unix:/run/cay/cay.sock --pool host=2:20\n"
        "cay keys create --local --scope admin ops   # needed before:\n"
        "cay serve --listen 0.0.0.0:8888 --tls-cert cert.pem --tls-key key.pem\n",
    .group = "The server",
    .run = &ParseAndRun<ConfigArguments, ServeMain>,
};

}  // namespace cay::cli
