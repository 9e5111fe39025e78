#include "api/rest/sandboxes/port_isolation.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace cay::api::rest {
namespace {

constexpr std::string_view kPolicy =
    "sandbox allow-scripts allow-forms allow-popups allow-modals allow-downloads";

// Of the origin, not of the one answer: cookies, storage, service workers, how it is reached, who
// gets reports.
constexpr std::array<std::string_view, 12> kOfTheOrigin = {"Set-Cookie",
                                                           "Set-Cookie2",
                                                           "Service-Worker-Allowed",
                                                           "Clear-Site-Data",
                                                           "Alt-Svc",
                                                           "NEL",
                                                           "Report-To",
                                                           "Strict-Transport-Security",
                                                           "Accept-CH",
                                                           "Set-Login",
                                                           "Use-As-Dictionary",
                                                           "Reporting-Endpoints"};

// Who may read an answer of this origin is the server's to say (cors.allowed_origins).
constexpr std::string_view kCorsPrefix = "Access-Control-";

bool ActsOnOrigin(std::string_view name) {
  return EqualsIgnoringCase(name.substr(0, kCorsPrefix.size()), kCorsPrefix) ||
         std::ranges::any_of(
             kOfTheOrigin, [&](std::string_view other) { return EqualsIgnoringCase(name, other); });
}

}  // namespace

bool AsksForServiceWorker(const http::Request& request) {
  return EqualsIgnoringCase(request.headers.Find("Service-Worker").value_or(""), "script") ||
         EqualsIgnoringCase(request.headers.Find("Sec-Fetch-Dest").value_or(""), "serviceworker");
}

void ConfineToNoOrigin(http::Headers& answer) {
  http::Headers kept;
  for (const auto& [name, value] : answer.fields()) {
    if (!ActsOnOrigin(name)) kept.Add(name, value);
  }
  kept.Add("Content-Security-Policy", std::string(kPolicy));
  answer = std::move(kept);
}

}  // namespace cay::api::rest
