#include "sandbox/state/registry.h"

namespace cay::sandbox {

Result<void> Registry::TakeName(const Sandbox& sandbox, const std::string& name) {
  if (name.empty()) return {};
  const auto [entry, is_new] = names_.try_emplace({sandbox.owner(), name}, sandbox.id());
  if (is_new || entry->second == sandbox.id()) return {};
  return Failure(Error(ErrorCode::kAlreadyExists, Fault::kCaller,
                       "you have a sandbox named " + name + ": " + entry->second.text())
                     .WithRemedy("use that one, destroy it, or choose another name"));
}

Result<void> Registry::CheckIsNoId(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  if (!by_id_.contains(name)) return {};
  return Failure(Error(ErrorCode::kAlreadyExists, Fault::kCaller,
                       "the name " + name + " is the id of a sandbox")
                     .WithRemedy("choose another name"));
}

Result<void> Registry::Insert(const std::shared_ptr<Sandbox>& sandbox, const std::string& name) {
  const std::lock_guard lock(mutex_);
  TRY(TakeName(*sandbox, name));
  by_id_.emplace(sandbox->id().text(), sandbox);
  return {};
}

void Registry::Remove(const Sandbox& sandbox, const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (!name.empty()) names_.erase({sandbox.owner(), name});
  by_id_.erase(sandbox.id().text());
}

Result<void> Registry::Rename(const Sandbox& sandbox, const std::string& before,
                              const std::string& after) {
  if (before == after) return {};
  const std::lock_guard lock(mutex_);
  TRY(TakeName(sandbox, after));
  if (!before.empty()) names_.erase({sandbox.owner(), before});
  return {};
}

std::shared_ptr<Sandbox> Registry::Find(std::string_view id) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

std::shared_ptr<Sandbox> Registry::Find(const Caller& caller, std::string_view which) const {
  const std::lock_guard lock(mutex_);
  auto found = by_id_.find(which);
  if (found != by_id_.end() && (caller.admin || found->second->owner() == caller.owner))
    return found->second;
  QualifiedName called = Qualify(caller, which);
  if (!caller.admin && called.owner != caller.owner) return nullptr;
  const auto named = names_.find({std::move(called.owner), std::move(called.name)});
  if (named == names_.end()) return nullptr;
  found = by_id_.find(named->second.text());
  return found == by_id_.end() ? nullptr : found->second;
}

std::vector<std::string> Registry::OwnersOfName(std::string_view name, size_t most) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> owners;
  for (const auto& [owned, id] : names_) {
    if (owners.size() == most) break;
    if (owned.second == name) owners.push_back(owned.first);
  }
  return owners;
}

std::vector<std::shared_ptr<Sandbox>> Registry::All() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Sandbox>> all;
  all.reserve(by_id_.size());
  for (const auto& [id, sandbox] : by_id_) all.push_back(sandbox);
  return all;
}

}  // namespace cay::sandbox
