#include "template/store/template_name.h"

#include <algorithm>

#include "base/text.h"

namespace cay::templates {
namespace {

// With the suffixes of a file that is being written it fits into a file's name.
constexpr size_t kMaxName = 200;
// Stands for '/', and is in no reference.
constexpr char kSlash = '+';

Error NotAName(std::string_view name, const std::string& why) {
  return Error::Invalid("not a template name: \"" + std::string(name.substr(0, 80)) + "\"" + why)
      .WithRemedy(
          "use 1 to 64 of a-z, 0-9, '.', '_' and '-', the first one a letter or a digit; "
          "or the reference of an image, such as python:3.12-slim");
}

}  // namespace

Result<oci::ImageReference> ImageOfName(std::string_view name) {
  auto image = oci::ImageReference::Parse(name);
  if (!image) return Failure(NotAName(name, ": " + image.error().message()));
  if (image->Familiar().size() > kMaxName)
    return Failure(NotAName(name, ": it is longer than " + std::to_string(kMaxName) + " bytes"));
  return image;
}

Result<std::string> NormalTemplateName(std::string_view name) {
  if (IsShortName(name) || ParseOwnedName(name)) return std::string(name);
  if (!name.contains('/') && !name.contains(':') && !name.contains('@'))
    return Failure(NotAName(name, ""));
  return TRY(ImageOfName(name)).Familiar();
}

Result<void> CheckTemplateName(std::string_view name) {
  const std::string normal = TRY(NormalTemplateName(name));
  if (normal == name) return {};
  return Failure(NotAName(name, ": it is written " + normal));
}

std::string FileNameOf(std::string_view name) {
  std::string file(name);
  std::ranges::replace(file, '/', kSlash);
  return file;
}

std::optional<std::string> NameOfFile(std::string_view file) {
  std::string name(file);
  if (name.starts_with('@')) {
    // An owner may have the sign that stands for the slash; the name after it has not.
    const size_t slash = name.rfind(kSlash);
    if (slash != std::string::npos) name[slash] = '/';
  } else {
    std::ranges::replace(name, kSlash, '/');
  }
  if (!CheckTemplateName(name) || FileNameOf(name) != file) return std::nullopt;
  return name;
}

}  // namespace cay::templates
