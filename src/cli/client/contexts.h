// Contexts: servers by name, in ~/.config/cay/contexts.json (or below $XDG_CONFIG_HOME), mode 0600:
// it holds API keys. And the choice of the server and key that a command speaks to:
//
//   URL   --url, --context, CAY_URL, the current context, http://127.0.0.1:8888: the first that is given
//   key   --api-key-file; otherwise the context's, where the URL came from a context; otherwise CAY_API_KEY
//
// A context's key goes to that context's URL and nowhere else.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "cli/frame/argument_values.h"

namespace cay::cli {

inline constexpr std::string_view kDefaultUrl = "http://127.0.0.1:8888";

struct Context {
  std::string url;
  std::string api_key;  // may be empty; never printed
  bool operator==(const Context&) const = default;
};

struct Contexts {
  std::string current;  // empty: none
  std::map<std::string, Context> all;
  bool operator==(const Contexts&) const = default;
};

// What the options of a command said; each may be empty.
struct ConnectionOptions {
  std::string url{};
  std::string api_key_file{};
  std::string context{};
};

struct Connection {
  std::string url;
  std::string api_key;
  std::string origin;  // "--url", "context prod", "CAY_URL", "default"
};

// [A-Za-z0-9][A-Za-z0-9._-]{0,63}, or kInvalidArgument.
Result<void> CheckContextName(std::string_view name);

// A key goes into a header: visible ASCII, at most 512 letters. Space around it is dropped.
Result<std::string> ParseApiKey(std::string_view text);

// Pure: the JSON of the file, and back.
Result<Contexts> ParseContexts(std::string_view text);
std::string RenderContexts(const Contexts& contexts);

// kNotFound without HOME and XDG_CONFIG_HOME.
Result<std::string> ContextsPath(Lookup lookup);
// No file: no contexts. kPermissionDenied when users other than its owner may read it.
Result<Contexts> LoadContexts(const std::string& path);
Result<void> SaveContexts(const std::string& path, const Contexts& contexts);

// By the rules above. Reads the key's file.
Result<Connection> ChooseConnection(const ConnectionOptions& options, const Contexts& contexts,
                                    Lookup lookup);
// The same with the file of contexts and the environment as they are.
Result<Connection> ChooseConnection(const ConnectionOptions& options);

}  // namespace cay::cli
