#include "cli/local/elsewhere.h"

#include "cli/frame/console.h"
#include "engine/native/launcher/inventory.h"

namespace cay::cli {
namespace {

constexpr size_t kMaxNamed = 100;

}  // namespace

void NoteElsewhere(const Paths& paths) {
  const auto elsewhere = engine::native::FindElsewhere(paths);
  if (!elsewhere || elsewhere->empty()) return;
  std::string line = "sandboxes of other state directories, or of one that is gone, run here:";
  for (size_t i = 0; i < std::min(elsewhere->size(), kMaxNamed); ++i) {
    const engine::native::Elsewhere& one = (*elsewhere)[i];
    line += (i == 0 ? " " : ", ") + one.id + " (process " + std::to_string(one.process) + ")";
  }
  if (elsewhere->size() > kMaxNamed)
    line += " and " + std::to_string(elsewhere->size() - kMaxNamed) + " more";
  Note(line + "; see --state-dir");
}

}  // namespace cay::cli
