#include "template/oci/history.h"

#include <algorithm>

namespace cay::templates::oci {

void CompleteHistory(ImageConfig& config) {
  const auto told =
      static_cast<size_t>(std::ranges::count(config.history, false, &HistoryEntry::empty_layer));
  if (told >= config.diff_ids.size()) return;
  config.history.insert(config.history.begin(), config.diff_ids.size() - told, HistoryEntry());
}

}  // namespace cay::templates::oci
