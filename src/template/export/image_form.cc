#include "template/export/image_form.h"

#include "template/store/template_name.h"

namespace cay::templates {

using archive::Compression;

Result<ImageForm> ParseImageForm(std::string_view text) {
  if (text == "oci") return ImageForm::kOci;
  if (text == "docker") return ImageForm::kDocker;
  return Failure(Error::Invalid("a format is docker or oci"));
}

Result<Compression> ParseCompression(std::string_view text) {
  if (text == "gzip") return Compression::kGzip;
  if (text == "zstd") return Compression::kZstd;
  if (text == "none") return Compression::kNone;
  return Failure(Error::Invalid("a compression is gzip, zstd or none"));
}

Result<Compression> CompressionFor(ImageForm form, const std::optional<Compression>& asked) {
  if (form != ImageForm::kDocker) return asked.value_or(Compression::kGzip);
  if (asked.value_or(Compression::kNone) == Compression::kNone) return Compression::kNone;
  return Failure(Error::Invalid("a docker archive has its layers without compression")
                     .WithRemedy("compress the whole of it, or take the format oci"));
}

Result<oci::ImageReference> ReferenceToWrite(const std::string& asked, const std::string& name) {
  const auto owned = ParseOwnedName(name);
  auto reference = TRY(asked.empty() ? ImageOfName(owned ? owned->name : name)
                                     : oci::ImageReference::Parse(asked));
  if (reference.digest && !asked.empty())
    return Failure(Error::Invalid("an image is named by a tag: its digest is what comes of it"));
  reference.digest.reset();
  if (reference.tag.empty()) reference.tag = "latest";
  return reference;
}

}  // namespace cay::templates
