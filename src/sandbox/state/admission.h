// Admission: how many sandboxes there may be, and how much memory and disk they may be promised: of
// an owner (a caller's fault: 429) and of the server (503).
//
//   TRY(admission.Admit(owner, quota, {.memory = …, .disk = …}));       // counted from here on …
//   admission.Release(owner, {.memory = …, .disk = …});                 // … to here
//
// Members of pools have no owner: they count for the server, and get an owner by Claim. Stopped and
// failed sandboxes count and hold their disk, and no memory. Thread-safe.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <string>

#include "base/result.h"
#include "base/units.h"

namespace cay::sandbox {

struct AdmissionRules {
  size_t max_sandboxes = 1000;
  size_t max_per_owner = 1000;
  Bytes max_memory = 0;  // 0: no bound
  Bytes max_disk = 0;    // likewise
};

// What a sandbox is promised.
struct Holding {
  Bytes memory = 0;
  Bytes disk = 0;
};

struct AdmissionCounts {
  size_t sandboxes = 0;                    // pooled ones included
  std::map<std::string, size_t> owners{};  // those who have any
  Holding held{};
};

class Admission {
 public:
  explicit Admission(AdmissionRules rules) : rules_(rules) {}

  // `quota`: the owner's own maximum; 0: the server's. kResourceExhausted.
  Result<void> Admit(const std::string& owner, size_t quota, const Holding& holding);
  // What an earlier server promised is not refused.
  void Adopt(const std::string& owner, const Holding& holding);
  void Release(const std::string& owner, const Holding& holding);

  // More or less memory for one that is counted.
  Result<void> Resize(Bytes before, Bytes after);

  Result<void> AdmitPooled(const Holding& holding);
  void ReleasePooled(const Holding& holding);
  // A member of a pool becomes the owner's.
  Result<void> Claim(const std::string& owner, size_t quota);
  // … and has no owner again.
  void Unclaim(const std::string& owner);

  void SetRules(AdmissionRules rules);
  AdmissionCounts counts() const;

 private:
  Result<void> CheckOwner(const std::string& owner, size_t quota) const;
  Result<void> CheckServer(size_t more, const Holding& holding) const;
  void Add(const Holding& holding);
  void Subtract(const Holding& holding);
  void Leave(const std::string& owner);

  mutable std::mutex mutex_;
  AdmissionRules rules_;
  std::map<std::string, size_t> owners_;  // those who have any
  size_t count_ = 0;                      // of all, pooled ones included
  Holding held_;
};

}  // namespace cay::sandbox
