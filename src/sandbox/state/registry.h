// Registry: the sandboxes that are not destroyed, by id and by the names that their owners gave
// them. Thread-safe; nothing here waits for a sandbox.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/id.h"
#include "base/result.h"
#include "sandbox/state/sandbox.h"
#include "sandbox/types.h"

namespace cay::sandbox {

class Registry {
 public:
  // kAlreadyExists when the name is the id of any sandbox: a request that used the name would get
  // that sandbox. Asked where a name is given, and not where it is read again: a name that older
  // programs allowed must not keep a sandbox, or the server, from starting.
  Result<void> CheckIsNoId(const std::string& name) const;
  // kAlreadyExists when the owner has another of that name.
  Result<void> Insert(const std::shared_ptr<Sandbox>& sandbox, const std::string& name);
  void Remove(const Sandbox& sandbox, const std::string& name);
  // kAlreadyExists likewise; then nothing has changed. Either may be empty.
  Result<void> Rename(const Sandbox& sandbox, const std::string& before, const std::string& after);

  // The sandbox with this id, whoever owns it.
  std::shared_ptr<Sandbox> Find(std::string_view id) const;
  // An id, a name among the caller's, or OWNER/NAME, as far as the caller may know of it.
  std::shared_ptr<Sandbox> Find(const Caller& caller, std::string_view which) const;
  // The owners, at most `most`, of sandboxes of that name.
  std::vector<std::string> OwnersOfName(std::string_view name, size_t most) const;
  std::vector<std::shared_ptr<Sandbox>> All() const;

 private:
  Result<void> TakeName(const Sandbox& sandbox, const std::string& name);

  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Sandbox>, std::less<>> by_id_;
  std::map<std::pair<std::string, std::string>, SandboxId> names_;  // owner, name
};

}  // namespace cay::sandbox
