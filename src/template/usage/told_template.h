// What is told of templates, of what they take and of what was removed, by the API and by the
// commands: usage_fields.h has its fields.
//
//   const ToldTemplate told = TRY(TellTemplate(TRY(InspectTemplate(store, "py")), Measured::kYes));
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "template/usage/template_usage.h"

namespace cay::templates {

// One template.
struct ToldTemplate {
  TemplateInfo info;
  std::string owner{};  // of one that is an owner's own
  std::string reference{};
  std::string platform{};
  std::string created{};
  int64_t last_used_unix_ms = 0;
  std::vector<LayerDetails> layers{};  // the topmost first
  bool measured = false;               // what they take on the disk
  std::optional<std::string> image{};  // its configuration, JSON
  std::vector<std::string> used_by{};  // ids of sandboxes
};

// Without `used_by`. kIo for a configuration that cannot be written.
Result<ToldTemplate> TellTemplate(TemplateDetails details, Measured measured);

// What is asked for where unused templates are to be removed.
struct AskedPrune {
  Millis unused_for{7LL * 24 * 3600 * 1000};
  bool dry_run = false;
  bool of_owners = false;  // also those that are an owner's own
};

struct ToldPrune {
  PruneReport report;
  bool dry_run = false;
};

// A StoreUsage, of which the sums are an administrator's to know.
struct ToldUsage {
  StoreUsage usage;
  bool sums = false;
};

}  // namespace cay::templates
