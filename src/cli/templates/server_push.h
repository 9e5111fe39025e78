// cay template push on a server: asked for there, and followed with the bars of a local one.
#pragma once

#include "base/result.h"
#include "cli/client/call.h"
#include "sandbox/templates/push_types.h"
#include "template/oci/image_reference.h"

namespace cay::cli {

// `spec` has where to and how; who asks the registry is taken from Docker's own file, as docker
// does it with its daemon, and goes to the server for this push alone. The server goes on with it,
// whatever ends here.
Result<int> PushOnServer(ApiClient& api, const ServerOptions& options, const std::string& name,
                         const templates::oci::ImageReference& image, sandbox::PushSpec spec);

}  // namespace cay::cli
