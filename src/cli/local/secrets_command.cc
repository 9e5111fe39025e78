// cay secrets set | ls | rm: the secrets of this machine's state directory, for `cay run --secret`.
// A value comes from standard input or a file, and is shown never.
#include <fcntl.h>
#include <unistd.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "base/clock.h"
#include "base/os/file.h"
#include "base/os/paths.h"
#include "base/os/sys.h"
#include "cli/client/values.h"
#include "cli/frame/argument_values.h"
#include "cli/frame/command.h"
#include "cli/frame/console.h"
#include "cli/frame/option_tables.h"
#include "network/intercept/credentials.h"
#include "sandbox/network/secret_book.h"

namespace cay::cli {
namespace {

namespace json = boost::json;
using sandbox::KeptSecret;
using sandbox::SecretBook;
using std::string_view;

struct SecretsOptions {
  bool json = false;
  bool quiet = false;
  std::string state_dir;
};

struct SetOptions : SecretsOptions {
  std::vector<std::string> hosts;
  std::string header;
  std::string format;
  std::string variable;
  std::string from_file;
};

Result<SecretBook> OpenBook(const SecretsOptions& options) {
  return SecretBook(TRY(Paths::Resolve(options.state_dir)).state_dir);
}

Result<std::string> ReadValue(const SetOptions& options) {
  constexpr size_t kMost = network::Secret::kMaxValue + 2;  // with a line's end
  std::string value;
  if (!options.from_file.empty()) {
    value = TRY(ReadFile(options.from_file, kMost));
  } else {
    if (::isatty(STDIN_FILENO) == 1) {
      return Failure(Error::Invalid("the value would be seen on this terminal")
                         .WithRemedy("give it on standard input from a program or a file, or with "
                                     "--from-file FILE"));
    }
    std::array<char, 4096> space;
    while (value.size() <= kMost) {
      const ssize_t got = ::read(STDIN_FILENO, space.data(), space.size());
      if (got < 0) return Failure(Error::FromErrno("reading the value"));
      if (got == 0) break;
      value.append(space.data(), static_cast<size_t>(got));
    }
  }
  // What editors and echo put behind it.
  if (value.ends_with('\n')) value.pop_back();
  if (value.ends_with('\r')) value.pop_back();
  return value;
}

Result<int> SetMain(SetOptions& options, Positionals& rest) {
  KeptSecret kept{.secret = {.name = rest.values.front(),
                             .hosts = options.hosts,
                             .header = options.header,
                             .format = options.format},
                  .updated_unix_ms = UnixMs()};
  kept.variable =
      options.variable.empty() ? sandbox::VariableFor(kept.secret.name) : options.variable;
  kept.secret.value = TRY(ReadValue(options));
  SecretBook book = TRY(OpenBook(options));
  TRY(book.Put(std::move(kept)));
  return 0;
}

Result<int> ListMain(SecretsOptions& options, Positionals&) {
  std::vector<std::vector<std::string>> rows = {{"NAME", "HOSTS", "VARIABLE", "HEADER", "FORMAT"}};
  json::array list;
  std::string names;
  const SecretBook book = TRY(OpenBook(options));
  for (const KeptSecret& kept : TRY(book.List())) {
    const network::Secret& secret = kept.secret;
    std::string hosts;
    json::array host_list;
    for (const std::string& host : secret.hosts) {
      hosts += (hosts.empty() ? "" : ",") + host;
      host_list.emplace_back(host);
    }
    names += secret.name + "\n";
    rows.push_back({secret.name, hosts, kept.variable,
                    secret.header.empty() ? "any" : secret.header,
                    secret.format.empty() ? "-" : secret.format});
    list.push_back({{"name", secret.name},
                    {"hosts", host_list},
                    {"env", kept.variable},
                    {"header", secret.header},
                    {"format", secret.format},
                    {"updated_at_unix_ms", kept.updated_unix_ms}});
  }
  TRY(Print(options.json ? PrettyJson(list) : options.quiet ? names : FormatTable(rows)));
  return 0;
}

Result<int> RemoveMain(SecretsOptions& options, Positionals& rest) {
  SecretBook book = TRY(OpenBook(options));
  for (const std::string& name : rest.values) TRY(book.Remove(name));
  return 0;
}

constexpr auto kAddHost = [](SetOptions& options, string_view value) -> Result<void> {
  TRY(network::ParseSecretHost(value));
  options.hosts.emplace_back(value);
  return {};
};

constexpr OptionSpec kSetOptions[] = {
    {.name = "host",
     .value = "HOST[:PORT]",
     .help = "Where its value is sent to: a name (port 443); repeatable",
     .example = "api.example.com",
     .apply = &Into<SetOptions, kAddHost>},
    {.name = "header",
     .value = "NAME",
     .help = "The only header that carries it (default: any in which the placeholder is)",
     .example = "Authorization",
     .apply = kText<SetOptions, &SetOptions::header>},
    {.name = "format",
     .value = "TEXT",
     .help = "What that header is then, with {} for the value (default: as it was sent)",
     .example = "'Bearer {}'",
     .apply = kText<SetOptions, &SetOptions::format>},
    {.name = "env",
     .value = "NAME",
     .help = "The variable that has the placeholder inside (default: its name, in capitals)",
     .example = "API_TOKEN",
     .apply = kText<SetOptions, &SetOptions::variable>},
    {.name = "from-file",
     .value = "FILE",
     .help = "Read the value from FILE (default: from standard input)",
     .example = "./token",
     .completes = Completes::kFiles,
     .apply = kText<SetOptions, &SetOptions::from_file>},
    kStateDirOption<SetOptions>,
};

constexpr OptionSpec kListOptions[] = {
    kJsonOption<SecretsOptions>,
    {.name = "quiet",
     .short_name = 'q',
     .help = "Only the names",
     .apply = kFlag<SecretsOptions, &SecretsOptions::quiet>},
    kStateDirOption<SecretsOptions>,
};

constexpr OptionSpec kRemoveOptions[] = {kStateDirOption<SecretsOptions>};

constinit const Command kSet = {
    .name = "set",
    .summary = "Keep a secret, or replace it; its value comes on standard input",
    .usage = "[OPTIONS] NAME",
    .description =
        "The value is never an argument: those are seen by everybody on the machine. One line's "
        "end\n"
        "behind it is left out.\n",
    .options = kSetOptions,
    .examples =
        "cay secrets set api --host api.example.com < token\n"
        "cay secrets set api --host api.example.com --header Authorization --from-file token\n",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = &ParseAndRun<SetOptions, SetMain>,
};

constinit const Command kList = {
    .name = "ls",
    .summary = "List the secrets, without their values",
    .usage = "[OPTIONS]",
    .options = kListOptions,
    .examples = "cay secrets ls\n",
    .run = &ParseAndRun<SecretsOptions, ListMain>,
};

constinit const Command kRemove = {
    .name = "rm",
    .summary = "Forget secrets",
    .usage = "[OPTIONS] NAME...",
    .options = kRemoveOptions,
    .examples = "cay secrets rm api\n",
    .min_arguments = 1,
    .max_arguments = 256,
    .run = &ParseAndRun<SecretsOptions, RemoveMain>,
};

constexpr const Command* kSubcommands[] = {&kSet, &kList, &kRemove};

}  // namespace

constinit const Command kSecretsCommand = {
    .name = "secrets",
    .summary = "Keep secrets for cay run --secret",
    .usage = "COMMAND",
    .description =
        "They are kept in the state directory, sealed with a key in a file beside them.\n",
    .examples = "cay secrets set api --host api.example.com < token\ncay secrets ls\n",
    .subcommands = kSubcommands,
};

}  // namespace cay::cli
