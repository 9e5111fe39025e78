// Metadata of an imported template: NAME.json beside the layers, never inside one.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "template/host/skeleton.h"
#include "template/oci/image_config.h"
#include "template/template.h"

namespace cay::templates {

// Where a template came from that is an image, and what the image says of its programs.
struct ImageOrigin {
  std::string reference;  // canonical: "docker.io/library/python:3.12"; empty: of an archive
  std::string digest{};   // of its manifest; empty where it had none
  oci::ImageConfig config;
};

struct Metadata {
  TemplateInfo info;
  std::vector<std::string> layers;  // their ids, the topmost first; at least one
  // Of a snapshot of a sandbox that was made from `host`: all its overlays (snapshot.h). Then
  // `layers` are those among them that are the store's.
  std::vector<engine::Overlay> overlays{};
  TemplateUser user;
  std::string
      hostname;  // see engine::RootFilesystem; empty: imported by a Cay that did not write it
  std::optional<ImageOrigin> image;  // null: a root filesystem
  // "NAME=value" of every process, where there is no image to say them; over the user's own.
  std::vector<std::string> variables{};
  // Of one that was derived (store/derived.h): the digest of all that it depends on.
  std::string derived_key{};
};

// Which of `layers` is Cay's own: above those of the image, and below what sandboxes wrote. Nothing
// for what is no image.
std::optional<size_t> OwnLayerOf(const Metadata& metadata);
// The others, which are what an image of it has, the lowest first: indices of `layers`. kIo (the
// machine's fault) where there are fewer than the image has.
Result<std::vector<size_t>> LayersOfImage(const Metadata& metadata);

// What a list of templates shows of what is kept of this one: user, layers, digest.
void FillInfo(Metadata& metadata);

inline constexpr size_t kMaxMetadataBytes = 8U << 20;  // an image's configuration is in it

Result<std::string> SerializeMetadata(const Metadata& metadata);

// `name` is the template's. kIo (the machine's fault) for a file that is damaged.
Result<Metadata> ParseMetadata(const std::string& name, std::string_view text);

}  // namespace cay::templates
