#include "cli/pulls/local_pull.h"

#include <algorithm>
#include <array>

#include "cli/frame/console.h"
#include "cli/pulls/pull_bars.h"
#include "template/store/template_name.h"

namespace cay::cli {
Result<templates::TemplateInfo> PullHere(templates::TemplateStore& store, LocalPull pull) {
  pull.options.replace = pull.options.replace || !templates::IsShortName(pull.options.name);
  pull.options.keep_same = true;
  const auto client = TRY(OpenRegistryClient(pull.registry));
  templates::registry::CallOptions call;
  call.on_note = [](const std::string& text) { Note(text); };
  PullBars bars(pull.quiet);
  pull.options.on_progress = [&](const templates::PullProgress& now) { bars.Show(now); };
  return PullImage(store, *client, pull.options, call);
}

Result<PullWhen> ParsePullWhen(std::string_view word) {
  constexpr std::array<std::string_view, 3> kWords = {"missing", "always", "never"};
  const auto* const found = std::ranges::find(kWords, word);
  if (found != kWords.end()) return static_cast<PullWhen>(found - kWords.begin());
  return Failure(Error::Invalid("\"" + std::string(word) + "\" is none of always, missing, never"));
}

Result<templates::Template> FindOrPull(templates::TemplateStore& store, const std::string& name,
                                       PullWhen when, bool quiet) {
  const std::string normal = TRY(templates::NormalTemplateName(name));
  if (when == PullWhen::kNever || templates::IsShortName(normal)) return store.Find(name);
  const auto here = store.InfoOf(normal);
  if (!here && here.error().code() != ErrorCode::kNotFound) return Failure(here.error());
  if (!here && store.environments().Find(normal) != nullptr) return store.Find(name);
  // What a digest names does not change.
  if (!here || (when == PullWhen::kAlways && !normal.contains('@'))) {
    if (!quiet && !here) Note("the image " + normal + " is not here yet: it is pulled");
    const auto image = TRY(templates::ImageOfName(normal));
    LocalPull pull{.options = {.image = image, .name = normal, .came = templates::Came::kPulled},
                   .quiet = quiet};
    if (auto pulled = PullHere(store, std::move(pull)); !pulled)
      return Failure(std::move(pulled).error().WithContext("pulling " + normal));
  }
  return store.Find(name);
}

}  // namespace cay::cli
