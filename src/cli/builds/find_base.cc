#include "cli/builds/find_base.h"

#include <algorithm>
#include <array>
#include <utility>

#include "cli/builds/debian_base.h"
#include "cli/frame/console.h"
#include "cli/pulls/local_pull.h"
#include "template/store/template_name.h"

namespace cay::cli {
namespace {

using templates::KeptTemplate;
using templates::TemplateStore;
using templates::oci::Platform;

// Of a template that is here, whether it is for that platform; what is no image is for this
// machine.
bool IsFor(const KeptTemplate& kept, const std::optional<Platform>& platform) {
  const Platform wanted = platform.value_or(Platform::Native());
  const Platform has =
      kept.metadata->image ? kept.metadata->image->config.platform : Platform::Native();
  return has.os == wanted.os && has.architecture == wanted.architecture;
}

Result<void> Pull(TemplateStore& store, const std::string& image, const std::string& name,
                  const std::optional<Platform>& platform, const BaseOptions& options) {
  const auto reference = TRY(templates::ImageOfName(image));
  LocalPull pull{.options = {.image = reference, .name = name, .came = templates::Came::kPulled},
                 .registry = options.registry,
                 .quiet = options.quiet};
  if (platform) pull.options.platform = *platform;
  const auto pulled = PullHere(store, std::move(pull));
  return pulled ? Result<void>() : Failure(Error(pulled.error()).WithContext("pulling " + name));
}

}  // namespace

std::optional<std::string> DebianSuiteOf(const std::string& image) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kNumbers = {
      {{"11", "bullseye"}, {"12", "bookworm"}, {"13", "trixie"}, {"latest", "stable"}, {"", ""}}};
  constexpr std::array<std::string_view, 7> kSuites = {"bullseye", "bookworm", "trixie",  "sid",
                                                       "stable",   "testing",  "unstable"};
  const auto reference = templates::ImageOfName(image);
  if (!reference || !reference->Familiar().starts_with("debian:")) return std::nullopt;
  std::string tag = reference->Familiar().substr(std::string_view("debian:").size());
  if (tag.ends_with("-slim")) tag.resize(tag.size() - std::string_view("-slim").size());
  for (const auto& [number, suite] : kNumbers) {
    if (!number.empty() && tag == number) tag = suite;
  }
  if (std::ranges::find(kSuites, tag) == kSuites.end()) return std::nullopt;
  return tag;
}

Result<KeptTemplate> FindBaseHere(TemplateStore& store, const std::string& image,
                                  const std::optional<Platform>& platform,
                                  const BaseOptions& options) {
  const std::string normal = TRY(templates::NormalTemplateName(image));
  auto here = store.Open(normal);
  const bool pulls_again = options.pull && !templates::IsShortName(normal);
  if (here && !pulls_again && IsFor(*here, platform)) return here;
  if (!here && here.error().code() != ErrorCode::kNotFound) return here;
  // By its own name only: "python" is the image.
  const templates::Environment* environment = store.environments().Find(normal);
  if (!here && environment != nullptr && environment->name == normal)
    return Failure(templates::NotBuilt(normal, *environment));
  const std::string name = TRY(templates::ImageOfName(normal)).Familiar();
  if (!options.quiet) Note("the image " + name + " is pulled");
  auto pulled = Pull(store, normal, name, platform, options);
  if (pulled) return store.Open(name);
  const auto suite = DebianSuiteOf(image);
  const bool is_native = !platform || platform->architecture == Platform::Native().architecture;
  // What the registry itself says holds; it is what cannot be reached that is made here.
  if (!suite || !is_native || pulled.error().fault() == Fault::kCaller)
    return Failure(std::move(pulled).error());
  if (!options.quiet) Note(pulled.error().message() + "; it is made by mmdebstrap");
  if (auto made = MakeDebian(store, name, *suite); !made)
    return Failure(std::move(made).error().WithContext(pulled.error().message()));
  return store.Open(name);
}

}  // namespace cay::cli
