// Debian as a template, made by mmdebstrap(1) of the mirror that this machine has.
#pragma once

#include <string>

#include "base/result.h"
#include "template/store/template_store.h"

namespace cay::cli {

// kNotSupported where mmdebstrap or apt-get is not installed, or this machine has no mirror of
// Debian. Takes a minute or so; what it says of an error is in the error.
Result<void> MakeDebian(templates::TemplateStore& store, const std::string& name,
                        const std::string& suite);

}  // namespace cay::cli
