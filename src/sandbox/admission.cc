#include "sandbox/admission.h"

namespace cay::sandbox {
namespace {

Error ServerFull(std::string message, const std::string& key) {
  return Error(ErrorCode::kResourceExhausted, Fault::kMachine, std::move(message))
      .WithRemedy("try again when others have ended, or raise " + key + " in the configuration");
}

}  // namespace

Result<void> Admission::CheckOwner(const std::string& owner, size_t quota) const {
  const size_t allowed = quota != 0 ? quota : rules_.max_per_owner;
  const auto found = owners_.find(owner);
  const size_t has = found == owners_.end() ? 0 : found->second;
  if (has < allowed) return {};
  return Failure(
      Error(
          ErrorCode::kResourceExhausted, Fault::kCaller,
          "you have " + std::to_string(has) + " sandboxes, and may have " + std::to_string(allowed))
          .WithRemedy(quota != 0 ? "destroy one, or ask for a key with a higher max_sandboxes"
                                 : "destroy one, or raise limits.sandboxes_per_owner in the "
                                   "configuration"));
}

Result<void> Admission::CheckServer(size_t more, Bytes more_memory) const {
  if (count_ + more > rules_.max_sandboxes) {
    return Failure(ServerFull("the server is full: it has " + std::to_string(count_) +
                                  " sandboxes, and may have " +
                                  std::to_string(rules_.max_sandboxes),
                              "limits.sandboxes"));
  }
  const bool bounded = rules_.max_memory != 0 && more_memory != 0;
  if (bounded && (memory_ >= rules_.max_memory || more_memory > rules_.max_memory - memory_)) {
    return Failure(ServerFull(
        "the server is full: " + FormatBytes(memory_) + " of " + FormatBytes(rules_.max_memory) +
            " memory are promised, and this needs " + FormatBytes(more_memory),
        "limits.memory"));
  }
  return {};
}

Result<void> Admission::Admit(const std::string& owner, size_t quota, Bytes memory) {
  const std::lock_guard lock(mutex_);
  TRY(CheckOwner(owner, quota));
  TRY(CheckServer(1, memory));
  ++owners_[owner];
  ++count_;
  memory_ += memory;
  return {};
}

void Admission::Adopt(const std::string& owner, Bytes memory) {
  const std::lock_guard lock(mutex_);
  ++owners_[owner];
  ++count_;
  memory_ += memory;
}

void Admission::Leave(const std::string& owner) {
  const auto found = owners_.find(owner);
  if (found != owners_.end() && --found->second == 0) owners_.erase(found);
}

void Admission::Release(const std::string& owner, Bytes memory) {
  const std::lock_guard lock(mutex_);
  Leave(owner);
  --count_;
  memory_ -= memory;
}

Result<void> Admission::Resize(Bytes before, Bytes after) {
  const std::lock_guard lock(mutex_);
  if (after > before) TRY(CheckServer(0, after - before));
  memory_ += after;
  memory_ -= before;
  return {};
}

Result<void> Admission::AdmitPooled(Bytes memory) {
  const std::lock_guard lock(mutex_);
  TRY(CheckServer(1, memory));
  ++count_;
  memory_ += memory;
  return {};
}

void Admission::ReleasePooled(Bytes memory) {
  const std::lock_guard lock(mutex_);
  --count_;
  memory_ -= memory;
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

void Admission::SetRules(AdmissionRules rules) {
  const std::lock_guard lock(mutex_);
  rules_ = rules;
}

}  // namespace cay::sandbox
