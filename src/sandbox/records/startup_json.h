// What is kept of the process that starts with a sandbox: a part of its document
// (sandbox_json.h). What is absent, or of another kind, is the default.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string_view>

#include "sandbox/startup.h"

namespace cay::sandbox {

// A member of `object`, unless nothing was said.
void WriteAsked(const AskedEntrypoint& asked, std::string_view name, boost::json::object& object);
AskedEntrypoint ReadAsked(const boost::json::object& object, std::string_view name);

boost::json::object StartupObject(const Startup& startup);
// Nothing for one without a command: no program wrote it.
std::optional<Startup> ReadStartup(const boost::json::object& object);

}  // namespace cay::sandbox
