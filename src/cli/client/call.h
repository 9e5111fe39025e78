// What every subcommand that speaks to a server has: the options that say which one, and the steps
// around its function: parse, connect, act, say what went wrong.
//
//   struct WaitOptions : ServerOptions { … };
//   constexpr OptionSpec kOptions[] = {…, kJsonOption<WaitOptions>, kUrlOption<WaitOptions>,
//                                      kApiKeyFileOption<WaitOptions>, kContextOption<WaitOptions>};
//   Result<int> WaitMain(ApiClient& api, WaitOptions& options, Positionals& rest) { … }
//   … .run = &ParseAndCall<WaitOptions, WaitMain> …
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <functional>
#include <span>
#include <string>

#include "cli/client/api_client.h"
#include "cli/frame/console.h"
#include "cli/frame/option_tables.h"

namespace cay::cli {

// The server said no, or is not there. (Of commands that exit as another command did:
// kExitFailure.)
inline constexpr int kExitApiError = 1;

struct ServerOptions {
  bool json = false;
  bool quiet = false;
  ConnectionOptions connection;
};

template <auto kMember, class Options>
Result<void> SetConnection(Options& options, std::string_view value) {
  if (value.empty()) return Failure(Error::Invalid("the value is empty"));
  options.connection.*kMember = value;
  return {};
}

template <class Options>
constexpr OptionSpec kUrlOption = {
    .name = "url",
    .value = "URL",
    .help =
        "The server: http://HOST:PORT, https://…, unix:/PATH (default CAY_URL, or 127.0.0.1:8888)",
    .group = "Server",
    .example = "http://127.0.0.1:8888",
    .apply = &Into<Options, &SetConnection<&ConnectionOptions::url, Options>>};
template <class Options>
constexpr OptionSpec kApiKeyFileOption = {
    .name = "api-key-file",
    .value = "FILE",
    .help = "Read the API key from FILE (default CAY_API_KEY)",
    .example = "./key",
    .completes = Completes::kFiles,
    .apply = &Into<Options, &SetConnection<&ConnectionOptions::api_key_file, Options>>};
template <class Options>
constexpr OptionSpec kContextOption = {
    .name = "context",
    .value = "NAME",
    .help = "The server and key of this context (see cay context)",
    .example = "lab",
    .completes = Completes::kContexts,
    .apply = &Into<Options, &SetConnection<&ConnectionOptions::context, Options>>};

// Of a command that answers with names alone.
template <class Options>
constexpr OptionSpec kSilentOption = {.name = "quiet",
                                      .short_name = 'q',
                                      .help = "Print only errors",
                                      .apply = kFlag<Options, &Options::quiet>};

// Reports the error. A command line that makes no sense, without asking a server, is 125 as
// everywhere.
inline int ReportFailure(const Error& error, bool asked) {
  const int code = Report(error);
  return !asked && error.code() == ErrorCode::kInvalidArgument ? code : kExitApiError;
}

// Reports what came of a command that used a server's client; returns the exit code.
inline int FinishCall(const ApiClient& api, const Result<int>& code) {
  return code ? *code : ReportFailure(code.error(), api.asked());
}

// Connects and acts; the caller reports what went wrong, with an exit code of its own.
template <class Options, Result<int> (*kMain)(ApiClient& api, Options& options, Positionals& rest)>
Result<int> CallServer(Options& options, Positionals& rest) {
  ApiClient api = TRY(ApiClient::Open(TRY(ChooseConnection(options.connection))));
  return kMain(api, options, rest);
}

// The same, and reports what went wrong; returns the exit code.
template <class Options, Result<int> (*kMain)(ApiClient& api, Options& options, Positionals& rest)>
Result<int> CallAndReport(Options& options, Positionals& rest) {
  Result<Connection> connection = ChooseConnection(options.connection);
  if (!connection) return ReportFailure(connection.error(), false);
  Result<ApiClient> api = ApiClient::Open(*std::move(connection));
  if (!api) return ReportFailure(api.error(), false);
  return FinishCall(*api, kMain(*api, options, rest));
}

// The same for what is done on this machine, and fails as it would on a server. A command that may
// be either asks the server within FinishCall.
template <class Options, Result<int> (*kMain)(Options& options, Positionals& rest)>
Result<int> ActAndReport(Options& options, Positionals& rest) {
  Result<int> code = kMain(options, rest);
  return code ? code : ReportFailure(code.error(), false);
}

// Command::run of each. Errors of the command line are main's to report, as everywhere.
template <class Options, Result<int> (*kMain)(ApiClient& api, Options& options, Positionals& rest)>
Result<int> ParseAndCall(const Command& command, std::string_view path, Arguments arguments) {
  return ParseAndRun<Options, CallAndReport<Options, kMain>>(command, path, arguments);
}

template <class Options, Result<int> (*kMain)(Options& options, Positionals& rest)>
Result<int> ParseAndAct(const Command& command, std::string_view path, Arguments arguments) {
  return ParseAndRun<Options, ActAndReport<Options, kMain>>(command, path, arguments);
}

// Calls `act` for each of them; what goes wrong with one is reported, and the others go on. Returns
// the exit code.
Result<int> ForEach(std::span<const std::string> typed,
                    const std::function<Result<void>(const std::string& one)>& act);

// Calls `act` for each sandbox that was typed, with its id; what goes wrong with one is reported,
// and the others go on. Returns the exit code.
Result<int> ForEachSandbox(ApiClient& api, const Positionals& rest,
                           const std::function<Result<void>(const std::string& id)>& act);

// What a command says of each of the sandboxes that were named: lines, or JSON that can be read as
// a whole, which is one object when one was named, and an array when several were, without those
// that failed.
//
//   Answers answers({.json = options.json}, rest.values.size());
//   return answers.Finish(ForEachSandbox(api, rest, [&](const std::string& id) -> Result<void> {
//     return answers.Add(id, TRY(api.Get(SandboxPath(id))));
//   }));
class Answers {
 public:
  struct How {
    bool json = false;
    bool quiet = false;  // no lines
  };
  Answers(How how, size_t named) : how_(how), is_array_(named > 1) {}

  Result<void> Add(std::string_view line, boost::json::object answer);
  // Prints what is left to print, and gives the code back.
  Result<int> Finish(Result<int> code);

 private:
  How how_;
  bool is_array_;
  boost::json::array array_;
};

}  // namespace cay::cli
