#include "sandbox/state/admission.h"

namespace cay::sandbox {
namespace {

Error ServerFull(std::string message, const std::string& key) {
  return Error(ErrorCode::kResourceExhausted, Fault::kMachine, std::move(message))
      .WithRemedy("try again when other sandboxes have ended, or raise " + key +
                  " in the configuration");
}

// `most` 0: no bound.
Result<void> CheckRoom(const std::string& what, Bytes held, Bytes more, Bytes most,
                       const std::string& key) {
  const bool fits = most == 0 || more == 0 || (held < most && more <= most - held);
  if (fits) return {};
  return Failure(ServerFull("the server is full: " + HumanBytes(held) + " of " + HumanBytes(most) +
                                " " + what + " are promised to sandboxes, and this one needs " +
                                FormatBytes(more),
                            key));
}

}  // namespace

Result<void> Admission::CheckOwner(const std::string& owner, size_t quota) const {
  const size_t allowed = quota != 0 ? quota : rules_.max_per_owner;
  const auto found = owners_.find(owner);
  const size_t has = found == owners_.end() ? 0 : found->second;
  if (has < allowed) return {};
  return Failure(
      Error(ErrorCode::kResourceExhausted, Fault::kCaller,
            "you have " + std::to_string(has) + " sandboxes, and your maximum is " +
                std::to_string(allowed))
          .WithRemedy(quota != 0 ? "destroy one, or ask an administrator for a higher max_sandboxes"
                                 : "destroy one, or raise limits.sandboxes_per_owner in the "
                                   "configuration"));
}

Result<void> Admission::CheckServer(size_t more, const Holding& holding) const {
  if (count_ + more > rules_.max_sandboxes) {
    return Failure(ServerFull("the server is full: it has " + std::to_string(count_) +
                                  " sandboxes, and its maximum is " +
                                  std::to_string(rules_.max_sandboxes),
                              "limits.sandboxes"));
  }
  TRY(CheckRoom("memory", held_.memory, holding.memory, rules_.max_memory, "limits.memory"));
  return CheckRoom("disk", held_.disk, holding.disk, rules_.max_disk, "limits.disk_committed");
}

void Admission::Add(const Holding& holding) {
  held_.memory += holding.memory;
  held_.disk += holding.disk;
}

void Admission::Subtract(const Holding& holding) {
  held_.memory -= holding.memory;
  held_.disk -= holding.disk;
}

Result<void> Admission::Admit(const std::string& owner, size_t quota, const Holding& holding) {
  const std::lock_guard lock(mutex_);
  TRY(CheckOwner(owner, quota));
  TRY(CheckServer(1, holding));
  ++owners_[owner];
  ++count_;
  Add(holding);
  return {};
}

void Admission::Adopt(const std::string& owner, const Holding& holding) {
  const std::lock_guard lock(mutex_);
  ++owners_[owner];
  ++count_;
  Add(holding);
}

void Admission::Leave(const std::string& owner) {
  const auto found = owners_.find(owner);
  if (found != owners_.end() && --found->second == 0) owners_.erase(found);
}

void Admission::Release(const std::string& owner, const Holding& holding) {
  const std::lock_guard lock(mutex_);
  Leave(owner);
  --count_;
  Subtract(holding);
}

Result<void> Admission::Resize(Bytes before, Bytes after) {
  const std::lock_guard lock(mutex_);
  if (after > before) TRY(CheckServer(0, {.memory = after - before}));
  held_.memory += after;
  held_.memory -= before;
  return {};
}

Result<void> Admission::AdmitPooled(const Holding& holding) {
  const std::lock_guard lock(mutex_);
  TRY(CheckServer(1, holding));
  ++count_;
  Add(holding);
  return {};
}

void Admission::ReleasePooled(const Holding& holding) {
  const std::lock_guard lock(mutex_);
  --count_;
  Subtract(holding);
}

Result<void> Admission::Claim(const std::string& owner, size_t quota) {
  const std::lock_guard lock(mutex_);
  TRY(CheckOwner(owner, quota));
  ++owners_[owner];
  return {};
}

void Admission::Unclaim(const std::string& owner) {
  const std::lock_guard lock(mutex_);
  Leave(owner);
}

AdmissionCounts Admission::counts() const {
  const std::lock_guard lock(mutex_);
  return {.sandboxes = count_, .owners = owners_, .held = held_};
}

void Admission::SetRules(AdmissionRules rules) {
  const std::lock_guard lock(mutex_);
  rules_ = rules;
}

}  // namespace cay::sandbox
