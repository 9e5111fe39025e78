// What a template may be called: a short name ("py", [a-z0-9][a-z0-9._-]{0,63}), or an image's
// reference as people write it ("python:3.12-slim", "registry.example:5000/team/app:1.2").
//
// A reference is kept in one form: Docker's own registry and its `library/` are left out, the tag
// is not. So "python:latest" is what "docker.io/library/python" is kept as, and a short name stays
// what it is: "python" is a template of that name, and where there is none, "python:latest".
//
// What belongs to one owner of a server alone is "@OWNER/NAME", with a short NAME: no image is
// called so.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/names/owned_name.h"
#include "base/result.h"
#include "template/oci/image_reference.h"

namespace cay::templates {

// The form in which it is kept. kInvalidArgument for what is neither.
Result<std::string> NormalTemplateName(std::string_view name);

// kInvalidArgument unless it is such a form.
Result<void> CheckTemplateName(std::string_view name);

using cay::IsShortName;
using cay::OwnedName;
using cay::ParseOwnedName;

// The image that a name means: of a short name, that of its latest tag. kInvalidArgument as above.
Result<oci::ImageReference> ImageOfName(std::string_view name);

// Of the file of its metadata, without the suffix; and back: nothing for a file that is none's.
std::string FileNameOf(std::string_view name);
std::optional<std::string> NameOfFile(std::string_view file);

}  // namespace cay::templates
