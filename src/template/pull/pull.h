// PullImage: an image of a registry into a template.
//
//   TRY(PullImage(store, client, {.image = reference, .name = "python:3.12-slim"}, call));
//
// Its documents are fetched and verified first; then the layers that are not here yet, several at a
// time, into files below the store (.blobs/), where a pull that was cut goes on; then they are
// unpacked, the lowest first, and the files are removed. The template has its name when all of it
// survives a power failure. Blocking.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "template/oci/image_reference.h"
#include "template/oci/platform.h"
#include "template/registry/registry_client.h"
#include "template/store/template_store.h"

namespace cay::templates {

// Of a pull, and of a push (push_image.h), which packs, and sends what is not there.
struct PullProgress {
  enum class Stage : uint8_t {
    kFetching,
    kFetched,
    kUnpacking,
    kPacking,
    kSending,
    kSent,
    kWasThere,
  };
  Stage stage = Stage::kFetching;
  std::string layer{};  // its digest; empty when kUnpacking or kPacking: all of them
  Bytes done = 0;       // of the layer as it is stored; of content where it is all of them
  Bytes total = 0;      // nothing where it is all of them
};

struct PullOptions {
  oci::ImageReference image;
  std::string name;  // of the template (template_name.h)
  oci::Platform platform = oci::Platform::Native();
  Bytes max_bytes = 16 * kGiB;  // unpacked
  bool replace = false;         // a template of that name
  // One of that name that is the very image already (by the digest of its manifest) is left as it
  // is, and is what comes of it: only documents are fetched then.
  bool keep_same = false;
  // What it is by hand stays so when it comes anew otherwise, and what came otherwise becomes so.
  Came came = Came::kByHand;
  // One call at a time, from any thread; may be empty.
  std::function<void(const PullProgress&)> on_progress{};
  // As ImportOptions::is_stopped: for the unpacking. What is fetched is stopped by
  // CallOptions::stop_fd.
  std::function<bool()> is_stopped{};
};

// Room is made for it first (space/make_room.h). Errors: that one's, those of RegistryClient,
// DownloadBlobs and TemplateStore::AddImage.
Result<TemplateInfo> PullImage(TemplateStore& store, registry::RegistryClient& client,
                               const PullOptions& options, const registry::CallOptions& call);

}  // namespace cay::templates
