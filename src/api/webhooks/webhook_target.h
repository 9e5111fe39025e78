// WebhookTarget: where a webhook points, and which address of it may be connected to. A webhook
// could otherwise make this server send requests to what only this server reaches: its own ports,
// its neighbours, a cloud's metadata.
//
// A name is looked up once for each attempt, what it gave is checked, and exactly what was checked
// is connected to: a name that answers differently the second time (DNS rebinding) gains nothing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/client/client.h"

namespace cay::api {

struct WebhookTarget {
  http::Url url;       // "http" or "https"
  std::string target;  // path and query

  // kInvalidArgument: no http(s) URL, over 2048 bytes, or with a user or a fragment.
  static Result<WebhookTarget> Parse(std::string_view text);
};

enum class AddressKind : uint8_t {
  kPublic,  // the internet's
  kPrivate,  // loopback, private, link-local (metadata), unique-local, shared, reserved: only if configured
  kNever,  // unspecified, multicast, broadcast
};
// Of a numeric address, as inet_ntop(3) writes it, an IPv6 scope included. What is not an address
// is kNever.
AddressKind KindOfAddress(std::string_view address);

// All addresses of the host, when webhooks may reach each of them. kPermissionDenied names one that
// they may not; kUnavailable: the name is not known.
Result<std::vector<std::string>> AllowedAddresses(const http::Url& url, bool allow_private);

}  // namespace cay::api
