// cay secrets set | ls | rm: secrets that commands use and never hold: those of this machine's
// state directory, for `cay run --secret`; or a server's, for its sandboxes, when a server is named
// (--url, --context, CAY_URL or the current context; not with --state-dir). A value comes from
// standard input or a file, and is shown never.
#include <fcntl.h>
#include <unistd.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "base/clock.h"
#include "base/os/file.h"
#include "base/os/paths.h"
#include "base/os/sys.h"
#include "cli/client/call.h"
#include "cli/client/target.h"
#include "cli/client/values.h"
#include "cli/frame/argument_values.h"
#include "cli/frame/command.h"
#include "cli/frame/console.h"
#include "cli/frame/option_tables.h"
#include "cli/remote/server_templates.h"
#include "network/intercept/credentials.h"
#include "sandbox/secrets/secret_book.h"

namespace cay::cli {
namespace {

namespace json = boost::json;
using sandbox::KeptSecret;
using sandbox::SecretBook;
using std::string_view;

struct SecretsOptions : ServerOptions {
  std::string state_dir;
  std::string owner;  // of a server's
};

struct SetOptions : SecretsOptions {
  std::vector<std::string> hosts;
  std::string header;
  std::string format;
  std::string variable;
  std::string from_file;
};

Result<SecretBook> OpenBook(const SecretsOptions& options) {
  if (!options.owner.empty()) {
    return Failure(Error::Invalid("--owner is for the secrets of a server")
                       .WithRemedy("name the server: --url, --context or CAY_URL"));
  }
  return SecretBook(TRY(Paths::Resolve(options.state_dir)).state_dir);
}

std::string SecretPath(const SecretsOptions& options, const std::string& name) {
  return Target("/api/secrets/" + EncodeComponent(name))
      .AddUnlessEmpty("owner", options.owner)
      .text();
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

Result<int> SetOnServer(ApiClient& api, const SetOptions& options, const std::string& name) {
  const std::string value = TRY(ReadValue(options));
  json::object request{{"value", value},
                       {"hosts", json::array(options.hosts.begin(), options.hosts.end())}};
  if (!options.header.empty()) request["header"] = options.header;
  if (!options.format.empty()) request["format"] = options.format;
  if (!options.variable.empty()) request["env"] = options.variable;
  TRY(api.Call("PUT", SecretPath(options, name), request));
  return 0;
}

Result<int> SetMain(SetOptions& options, Positionals& rest) {
  if (auto server = TRY(NamedServer(options.connection, options.state_dir)))
    return FinishCall(*server, SetOnServer(*server, options, rest.values.front()));
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

// What is kept here, as a server would tell it.
Result<json::array> ListLocally(const SecretsOptions& options) {
  json::array list;
  const SecretBook book = TRY(OpenBook(options));
  for (const KeptSecret& kept : TRY(book.List(sandbox::kOwnerWithoutKey))) {
    const network::Secret& secret = kept.secret;
    list.push_back({{"name", secret.name},
                    {"hosts", json::array(secret.hosts.begin(), secret.hosts.end())},
                    {"env", kept.variable},
                    {"header", secret.header},
                    {"format", secret.format},
                    {"updated_at_unix_ms", kept.updated_unix_ms}});
  }
  return list;
}

std::string HostList(const json::array& hosts) {
  std::string text;
  for (const json::value& host : hosts)
    if (host.is_string()) text.append(text.empty() ? "" : ",").append(OneLine(host.get_string()));
  return text;
}

// A server's have owners.
Result<int> PrintSecrets(const json::array& list, const SecretsOptions& options, bool of_server) {
  std::vector<std::vector<std::string>> rows = {{"NAME", "HOSTS", "VARIABLE", "HEADER", "FORMAT"}};
  if (of_server) rows.front().emplace_back("OWNER");
  std::string names;
  for (const json::value& entry : list) {
    if (!entry.is_object()) continue;
    const json::object& secret = entry.get_object();
    const std::string header = TextOf(secret, "header");
    names += OneLine(TextOf(secret, "name")) + "\n";
    rows.push_back({Cell(secret, "name"), HostList(ArrayOf(secret, "hosts")), Cell(secret, "env"),
                    header.empty() ? "any" : OneLine(header), Cell(secret, "format")});
    if (of_server) rows.back().push_back(Cell(secret, "owner"));
  }
  TRY(Print(options.json ? PrettyJson(list) : options.quiet ? names : FormatTable(rows)));
  return 0;
}

Result<int> ListOfServer(ApiClient& api, const SecretsOptions& options) {
  const json::object answer =
      TRY(api.Get(Target("/api/secrets").AddUnlessEmpty("owner", options.owner).text()));
  return PrintSecrets(ArrayOf(answer, "secrets"), options, true);
}

Result<int> ListMain(SecretsOptions& options, Positionals&) {
  if (auto server = TRY(NamedServer(options.connection, options.state_dir)))
    return FinishCall(*server, ListOfServer(*server, options));
  return PrintSecrets(TRY(ListLocally(options)), options, false);
}

Result<int> RemoveFromServer(ApiClient& api, const SecretsOptions& options,
                             const std::vector<std::string>& names) {
  return ForEach(names, [&](const std::string& name) -> Result<void> {
    TRY(api.Call("DELETE", SecretPath(options, name)));
    return {};
  });
}

Result<int> RemoveMain(SecretsOptions& options, Positionals& rest) {
  if (auto server = TRY(NamedServer(options.connection, options.state_dir)))
    return FinishCall(*server, RemoveFromServer(*server, options, rest.values));
  SecretBook book = TRY(OpenBook(options));
  for (const std::string& name : rest.values) TRY(book.Remove(sandbox::kOwnerWithoutKey, name));
  return 0;
}

template <class Options>
constexpr OptionSpec kOwnerOption = {
    .name = "owner",
    .value = "NAME",
    .help = "Of this owner of the server's; another than the key's needs the scope admin",
    .group = "Server",
    .example = "team-a",
    .apply = kText<Options, &Options::owner>};

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
    kUrlOption<SetOptions>,
    kApiKeyFileOption<SetOptions>,
    kContextOption<SetOptions>,
    kOwnerOption<SetOptions>,
};

constexpr OptionSpec kListOptions[] = {
    kJsonOption<SecretsOptions>,
    {.name = "quiet",
     .short_name = 'q',
     .help = "Only the names",
     .apply = kFlag<SecretsOptions, &SecretsOptions::quiet>},
    kStateDirOption<SecretsOptions>,
    kUrlOption<SecretsOptions>,
    kApiKeyFileOption<SecretsOptions>,
    kContextOption<SecretsOptions>,
    kOwnerOption<SecretsOptions>,
};

constexpr OptionSpec kRemoveOptions[] = {
    kStateDirOption<SecretsOptions>,   kUrlOption<SecretsOptions>,
    kApiKeyFileOption<SecretsOptions>, kContextOption<SecretsOptions>,
    kOwnerOption<SecretsOptions>,
};

constinit const Command kSet = {
    .name = "set",
    .summary = "Keep a secret, or replace it; its value comes on standard input",
    .usage = "[OPTIONS] NAME",
    .description =
        "The value is never an argument: those are seen by everybody on the machine. One line's "
        "end\n"
        "behind it is left out. Sandboxes of a server that have the secret send the new value "
        "from\n"
        "then on.\n",
    .options = kSetOptions,
    .examples =
        "cay secrets set api --host api.example.com < token\n"
        "cay secrets set api --host api.example.com --header Authorization --from-file token\n",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = &ParseAndAct<SetOptions, SetMain>,
};

constinit const Command kList = {
    .name = "ls",
    .summary = "List the secrets, without their values",
    .usage = "[OPTIONS]",
    .options = kListOptions,
    .examples = "cay secrets ls\n",
    .run = &ParseAndAct<SecretsOptions, ListMain>,
};

constinit const Command kRemove = {
    .name = "rm",
    .summary = "Forget secrets; sandboxes of a server that have one are refused from then on",
    .usage = "[OPTIONS] NAME...",
    .options = kRemoveOptions,
    .examples = "cay secrets rm api\n",
    .min_arguments = 1,
    .max_arguments = 256,
    .run = &ParseAndAct<SecretsOptions, RemoveMain>,
};

constexpr const Command* kSubcommands[] = {&kSet, &kList, &kRemove};

}  // namespace

constinit const Command kSecretsCommand = {
    .name = "secrets",
    .summary = "Keep secrets for --secret of cay run, cay create and cay update",
    .usage = "COMMAND",
    .description =
        "Of this machine, or of a server when one is named: with --url, --context or CAY_URL, or "
        "by a\n"
        "current context (cay context use). They are kept in the state directory, sealed with a "
        "key in a\n"
        "file beside them.\n",
    .examples = "cay secrets set api --host api.example.com < token\ncay secrets ls\n",
    .subcommands = kSubcommands,
};

}  // namespace cay::cli
