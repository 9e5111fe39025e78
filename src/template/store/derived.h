// Derived templates: what another template is, with packages that sandboxes asked for above it.
//
//   NewDerived derived{.name = "packages-3f…", .key = key, .base = base, .layers = {id}, …};
//   TRY(store.AddDerived(derived));
//   if (store.HasDerived(name, key)) …                  // it need not be made
//
// They are nobody's to name: a name is made of what they depend on (build/packages). They are a
// cache, as records of builds are (built_layers.h): they go when they were not used for long, or
// when all of them are larger than they may be, whatever a sandbox stands on stays.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "template/store/built_layers.h"
#include "template/template.h"

namespace cay::templates {

struct NewDerived {
  std::string name{};  // template_name.h; one of that name gives way
  std::string key{};   // of all that it depends on
  Template base{};
  std::vector<std::string> layers{};     // above the base's "/", the topmost first; held
  std::vector<std::string> variables{};  // "NAME=value" of every process, over the base's own
  std::vector<std::string> packages{};   // for people; at least one
  Bytes written = 0;                     // of content, in these layers
  uint64_t entries = 0;
  ImportNotes notes{};
};

struct PrunedDerived {
  std::vector<std::string> removed{};
  Bytes bytes = 0;  // of content
};

class TemplateStore;

// Removes derived templates, those first that were not used for longest, until the bounds hold.
// None that a sandbox stands on, or that somebody is about to use; and none at all while it cannot
// be known which those are. Other templates are not looked at.
Result<PrunedDerived> PruneDerived(TemplateStore& store, const BuiltBounds& bounds);

}  // namespace cay::templates
