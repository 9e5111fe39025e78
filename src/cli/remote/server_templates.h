// cay template against a server: the same three commands, over the API. (template_command.cc
// decides.)
#pragma once

#include <boost/json/array.hpp>
#include <optional>
#include <string>

#include "cli/client/call.h"
#include "sandbox/templates/pull_types.h"
#include "template/template.h"

namespace cay::cli {

// The server that --url, --context, CAY_URL or the current context names; nothing when none does,
// or when a state directory was given: then the command is about this machine's templates.
Result<std::optional<ApiClient>> NamedServer(const ConnectionOptions& options,
                                             const std::string& state_dir);

// Of the API.
std::string TemplatePath(const std::string& name);

// `source`: a tar ("-": standard input), or a directory that is packed on the way.
// `import`: replace, tag, platform and max_bytes.
Result<int> ImportToServer(ApiClient& api, const ServerOptions& options, const std::string& name,
                           const std::string& source, const templates::ImportOptions& import);
// Follows it with the bars of a local one. The server goes on with it, whatever ends here.
Result<int> PullOnServer(ApiClient& api, const ServerOptions& options,
                         const sandbox::PullSpec& spec);
// The pull of that id, to its end; an error when it is not done then.
Result<void> FollowPull(ApiClient& api, const std::string& id, bool quiet);
// As the API has them; those of this machine, too.
Result<int> PrintTemplates(const boost::json::array& templates, const ServerOptions& options);
Result<int> ListServerTemplates(ApiClient& api, const ServerOptions& options);
Result<int> RemoveFromServer(ApiClient& api, const std::vector<std::string>& names);

}  // namespace cay::cli
