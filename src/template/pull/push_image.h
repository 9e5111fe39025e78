// PushImage: a template into a registry, as the image that PackImage makes of it.
//
//   const oci::Digest digest = TRY(PushImage(store, client, {.name = "py", .image = reference}, call));
//
// Its blobs are made and their digests known before anything is sent: what the registry has is not
// sent again. The manifest comes last, so that a push that was cut leaves no image. Blocking.
#pragma once

#include <functional>
#include <string>

#include "archive/compression.h"
#include "base/result.h"
#include "template/oci/digest.h"
#include "template/oci/image_reference.h"
#include "template/pull/pull.h"
#include "template/registry/registry_client.h"
#include "template/store/template_store.h"

namespace cay::templates {

struct PushOptions {
  std::string name;           // of the template
  oci::ImageReference image;  // where to; has a tag and no digest
  archive::Compression compression = archive::Compression::kGzip;
  // One call at a time; may be empty.
  std::function<void(const PullProgress&)> on_progress{};
};

// The digest of the manifest. Errors: those of PackImage, PushBlob and PushDocument; an error whose
// sys_errno is ECANCELED when `call` was stopped.
Result<oci::Digest> PushImage(TemplateStore& store, registry::RegistryClient& client,
                              const PushOptions& options, const registry::CallOptions& call);

}  // namespace cay::templates
