// Pushing an image to a registry (OCI distribution-spec 1.1, "Push"): its blobs first, its manifest
// after them. To the registry itself, never to a mirror.
//
//   for (const oci::Descriptor& blob : …) TRY(PushBlob(client, reference, blob, source, {}, call));
//   TRY(PushDocument(client, reference, bytes, oci::kOciManifest, call));
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "template/registry/registry_client.h"

namespace cay::templates::registry {

enum class PushedBlob : uint8_t {
  kWasThere,  // the registry had it
  kMounted,   // it had it in `mount_from`
  kUploaded,
};

// The blob's bytes from its beginning on, each time it is called.
using BlobSource = std::function<Result<Ask::Source>()>;

// `mount_from`: the path of a repository of the same registry that may have it ("library/python");
// empty: none. The upload is one request (POST, then PUT of all of it). kProtocol when the registry
// wants it at another server than its own.
Result<PushedBlob> PushBlob(RegistryClient& client, const oci::ImageReference& reference,
                            const oci::Descriptor& descriptor, const BlobSource& source,
                            const std::string& mount_from, const CallOptions& call);

// A manifest or an index, under the reference's tag, or under its digest where it has one (then the
// bytes must have it). Its digest.
Result<oci::Digest> PushDocument(RegistryClient& client, const oci::ImageReference& reference,
                                 std::string_view bytes, std::string_view media_type,
                                 const CallOptions& call);

}  // namespace cay::templates::registry
