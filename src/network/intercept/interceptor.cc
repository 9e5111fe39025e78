#include "network/intercept/interceptor.h"

namespace cay::network {
namespace {

// Much less than a leaf's life.
constexpr std::chrono::hours kFresh{24};

}  // namespace

Result<std::unique_ptr<Interceptor>> Interceptor::Make(Identity authority,
                                                       std::string_view trusted) {
  auto client = TRY(http::TlsContext::ForClientOf(trusted));
  std::unique_ptr<Interceptor> made(new Interceptor(std::move(authority), std::move(client)));
  TRY(IssueLeaf(made->authority_, "check.invalid"));
  return made;
}

Result<std::shared_ptr<http::TlsContext>> Interceptor::ServerFor(const std::string& name) {
  const auto now = Clock::now();
  if (const auto found = leaves_.find(name);
      found != leaves_.end() && now - found->second.made < kFresh)
    return found->second.context;
  const Identity leaf = TRY(IssueLeaf(authority_, name));
  auto context = TRY(http::TlsContext::ForServerOf(leaf.certificate, leaf.key));
  if (leaves_.size() >= kMaxLeaves) leaves_.clear();  // connections keep their own
  leaves_.insert_or_assign(name, Leaf{.context = context, .made = now});
  return context;
}

}  // namespace cay::network
