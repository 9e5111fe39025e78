#include "sandbox/lifecycle/lease_hold.h"

#include <algorithm>
#include <filesystem>

#include "sandbox/secrets/trust.h"

namespace cay::sandbox {

Lease::Lease(std::unique_ptr<Hold> hold) : hold_(std::move(hold)) {}
Lease::Lease(Lease&&) noexcept = default;
Lease& Lease::operator=(Lease&&) noexcept = default;
Lease::~Lease() = default;

const SandboxId& Lease::id() const { return hold_->sandbox->id(); }
const SandboxView& Lease::view() const { return hold_->record.view; }
const GuestChannel& Lease::guest() const { return hold_->guest; }
const std::string& Lease::user() const { return hold_->record.user; }
const std::string& Lease::workdir() const { return hold_->record.workdir; }

Result<void> Lease::CheckKept(std::string_view path) const {
  if (hold_->visits == nullptr) return {};
  // Where a symlink leads there, what is written is the sandbox's own loss.
  const std::string normal = std::filesystem::path(path).lexically_normal().string();
  const auto is_in = [&](const std::string& directory) {
    return normal == directory || normal.starts_with(directory + "/");
  };
  std::vector<std::string> in_memory = {"/dev", "/proc"};
  for (const engine::Tmpfs& tmpfs : view().spec.tmpfs) in_memory.push_back(tmpfs.target);
  if (std::ranges::none_of(in_memory, is_in)) return {};
  return Failure(Error(ErrorCode::kIllegalState, Fault::kCaller,
                       std::string(path) + " is in memory, and sandbox " + id().text() +
                           " is stopped: its files there are not kept")
                     .WithRemedy("start it first: " + Remedy(Action::kStart, id().text())));
}

Result<Fd> Lease::Watch() const { return hold_->sandbox->Watch(); }

std::vector<std::string> Lease::Environment(const StringMap& more) const {
  StringMap all;
  for (const std::string& variable : hold_->record.template_env) {
    const size_t equals = variable.find('=');
    if (equals != std::string::npos)
      all.insert_or_assign(variable.substr(0, equals), variable.substr(equals + 1));
  }
  const SandboxSpec& spec = hold_->record.view.spec;
  if (!spec.network.granted.empty() || !hold_->record.trust.empty()) {
    for (const auto& [name, value] : TrustVariables(spec.read_only)) all.emplace(name, value);
  }
  for (const auto& [name, value] : spec.env) all.insert_or_assign(name, value);
  for (const GrantedSecret& secret : spec.network.granted)
    all.insert_or_assign(secret.variable, secret.placeholder);
  for (const auto& [name, value] : more) all.insert_or_assign(name, value);
  std::vector<std::string> environment;
  environment.reserve(all.size());
  for (const auto& [name, value] : all) environment.push_back(name + "=" + value);
  return environment;
}

std::vector<std::string> Lease::AccountVariables(const StringMap& more) const {
  std::vector<std::string> names;
  for (const std::string_view variable : protocol::kAccountVariables) {
    const std::string name(variable);
    const std::vector<std::string>& own = hold_->record.own_variables;
    if (!hold_->record.view.spec.env.contains(name) && !more.contains(name) &&
        std::ranges::find(own, name) == own.end()) {
      names.push_back(name);
    }
  }
  return names;
}

}  // namespace cay::sandbox
