// The table of all keys, as a constant: the options of `cay serve` are made of it when the program
// is built. Everybody else asks Keys() of config.h.
#pragma once

#include <algorithm>
#include <array>
#include <iterator>

#include "config/config_rows_limits.h"
#include "config/config_rows_network.h"
#include "config/config_rows_requests.h"
#include "config/config_rows_server.h"
#include "config/config_rows_templates.h"

namespace cay::config {

template <size_t... kSizes>
constexpr auto JoinRows(const Key (&... rows)[kSizes]) {
  std::array<Key, (kSizes + ...)> table{};
  auto* next = table.begin();
  ((next = std::ranges::copy(rows, next).out), ...);
  return table;
}

inline constexpr auto kKeyTable =
    JoinRows(kServerRows, kLimitRows, kNetworkRows, kTemplateRows, kRequestRows);

}  // namespace cay::config

// They are the rows'.
#undef CAY_KIND
#undef CAY_UNIT
#undef CAY_AT
