#include "base/text.h"

#include <string.h>

#include <algorithm>
#include <array>

namespace cay {
namespace {

char LowerOf(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

}  // namespace

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), LowerOf);
  return lower;
}

bool EqualsIgnoringCase(std::string_view one, std::string_view other) {
  return std::ranges::equal(one, other, {}, LowerOf, LowerOf);
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string_view Nearest(std::string_view typed, std::span<const std::string_view> candidates) {
  constexpr size_t kLongest = 32;
  if (typed.size() > kLongest) return {};
  std::string_view best;
  size_t best_distance = std::max<size_t>(1, typed.size() / 3) + 1;
  for (std::string_view candidate : candidates) {
    if (candidate.size() > kLongest) continue;
    if (typed.size() >= 3 && candidate.starts_with(typed)) return candidate;
    // Optimal string alignment: insert, delete, replace, swap of neighbours.
    std::array<std::array<size_t, kLongest + 1>, kLongest + 1> cost{};
    for (size_t i = 0; i <= typed.size(); ++i) cost[i][0] = i;
    for (size_t j = 0; j <= candidate.size(); ++j) cost[0][j] = j;
    for (size_t i = 1; i <= typed.size(); ++i) {
      for (size_t j = 1; j <= candidate.size(); ++j) {
        size_t same = typed[i - 1] == candidate[j - 1] ? 0 : 1;
        cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + same});
        if (i > 1 && j > 1 && typed[i - 1] == candidate[j - 2] &&
            typed[i - 2] == candidate[j - 1]) {
          cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
        }
      }
    }
    size_t distance = cost[typed.size()][candidate.size()];
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

void Wipe(std::string& secret) {
  ::explicit_bzero(secret.data(), secret.size());
  secret.clear();
}

}  // namespace cay
