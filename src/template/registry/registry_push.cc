#include "template/registry/registry_push.h"

#include "http/client/location.h"

namespace cay::templates::registry {
namespace {

constexpr const char* kActions = "pull,push";

Error Wrong(const Endpoint& endpoint, const std::string& what, std::string_view why) {
  return {ErrorCode::kProtocol, Fault::kMachine,
          "the registry " + endpoint.Name() + " takes " + what +
              " in a way that makes no sense: " + std::string(why)};
}

// What the registry says it has must be what was sent.
Result<void> CheckSaid(const Endpoint& endpoint, const std::string& what, const Answer& answer,
                       const oci::Digest& digest) {
  const std::string said = answer.Header("Docker-Content-Digest");
  if (said.empty() || said == digest.text()) return {};
  return Failure(Wrong(endpoint, what, "it says that it has another digest"));
}

}  // namespace

Result<PushedBlob> PushBlob(RegistryClient& client, const oci::ImageReference& reference,
                            const oci::Descriptor& descriptor, const BlobSource& source,
                            const std::string& mount_from, const CallOptions& call) {
  const Endpoint endpoint = TRY(client.EndpointsOf(reference)).back();
  const std::string what = "the blob " + descriptor.digest.text() + " of " + reference.Name();
  const auto size = TRY(client.HeadBlob(reference, descriptor.digest, call));
  if (size) {
    if (*size == descriptor.size) return PushedBlob::kWasThere;
    return Failure(Wrong(endpoint, what, "it has it with another length"));
  }
  Ask begin{.method = "POST",
            .target = "/v2/" + reference.path + "/blobs/uploads/",
            .path = reference.path,
            .actions = kActions};
  if (!mount_from.empty())
    begin.target += "?mount=" + descriptor.digest.text() + "&from=" + mount_from;
  auto begun = TRY(client.requester().Send(endpoint, begin, call));
  if (begun->status() == 201 && !mount_from.empty()) {
    TRY(CheckSaid(endpoint, what, *begun, descriptor.digest));
    return PushedBlob::kMounted;
  }
  if (begun->status() != 202) return Failure(StatusError(endpoint, "taking " + what, *begun));
  auto where = begun->where().Resolve(begun->Header("Location"));
  if (begun->Header("Location").empty() || !where)
    return Failure(Wrong(endpoint, what, "it does not say where to send it"));
  if (!http::SameOrigin(where->url, begun->where().url))
    return Failure(Wrong(endpoint, what, "it wants it at another server, " + where->Origin()));
  begun->Discard();
  begun.reset();
  Ask put{.method = "PUT", .path = reference.path, .actions = kActions};
  put.target = where->target + (where->target.contains('?') ? '&' : '?') +
               "digest=" + descriptor.digest.text();
  put.headers.Set("Content-Type", "application/octet-stream");
  put.make_source = source;
  put.source_length = descriptor.size;
  const auto taken = TRY(client.requester().Send(endpoint, put, call));
  if (taken->status() != 201) return Failure(StatusError(endpoint, "taking " + what, *taken));
  TRY(CheckSaid(endpoint, what, *taken, descriptor.digest));
  return PushedBlob::kUploaded;
}

Result<oci::Digest> PushDocument(RegistryClient& client, const oci::ImageReference& reference,
                                 std::string_view bytes, std::string_view media_type,
                                 const CallOptions& call) {
  const Endpoint endpoint = TRY(client.EndpointsOf(reference)).back();
  const std::string what = "the manifest " + reference.Wanted() + " of " + reference.Name();
  if (bytes.size() > oci::kMaxDocument) {
    return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                         what + " has " + HumanBytes(bytes.size()) + ", and may have " +
                             HumanBytes(oci::kMaxDocument)));
  }
  if (reference.digest) TRY(oci::VerifyDigest(bytes, *reference.digest));
  oci::Digest digest = reference.digest ? *reference.digest : TRY(oci::Digest::Of(bytes));
  const Ask put{.method = "PUT",
                .target = "/v2/" + reference.path + "/manifests/" + reference.Wanted(),
                .path = reference.path,
                .actions = kActions,
                .headers = {{"Content-Type", std::string(media_type)}},
                .body = std::string(bytes)};
  const auto taken = TRY(client.requester().Send(endpoint, put, call));
  if (taken->status() != 201) return Failure(StatusError(endpoint, "taking " + what, *taken));
  TRY(CheckSaid(endpoint, what, *taken, digest));
  return digest;
}

}  // namespace cay::templates::registry
