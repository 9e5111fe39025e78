// Files as JSON, and what requests about files have in common.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "http/exchange.h"
#include "json/json_writer.h"
#include "protocol/file_messages.h"
#include "sandbox/lifecycle/manager.h"

namespace cay::api::rest {

std::string_view FileTypeName(protocol::FileKind kind);  // "file", "directory" …

// A member with bytes that may be no text: what can be shown of them, and, only where that is not
// all, NAME_base64.
void WriteName(JsonWriter& json, const std::string& member, std::string_view bytes);

// The file object. `path`: as the client shall name it.
void WriteFileObject(JsonWriter& json, const protocol::FileInfo& info, std::string_view path);
JsonWriter FileJson(const protocol::FileInfo& info, std::string_view path);

// The user with whose rights it is done: ?user=, or the sandbox's.
std::string UserOf(const http::Request& request, const sandbox::Lease& lease);
// ?path=, which must be there.
Result<std::string> PathOf(const http::Request& request, const sandbox::Lease& lease);
// ?path=, or the working directory.
Result<std::string> DirectoryOf(const http::Request& request, const sandbox::Lease& lease);

// By its ending; "application/octet-stream" for what is unknown.
std::string_view ContentTypeOf(std::string_view path);

}  // namespace cay::api::rest
