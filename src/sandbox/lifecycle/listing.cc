#include "sandbox/lifecycle/listing.h"

#include <algorithm>
#include <tuple>

namespace cay::sandbox {
namespace {

// What the order goes by: when it was created, then the id.
using Place = std::pair<int64_t, std::string>;

Place PlaceOf(const Sandbox& sandbox) { return {sandbox.created_unix_ms(), sandbox.id().text()}; }

std::string CursorOf(const Place& place) {
  return std::to_string(place.first) + "-" + place.second;
}

Result<Place> ParseCursor(const std::string& cursor) {
  const size_t dash = cursor.find('-');
  const auto created = ParseUnsigned(std::string_view(cursor).substr(0, dash), INT64_MAX);
  if (dash != std::string::npos && created) {
    const auto id = SandboxId::Parse(std::string_view(cursor).substr(dash + 1));
    if (id) return Place{static_cast<int64_t>(*created), id->text()};
  }
  return Failure(Error::Invalid("not a cursor: \"" + cursor.substr(0, 80) + "\"")
                     .WithRemedy("pass on next_cursor of the page before, unchanged"));
}

bool Fits(const SandboxView& view, const ListFilter& filter) {
  if (filter.state && view.state != *filter.state) return false;
  if (filter.face && view.spec.face != *filter.face) return false;
  if (!filter.project.empty() && view.spec.project != filter.project) return false;
  if (!filter.template_name.empty() && view.spec.template_name != filter.template_name)
    return false;
  return std::ranges::all_of(filter.metadata, [&](const auto& wanted) {
    const auto found = view.spec.metadata.find(wanted.first);
    return found != view.spec.metadata.end() && found->second == wanted.second;
  });
}

}  // namespace

Result<Page> ListSandboxes(const Core& core, const Caller& caller, const ListFilter& filter) {
  if (filter.limit == 0 || filter.limit > kMaxListed) {
    return Failure(Error::Invalid("\"limit\" must be from 1 to " + std::to_string(kMaxListed)));
  }
  std::optional<Place> after;
  if (!filter.cursor.empty()) after = TRY(ParseCursor(filter.cursor));
  auto all = core.registry.All();
  std::erase_if(all, [&](const auto& sandbox) {
    return (!caller.admin && sandbox->owner() != caller.owner) ||
           (!filter.owner.empty() && sandbox->owner() != filter.owner) ||
           (after && PlaceOf(*sandbox) >= *after);
  });
  std::ranges::sort(all, [](const auto& a, const auto& b) { return PlaceOf(*a) > PlaceOf(*b); });
  Page page;
  for (const auto& sandbox : all) {
    SandboxView view = sandbox->View();
    if (!Fits(view, filter)) continue;
    if (page.sandboxes.size() == filter.limit) {
      const SandboxView& last = page.sandboxes.back();
      page.next = CursorOf({last.created_unix_ms, last.id.text()});
      break;
    }
    // Of all together it might be long.
    if (view.health) view.health->log.clear();
    page.sandboxes.push_back(std::move(view));
  }
  return page;
}

}  // namespace cay::sandbox
