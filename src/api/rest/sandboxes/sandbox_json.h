// Sandboxes as JSON: what is asked for, and what there is.
#pragma once

#include "base/result.h"
#include "http/message.h"
#include "json/json_value.h"
#include "json/json_writer.h"
#include "sandbox/lifecycle/manager.h"
#include "sandbox/types.h"

namespace cay::api::rest {

// The body of a create. kInvalidArgument names the field.
Result<sandbox::SandboxSpec> ReadSandboxSpec(const JsonValue& body);
// The Idempotency-Key of a create and this body, for which it stands; none when there is no such
// field.
sandbox::Idempotency IdempotencyOf(const http::Request& request, const JsonValue& body);
// The body of a PATCH.
Result<sandbox::SandboxChange> ReadSandboxChange(const JsonValue& body);

void WriteSandbox(JsonWriter& json, const sandbox::SandboxView& view);
JsonWriter SandboxJson(const sandbox::SandboxView& view);

// The elements of an array: a page of sandboxes, a few of which are held at a time. The cursor of
// the next page; empty: there is none.
Result<std::string> WritePage(JsonWriter& json, sandbox::Manager& manager,
                              const sandbox::Caller& caller, sandbox::ListFilter filter,
                              void (*write)(JsonWriter&, const sandbox::SandboxView&));

}  // namespace cay::api::rest
