#include "cli/client/contexts.h"

#include <sys/stat.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/os/file.h"
#include "cli/client/values.h"

namespace cay::cli {
namespace {

namespace json = boost::json;

constexpr size_t kMaxContextName = 64;
constexpr size_t kMaxKey = 512;

bool IsAlphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

Result<std::string> ReadKeyFile(const std::string& path) {
  Result<std::string> text = ReadFile(path, 4096);
  if (!text) return Failure(std::move(text).error().WithContext("--api-key-file"));
  Result<std::string> key = ParseApiKey(*text);
  if (!key) return Failure(std::move(key).error().WithContext("--api-key-file " + path));
  return key;
}

Result<const Context*> FindContext(const Contexts& contexts, const std::string& name) {
  const auto found = contexts.all.find(name);
  if (found != contexts.all.end()) return &found->second;
  return Failure(Error(ErrorCode::kNotFound, Fault::kCaller, "there is no context " + name)
                     .WithRemedy("see cay context list"));
}

}  // namespace

Result<void> CheckContextName(std::string_view name) {
  const bool good = !name.empty() && name.size() <= kMaxContextName && IsAlphanumeric(name[0]) &&
                    std::ranges::all_of(name, [](char c) {
                      return IsAlphanumeric(c) || c == '.' || c == '_' || c == '-';
                    });
  if (good) return {};
  return Failure(Error::Invalid("\"" + std::string(name) + "\" is not a name for a context")
                     .WithRemedy("use at most 64 letters, digits, dots, underscores and hyphens"));
}

Result<std::string> ParseApiKey(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\r\n";
  const size_t begin = std::min(text.find_first_not_of(kSpaces), text.size());
  text.remove_prefix(begin);
  text = text.substr(0, text.find_last_not_of(kSpaces) + 1);
  const bool good = !text.empty() && text.size() <= kMaxKey &&
                    std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7F; });
  if (good) return std::string(text);
  // What it is instead is not said: it may be half a secret.
  return Failure(Error::Invalid(text.empty() ? "the API key is empty" : "this is not an API key")
                     .WithRemedy("it is one word, as cay keys create prints it"));
}

Result<Contexts> ParseContexts(std::string_view text) {
  const json::object file = TRY(ParseJsonObject(text));
  Contexts contexts;
  contexts.current = TextOf(file, "current");
  for (const auto& [name, value] : ObjectOf(file, "contexts")) {
    TRY(CheckContextName(name));
    if (!value.is_object()) return Failure(Error::Invalid("context " + std::string(name)));
    Context context{TextOf(value.get_object(), "url"), TextOf(value.get_object(), "api_key")};
    if (context.url.empty()) {
      return Failure(Error::Invalid("context " + std::string(name) + " has no url"));
    }
    if (!context.api_key.empty()) context.api_key = TRY(ParseApiKey(context.api_key));
    contexts.all.emplace(name, std::move(context));
  }
  return contexts;
}

std::string RenderContexts(const Contexts& contexts) {
  json::object all;
  for (const auto& [name, context] : contexts.all) {
    json::object entry{{"url", context.url}};
    if (!context.api_key.empty()) entry["api_key"] = context.api_key;
    all[name] = std::move(entry);
  }
  return PrettyJson(json::object{{"current", contexts.current}, {"contexts", std::move(all)}});
}

Result<std::string> ContextsPath(Lookup lookup) {
  if (auto config = lookup("XDG_CONFIG_HOME"); config && config->starts_with('/')) {
    return *config + "/cay/contexts.json";
  }
  if (auto home = lookup("HOME"); home && home->starts_with('/')) {
    return *home + "/.config/cay/contexts.json";
  }
  return Failure(Error(ErrorCode::kNotFound, Fault::kCaller, "HOME is not set")
                     .WithRemedy("set HOME or XDG_CONFIG_HOME, or use CAY_URL and CAY_API_KEY"));
}

Result<Contexts> LoadContexts(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return Contexts();
    return Failure(Error::FromErrno(path));
  }
  if ((info.st_mode & 077) != 0) {
    return Failure(Error(ErrorCode::kPermissionDenied, Fault::kCaller,
                         path + " holds API keys, and other users can read it")
                       .WithRemedy("chmod 600 " + path));
  }
  const std::string text = TRY(ReadFile(path));
  Result<Contexts> contexts = ParseContexts(text);
  if (!contexts) return Failure(std::move(contexts).error().WithContext(path));
  return contexts;
}

Result<void> SaveContexts(const std::string& path, const Contexts& contexts) {
  TRY(MakeDirectories(path.substr(0, path.rfind('/')), 0700));
  return WriteFileAtomic(path, RenderContexts(contexts), 0600);
}

Result<Connection> ChooseConnection(const ConnectionOptions& options, const Contexts& contexts,
                                    Lookup lookup) {
  Connection chosen;
  auto from_context = [&](const std::string& name) -> Result<void> {
    const Context* context = TRY(FindContext(contexts, name));
    chosen = {context->url, context->api_key, "context " + name};
    return {};
  };
  if (!options.url.empty() && !options.context.empty()) {
    return Failure(Error::Invalid("--url and --context each name a server")
                       .WithRemedy("leave one of them out"));
  }
  if (!options.url.empty()) {
    chosen = {options.url, "", "--url"};
  } else if (!options.context.empty()) {
    TRY(from_context(options.context));
  } else if (auto url = lookup("CAY_URL"); url && !url->empty()) {
    chosen = {*url, "", "CAY_URL"};
  } else if (!contexts.current.empty()) {
    TRY(from_context(contexts.current));
  } else {
    chosen = {std::string(kDefaultUrl), "", "default"};
  }
  if (!options.api_key_file.empty()) {
    chosen.api_key = TRY(ReadKeyFile(options.api_key_file));
  } else if (auto key = lookup("CAY_API_KEY"); chosen.api_key.empty() && key && !key->empty()) {
    Result<std::string> parsed = ParseApiKey(*key);
    if (!parsed) return Failure(std::move(parsed).error().WithContext("CAY_API_KEY"));
    chosen.api_key = *std::move(parsed);
  }
  return chosen;
}

Result<Connection> ChooseConnection(const ConnectionOptions& options) {
  Contexts contexts;
  // Without a home there are none, and nothing is wrong with that.
  if (Result<std::string> path = ContextsPath(&LookupEnvironment)) {
    contexts = TRY(LoadContexts(*path));
  }
  return ChooseConnection(options, contexts, &LookupEnvironment);
}

}  // namespace cay::cli
