// What a sandbox serves by path (/api/sandboxes/{id}/ports/{port}/…) comes to a browser from the
// origin of the API itself. So that a hostile page has no access to that origin, the answers are
// made documents of no origin (CSP `sandbox`, Content Security Policy 3, 6.3.2), and lose every
// field that acts on the origin as a whole.
//
//   if (AsksForServiceWorker(request)) …            // refused: it would stand between the browser and the API
//   ConfineToNoOrigin(answer.headers);
//
// By host name ({port}-{id}.localhost) a port is an origin of its own and nothing of this applies.
// Pure.
#pragma once

#include <string_view>

#include "http/message.h"

namespace cay::api::rest {

// A program that shows what it gets under an address of its own (`cay port`) says so with this
// field. A page cannot: no navigation has it, and a script of another origin needs the server's
// permission for it (Fetch, 4.8), which is not given.
inline constexpr std::string_view kOwnOriginField = "X-Cay-Own-Origin";

// A browser that fetches the script of a service worker says so, and a script cannot take that away
// (Service Workers, "Soft Update").
bool AsksForServiceWorker(const http::Request& request);

// Takes from the fields of an answer what would act on the whole origin, and adds the policy that
// makes a document of no origin of it. Several policies all hold, so one that the application sends
// stays.
void ConfineToNoOrigin(http::Headers& answer);

}  // namespace cay::api::rest
