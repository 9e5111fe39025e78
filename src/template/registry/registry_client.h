// RegistryClient: images of registries, by the OCI distribution-spec (1.1, "Pull") and Docker's
// HTTP API V2 before it.
//
//   auto client = TRY(RegistryClient::Open(settings, credentials));
//   const FetchedDocument found = TRY(client->FetchDocument(reference, call));
//   const FetchedImage image = TRY(client->FetchImage(reference, Platform::Native(), call));
//   … DownloadBlobs(*client, reference, image.manifest.layers, …)        // blob_download.h
//
// What a registry sends is believed only as far as a digest says it: a manifest by a tag, which
// nothing else vouches for, is what the registry says over TLS. Mirrors are asked first; one that
// does not answer, or not well, is told about (CallOptions::on_note) and passed by.
//
// Errors: kNotFound, kPermissionDenied, kUnavailable, kTimeout, kLimitTooHigh, kNotSupported and,
// for what a registry must not send, kProtocol; the message names the registry and what was asked.
// Any thread may call; each call blocks.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "template/oci/descriptor.h"
#include "template/oci/image_config.h"
#include "template/oci/image_reference.h"
#include "template/oci/manifest.h"
#include "template/oci/platform.h"
#include "template/registry/authorizer.h"
#include "template/registry/call_options.h"
#include "template/registry/connections.h"
#include "template/registry/requester.h"
#include "template/registry/rules/address_guard.h"
#include "template/registry/rules/credentials.h"
#include "template/registry/rules/registry_settings.h"

namespace cay::templates::registry {

// A manifest or an index, as its bytes and as what is in them.
struct FetchedDocument {
  oci::Document document;
  std::string bytes;
  std::string media_type;
  oci::Digest digest;  // of the bytes
};

// An image for one platform.
struct FetchedImage {
  FetchedDocument found;  // its manifest
  oci::Manifest manifest;
  std::string config_bytes;
  oci::ImageConfig config;
};

// What HEAD says of something.
struct DocumentHead {
  std::string media_type;
  std::optional<oci::Digest> digest{};  // nothing: the registry does not say it
  std::optional<Bytes> size{};
};

// A blob's bytes from some offset on, as a registry sends them: not verified.
struct BlobStream {
  std::unique_ptr<Answer> answer;
  Bytes from = 0;  // where it begins: as was asked for, or 0
};

class RegistryClient {
 public:
  static constexpr size_t kMaxNested = 2;  // indexes in indexes

  static Result<std::unique_ptr<RegistryClient>> Open(RegistrySettings settings,
                                                      CredentialStore store = {},
                                                      Lookup lookup = LookUpHost);
  RegistryClient(const RegistryClient&) = delete;
  RegistryClient& operator=(const RegistryClient&) = delete;
  ~RegistryClient() = default;

  const RegistrySettings& settings() const { return rules_.settings(); }

  // By the reference's digest, or its tag.
  Result<FetchedDocument> FetchDocument(const oci::ImageReference& reference,
                                        const CallOptions& call);
  // What an index names: digest, size and media type are the descriptor's.
  Result<FetchedDocument> FetchDocument(const oci::ImageReference& reference,
                                        const oci::Descriptor& descriptor, const CallOptions& call);
  Result<DocumentHead> HeadDocument(const oci::ImageReference& reference, const CallOptions& call);

  // The manifest for `platform`, through an index where there is one, and the configuration;
  // checked against each other and the settings' bounds.
  Result<FetchedImage> FetchImage(const oci::ImageReference& reference,
                                  const oci::Platform& platform, const CallOptions& call);

  // A small blob, verified: a configuration. kLimitTooHigh over `max_bytes`.
  Result<std::string> FetchBlob(const oci::ImageReference& reference,
                                const oci::Descriptor& descriptor, Bytes max_bytes,
                                const CallOptions& call);
  // Whether the registry itself (no mirror) has a blob, and how large it says it is.
  Result<std::optional<Bytes>> HeadBlob(const oci::ImageReference& reference,
                                        const oci::Digest& digest, const CallOptions& call);

  // kLimitTooHigh for more layers, or larger ones together, than the settings allow.
  Result<void> CheckSizes(const oci::Manifest& manifest) const;

  // For blob_download.h and registry_push.h.
  Result<std::vector<Endpoint>> EndpointsOf(const oci::ImageReference& reference) const {
    return rules_.EndpointsOf(reference.domain);
  }
  // From `from` on where the registry can do that, and from 0 otherwise; `etag` of the answer whose
  // rest is wanted, or empty (RFC 9110, 13.1.5 and 14). The announced lengths fit the descriptor.
  Result<BlobStream> OpenBlob(const Endpoint& endpoint, const oci::ImageReference& reference,
                              const oci::Descriptor& descriptor, Bytes from,
                              const std::string& etag, const CallOptions& call);
  Requester& requester() { return requester_; }

 private:
  RegistryClient(RegistryRules rules, CredentialStore store, Lookup lookup,
                 std::shared_ptr<http::TlsContext> tls);

  // What is expected of a document beside its bytes; a reference's digest, a descriptor's all.
  struct Expected {
    const oci::Digest* digest = nullptr;
    const oci::Descriptor* descriptor = nullptr;
  };
  Result<FetchedDocument> FetchFrom(const Endpoint& endpoint, const oci::ImageReference& reference,
                                    const Expected& expected, const CallOptions& call);
  Result<std::string> FetchBlobFrom(const Endpoint& endpoint, const oci::ImageReference& reference,
                                    const oci::Descriptor& descriptor, const CallOptions& call);

  const RegistryRules rules_;
  const CredentialStore store_;
  const AddressGuard guard_;
  Connections connections_;
  Authorizer authorizer_;
  Requester requester_;
};

// Asks one endpoint after the other until one gives a value. `ask` returns a Result.
template <class Ask>
auto AskEach(const std::vector<Endpoint>& endpoints, const CallOptions& call, const Ask& ask)
    -> decltype(ask(endpoints.front())) {
  for (size_t i = 0;; ++i) {
    auto answer = ask(endpoints[i]);
    if (answer || i + 1 == endpoints.size() || call.Stopped()) return answer;
    call.Note("the mirror " + endpoints[i].Name() + " of " + endpoints.back().domain +
              " was passed by: " + answer.error().message());
  }
}

}  // namespace cay::templates::registry
