#include <algorithm>

#include "config/config_table.h"

namespace cay::config {

std::span<const Key> Keys() { return kKeyTable; }

const Key* FindKey(std::string_view name) {
  const auto* found = std::ranges::find(kKeyTable, name, &Key::name);
  return found == std::end(kKeyTable) ? nullptr : found;
}

std::string EnvironmentName(const Key& key) {
  std::string name = "CAY_";
  for (const char c : key.name) {
    name += c == '.' ? '_' : (c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
  }
  return name;
}

Config::Config() {
  engine::Limits& most = manager.max_limits;
  most.memory = 16 * kGiB;
  most.cpus = 64'000;
  most.pids = 16'384;
  most.disk = 64 * kGiB;
  most.open_files = 65'536;
  most.file_size = 64 * kGiB;
}

}  // namespace cay::config
