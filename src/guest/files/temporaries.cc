#include "guest/files/temporaries.h"

#include <sys/random.h>

#include <cstdint>

namespace cay::guest {
std::string Temporaries::Take() {
  uint64_t number = 0;
  // Without entropy (never on a running system) they are counted: O_EXCL does not need them to be
  // secret.
  if (::getrandom(&number, sizeof number, 0) != static_cast<ssize_t>(sizeof number))
    number = ++taken_;
  std::string name = ".cay-write-";
  for (int i = 0; i < 16; ++i, number >>= 4U) name += "0123456789abcdef"[number & 0xfU];
  names_[name] = Fate::kLive;
  return name;
}

void Temporaries::End(const std::string& name, Fate fate) {
  names_[name] = fate;
  ended_.push_back(name);
  if (ended_.size() <= kRemembered) return;
  names_.erase(ended_.front());
  ended_.pop_front();
}

std::optional<Temporaries::Fate> Temporaries::Find(const std::string& name) const {
  const auto found = names_.find(name);
  if (found == names_.end()) return std::nullopt;
  return found->second;
}

}  // namespace cay::guest
