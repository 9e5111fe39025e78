#include "template/registry/registry_client.h"

#include <algorithm>

#include "base/text.h"
#include "http/transport/tls.h"

namespace cay::templates::registry {
namespace {

Error Wrong(const Endpoint& endpoint, const std::string& what, std::string_view why) {
  return {ErrorCode::kProtocol, Fault::kMachine,
          "what " + endpoint.Name() + " sent as " + what + " is wrong: " + std::string(why)};
}

std::string AcceptField() {
  std::string field;
  for (const std::string_view type : oci::kAcceptedManifests) {
    if (!field.empty()) field += ", ";
    field += type;
  }
  return field;
}

// Without parameters.
std::string MediaTypeOf(const Answer& answer) {
  const std::string field = answer.Header("Content-Type");
  return Lower(Trim(std::string_view(field).substr(0, field.find(';'))));
}

std::string Target(const oci::ImageReference& reference, std::string_view kind,
                   const std::string& name) {
  return "/v2/" + reference.path + "/" + std::string(kind) + "/" + name;
}

// Other codings were not asked for, and their bytes have another digest.
Result<void> CheckCoding(const Endpoint& endpoint, const std::string& what, const Answer& answer) {
  const std::string coding = answer.Header("Content-Encoding");
  if (coding.empty() || EqualsIgnoringCase(coding, "identity")) return {};
  return Failure(Wrong(endpoint, what, "it is in a Content-Encoding that was not asked for"));
}

// "bytes FIRST-LAST/TOTAL" (RFC 9110, 14.4).
struct ContentRange {
  uint64_t first;
  uint64_t last;
  uint64_t total;
};
std::optional<ContentRange> ReadContentRange(std::string_view field) {
  if (!field.starts_with("bytes ")) return std::nullopt;
  field.remove_prefix(6);
  const size_t dash = field.find('-');
  const size_t slash = field.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || slash < dash)
    return std::nullopt;
  const auto first = ParseUnsigned(field.substr(0, dash));
  const auto last = ParseUnsigned(field.substr(dash + 1, slash - dash - 1));
  const auto total = ParseUnsigned(field.substr(slash + 1));
  if (!first || !last || !total) return std::nullopt;
  return ContentRange{.first = *first, .last = *last, .total = *total};
}

}  // namespace

RegistryClient::RegistryClient(RegistryRules rules, CredentialStore store, Lookup lookup,
                               std::shared_ptr<http::TlsContext> tls)
    : rules_(std::move(rules)),
      store_(std::move(store)),
      guard_(rules_, std::move(lookup)),
      connections_(guard_, rules_.settings(), std::move(tls)),
      authorizer_(connections_, rules_, store_),
      requester_(connections_, authorizer_, rules_) {}

Result<std::unique_ptr<RegistryClient>> RegistryClient::Open(RegistrySettings settings,
                                                             CredentialStore store, Lookup lookup) {
  auto tls = TRY(http::TlsContext::ForClientAlso(settings.ca_file));
  RegistryRules rules = TRY(RegistryRules::Of(std::move(settings)));
  return std::unique_ptr<RegistryClient>(
      new RegistryClient(std::move(rules), std::move(store), std::move(lookup), std::move(tls)));
}

Result<FetchedDocument> RegistryClient::FetchFrom(const Endpoint& endpoint,
                                                  const oci::ImageReference& reference,
                                                  const Expected& expected,
                                                  const CallOptions& call) {
  const std::string name = expected.digest != nullptr ? expected.digest->text() : reference.tag;
  const std::string what = "the manifest " + name + " of " + reference.Name();
  const Ask ask{.target = Target(reference, "manifests", name),
                .path = reference.path,
                .headers = {{"Accept", AcceptField()}}};
  const auto answer = TRY(requester_.Send(endpoint, ask, call));
  if (answer->status() != 200) return Failure(StatusError(endpoint, what, *answer));
  TRY(CheckCoding(endpoint, what, *answer));
  const auto length = TRY(answer->ContentLength());
  const Bytes max = expected.descriptor != nullptr
                        ? std::min(expected.descriptor->size, oci::kMaxDocument)
                        : oci::kMaxDocument;
  if (length && *length > max) {
    return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kMachine,
                         what + " has " + HumanBytes(*length) + " at " + endpoint.Name() +
                             ", and may have " + HumanBytes(max)));
  }
  auto bytes = answer->ReadAll(max);
  if (!bytes) return Failure(std::move(bytes).error().WithContext(what));
  const std::string media_type = MediaTypeOf(*answer);
  if (expected.descriptor != nullptr) {
    if (bytes->size() != expected.descriptor->size)
      return Failure(Wrong(endpoint, what, "it is shorter than the index says"));
    if (media_type != expected.descriptor->media_type)
      return Failure(Wrong(endpoint, what, "its Content-Type is not what the index says"));
  }
  const std::string said = answer->Header("Docker-Content-Digest");
  std::optional<oci::Digest> digest;
  if (expected.digest != nullptr) {
    digest = *expected.digest;
  } else if (!said.empty()) {
    auto parsed = oci::Digest::Parse(said);
    if (!parsed) return Failure(Wrong(endpoint, what, "its Docker-Content-Digest is no digest"));
    digest = *std::move(parsed);
  } else {
    digest = TRY(oci::Digest::Of(*bytes));
  }
  if (const auto same = oci::VerifyDigest(*bytes, *digest); !same)
    return Failure(Wrong(endpoint, what, same.error().message()));
  auto document = oci::DecodeDocument(*bytes, media_type);
  if (!document) return Failure(std::move(document).error().WithContext(what));
  return FetchedDocument{.document = *std::move(document),
                         .bytes = *std::move(bytes),
                         .media_type = media_type,
                         .digest = *std::move(digest)};
}

Result<FetchedDocument> RegistryClient::FetchDocument(const oci::ImageReference& reference,
                                                      const CallOptions& call) {
  Expected expected;
  if (reference.digest) expected.digest = &*reference.digest;
  return AskEach(TRY(EndpointsOf(reference)), call, [&](const Endpoint& endpoint) {
    return FetchFrom(endpoint, reference, expected, call);
  });
}

Result<FetchedDocument> RegistryClient::FetchDocument(const oci::ImageReference& reference,
                                                      const oci::Descriptor& descriptor,
                                                      const CallOptions& call) {
  const Expected expected{.digest = &descriptor.digest, .descriptor = &descriptor};
  return AskEach(TRY(EndpointsOf(reference)), call, [&](const Endpoint& endpoint) {
    return FetchFrom(endpoint, reference, expected, call);
  });
}

Result<DocumentHead> RegistryClient::HeadDocument(const oci::ImageReference& reference,
                                                  const CallOptions& call) {
  const std::string what = "the manifest " + reference.Wanted() + " of " + reference.Name();
  const Ask ask{.method = "HEAD",
                .target = Target(reference, "manifests", reference.Wanted()),
                .path = reference.path,
                .headers = {{"Accept", AcceptField()}}};
  return AskEach(TRY(EndpointsOf(reference)), call,
                 [&](const Endpoint& endpoint) -> Result<DocumentHead> {
                   const auto answer = TRY(requester_.Send(endpoint, ask, call));
                   if (answer->status() != 200)
                     return Failure(StatusError(endpoint, what, *answer));
                   DocumentHead head{.media_type = MediaTypeOf(*answer)};
                   head.size = TRY(answer->ContentLength());
                   const std::string said = answer->Header("Docker-Content-Digest");
                   if (!said.empty()) head.digest = TRY(oci::Digest::Parse(said));
                   return head;
                 });
}

Result<BlobStream> RegistryClient::OpenBlob(const Endpoint& endpoint,
                                            const oci::ImageReference& reference,
                                            const oci::Descriptor& descriptor, Bytes from,
                                            const std::string& etag, const CallOptions& call) {
  const std::string what = "the blob " + descriptor.digest.text() + " of " + reference.Name();
  Ask ask{.target = Target(reference, "blobs", descriptor.digest.text()), .path = reference.path};
  if (from > 0) {
    ask.headers.Set("Range", "bytes=" + std::to_string(from) + "-");
    if (!etag.empty()) ask.headers.Set("If-Range", etag);
  }
  auto answer = TRY(requester_.Send(endpoint, ask, call));
  if (answer->status() == 404 && !descriptor.urls.empty()) {
    return Failure(Error(ErrorCode::kNotSupported, Fault::kCaller,
                         what + " is not in the registry, but only where its manifest says "
                                "(a \"foreign\" layer), which is not asked"));
  }
  const bool is_part = from > 0 && answer->status() == 206;
  if (answer->status() != 200 && !is_part) return Failure(StatusError(endpoint, what, *answer));
  TRY(CheckCoding(endpoint, what, *answer));
  const auto length = TRY(answer->ContentLength());
  if (is_part) {
    const auto range = ReadContentRange(answer->Header("Content-Range"));
    if (!range || range->first != from || range->total != descriptor.size ||
        range->last + 1 != descriptor.size)
      return Failure(Wrong(endpoint, what, "it is not the part that was asked for"));
  }
  const Bytes wanted = is_part ? descriptor.size - from : descriptor.size;
  if (length && *length != wanted) {
    return Failure(Wrong(
        endpoint, what,
        "it has " + std::to_string(*length) + " bytes, and should have " + std::to_string(wanted)));
  }
  return BlobStream{.answer = std::move(answer), .from = is_part ? from : 0};
}

Result<std::string> RegistryClient::FetchBlobFrom(const Endpoint& endpoint,
                                                  const oci::ImageReference& reference,
                                                  const oci::Descriptor& descriptor,
                                                  const CallOptions& call) {
  const BlobStream stream = TRY(OpenBlob(endpoint, reference, descriptor, 0, {}, call));
  const std::string what = "the blob " + descriptor.digest.text();
  auto bytes = stream.answer->ReadAll(descriptor.size);
  if (!bytes) {
    if (bytes.error().code() != ErrorCode::kLimitTooHigh)
      return Failure(std::move(bytes).error().WithContext(what));
    return Failure(Wrong(endpoint, what, "it is longer than its descriptor says"));
  }
  if (bytes->size() != descriptor.size)
    return Failure(Wrong(endpoint, what, "it is shorter than its descriptor says"));
  if (const auto same = oci::VerifyDigest(*bytes, descriptor.digest); !same)
    return Failure(Wrong(endpoint, what, same.error().message()));
  return bytes;
}

Result<std::string> RegistryClient::FetchBlob(const oci::ImageReference& reference,
                                              const oci::Descriptor& descriptor, Bytes max_bytes,
                                              const CallOptions& call) {
  if (descriptor.size > max_bytes) {
    return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                         "the blob " + descriptor.digest.text() + " of " + reference.Name() +
                             " has " + HumanBytes(descriptor.size) + ", and may have " +
                             HumanBytes(max_bytes)));
  }
  return AskEach(TRY(EndpointsOf(reference)), call, [&](const Endpoint& endpoint) {
    return FetchBlobFrom(endpoint, reference, descriptor, call);
  });
}

Result<std::optional<Bytes>> RegistryClient::HeadBlob(const oci::ImageReference& reference,
                                                      const oci::Digest& digest,
                                                      const CallOptions& call) {
  const Endpoint origin = TRY(EndpointsOf(reference)).back();
  const Ask ask{.method = "HEAD",
                .target = Target(reference, "blobs", digest.text()),
                .path = reference.path};
  const auto answer = TRY(requester_.Send(origin, ask, call));
  if (answer->status() == 404) return std::nullopt;
  const std::string what = "the blob " + digest.text() + " of " + reference.Name();
  if (answer->status() != 200) return Failure(StatusError(origin, what, *answer));
  const auto length = TRY(answer->ContentLength());
  if (!length) return Failure(Wrong(origin, what, "its length is not said"));
  return length;
}

Result<void> RegistryClient::CheckSizes(const oci::Manifest& manifest) const {
  const RegistrySettings& bounds = settings();
  if (manifest.layers.size() > bounds.max_layers) {
    return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                         "the image has " + std::to_string(manifest.layers.size()) +
                             " layers, and may have " + std::to_string(bounds.max_layers)));
  }
  Bytes left = bounds.max_image_bytes;
  std::vector<const oci::Descriptor*> blobs = {&manifest.config};
  for (const oci::Descriptor& layer : manifest.layers) blobs.push_back(&layer);
  for (const oci::Descriptor* blob : blobs) {
    if (blob->size > left) {
      return Failure(Error(
          ErrorCode::kLimitTooHigh, Fault::kCaller,
          "the image's blobs have more than " + HumanBytes(bounds.max_image_bytes) + " together"));
    }
    left -= blob->size;
  }
  return {};
}

Result<FetchedImage> RegistryClient::FetchImage(const oci::ImageReference& reference,
                                                const oci::Platform& platform,
                                                const CallOptions& call) {
  FetchedDocument found = TRY(FetchDocument(reference, call));
  for (size_t depth = 0; std::holds_alternative<oci::Index>(found.document); ++depth) {
    if (depth == kMaxNested) {
      return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                           reference.Familiar() + " has indexes in indexes, more than " +
                               std::to_string(kMaxNested)));
    }
    auto chosen = oci::ChooseManifest(std::get<oci::Index>(found.document), platform);
    if (!chosen) return Failure(std::move(chosen).error().WithContext(reference.Familiar()));
    const oci::Descriptor descriptor = **chosen;
    found = TRY(FetchDocument(reference, descriptor, call));
  }
  oci::Manifest manifest = std::get<oci::Manifest>(found.document);
  const auto check = [&]() -> Result<void> {
    TRY(oci::CheckImage(manifest));
    return CheckSizes(manifest);
  };
  if (auto good = check(); !good)
    return Failure(std::move(good).error().WithContext(reference.Familiar()));
  std::string bytes = TRY(FetchBlob(reference, manifest.config, oci::kMaxImageConfig, call));
  auto config = oci::DecodeImageConfig(bytes);
  if (!config) return Failure(std::move(config).error().WithContext(reference.Familiar()));
  if (auto good = oci::CheckLayers(*config, manifest); !good)
    return Failure(std::move(good).error().WithContext(reference.Familiar()));
  if (!oci::Runs(platform, config->platform)) {
    return Failure(Error(ErrorCode::kNotFound, Fault::kCaller,
                         reference.Familiar() + " is an image for " + config->platform.Text() +
                             ", not for " + platform.Text()));
  }
  return FetchedImage{.found = std::move(found),
                      .manifest = std::move(manifest),
                      .config_bytes = std::move(bytes),
                      .config = *std::move(config)};
}

}  // namespace cay::templates::registry
