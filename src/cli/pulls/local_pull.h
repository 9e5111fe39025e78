// Images of registries into the templates of this machine, for whoever runs this program: with the
// credentials that docker login left, and bars.
#pragma once

#include <string>

#include "base/result.h"
#include "cli/pulls/registry_options.h"
#include "template/pull/pull.h"
#include "template/store/template_store.h"

namespace cay::cli {

struct LocalPull {
  templates::PullOptions options;
  RegistryOptions registry{};
  bool quiet = false;
};

// An image's own name means what the registry has now; a template of another name may be
// somebody's: it is replaced where the options say so.
Result<templates::TemplateInfo> PullHere(templates::TemplateStore& store, LocalPull pull);

// When a run pulls the image that its template is: "always", "missing", "never", as docker has it.
enum class PullWhen : uint8_t { kMissing, kAlways, kNever };
Result<PullWhen> ParsePullWhen(std::string_view word);

// The template `name`, which is pulled first where it is the reference of an image and `when` says
// so. A short name is what somebody called an import, and other names are environments': no
// registry is asked for them.
Result<templates::Template> FindOrPull(templates::TemplateStore& store, const std::string& name,
                                       PullWhen when, bool quiet);

}  // namespace cay::cli
