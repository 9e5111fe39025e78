#include "config/template_text.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "base/text.h"
#include "base/units.h"
#include "network/policy/preset.h"
#include "network/policy/publish.h"
#include "network/policy/rule.h"
#include "template/store/template_name.h"

namespace cay::config {
namespace {

using sandbox::NetworkSpec;

Result<void> SetMode(NetworkSpec& spec, const std::string& value) {
  spec.policy.mode = TRY(network::ParseMode(value));
  return {};
}

Result<void> SetDns(NetworkSpec& spec, const std::string& value) {
  spec.policy.dns = TRY(network::ParseDnsMode(value));
  return {};
}

template <auto kList>
Result<void> AddRule(NetworkSpec& spec, const std::string& value) {
  TRY(network::Rule::Parse(
      value, kList == &network::Spec::deny ? network::Effect::kDeny : network::Effect::kAllow));
  (spec.policy.*kList).push_back(value);
  return {};
}

Result<void> AddPreset(NetworkSpec& spec, const std::string& value) {
  if (const auto found = network::FindPreset(value); !found) return Failure(found.error());
  spec.policy.presets.push_back(value);
  return {};
}

Result<void> AddJoin(NetworkSpec& spec, const std::string& value) {
  if (!network::IsNetworkName(value)) {
    return Failure(Error::Invalid("\"" + value + "\" is no name of a network")
                       .WithRemedy("write letters, digits, \".\", \"_\" and \"-\""));
  }
  spec.join.push_back(value);
  return {};
}

template <auto kLimit, uint32_t kBit>
Result<void> SetCountLimit(NetworkSpec& spec, const std::string& value) {
  spec.limits.*kLimit = static_cast<uint32_t>(TRY(ParseUnsigned(value, UINT32_MAX)));
  spec.said_limits |= kBit;
  return {};
}

template <auto kLimit, uint32_t kBit>
Result<void> SetSizeLimit(NetworkSpec& spec, const std::string& value) {
  spec.limits.*kLimit = TRY(ParseBytes(value));
  spec.said_limits |= kBit;
  return {};
}

Result<void> SetIdle(NetworkSpec& spec, const std::string& value) {
  const Millis time = TRY(ParseDuration(value));
  if (time.count() % 1000 != 0 || time.count() / 1000 > UINT32_MAX)
    return Failure(Error::Invalid("\"" + value + "\" is not whole seconds"));
  spec.limits.idle_seconds = static_cast<uint32_t>(time.count() / 1000);
  spec.said_limits |= 1U << 4;
  return {};
}

using Limits = network::NetworkLimits;

struct Word {
  std::string_view name;
  bool list;
  Result<void> (*put)(NetworkSpec& spec, const std::string& value);
};

constexpr std::array kWords = {
    Word{"network.mode", false, &SetMode},
    Word{"network.allow", true, &AddRule<&network::Spec::allow>},
    Word{"network.deny", true, &AddRule<&network::Spec::deny>},
    Word{"network.presets", true, &AddPreset},
    Word{"network.dns", false, &SetDns},
    Word{"network.join", true, &AddJoin},
    Word{"network.limits.connections", false, &SetCountLimit<&Limits::connections, 1U << 0>},
    Word{"network.limits.connections_per_second", false,
         &SetCountLimit<&Limits::connections_per_second, 1U << 1>},
    Word{"network.limits.bytes_per_second", false,
         &SetSizeLimit<&Limits::bytes_per_second, 1U << 2>},
    Word{"network.limits.bytes", false, &SetSizeLimit<&Limits::bytes, 1U << 3>},
    Word{"network.limits.idle", false, &SetIdle},
};

Error NoSuchWord(const std::string& template_name, std::string_view word) {
  std::vector<std::string_view> names;
  std::string all;
  for (const Word& one : kWords) {
    names.push_back(one.name);
    all.append(all.empty() ? "" : ", ").append(one.name);
  }
  const std::string_view nearest = Nearest(word, names);
  return Error::Invalid("the template " + template_name + " has no setting \"" + std::string(word) +
                        "\"")
      .WithRemedy(nearest.empty() ? "write " + all : "did you mean " + std::string(nearest) + "?");
}

const Word* FindWord(std::string_view name) {
  const auto* const found = std::ranges::find(kWords, name, &Word::name);
  return found == kWords.end() ? nullptr : found;
}

}  // namespace

// Names of templates may have dots: the word is what is behind the last ".network.".
Result<TemplateWord> ParseTemplateWord(std::string_view text) {
  constexpr std::string_view kNetwork = ".network.";
  size_t dot = text.rfind(kNetwork);
  if (dot == std::string_view::npos) dot = text.find('.');
  if (dot == std::string_view::npos || dot == 0) {
    return Failure(Error::Invalid("\"" + std::string(text) + "\" is no setting of a template")
                       .WithRemedy("as in host.network.mode"));
  }
  const std::string name(text.substr(0, dot));
  TRY(templates::CheckTemplateName(name));
  const Word* const word = FindWord(text.substr(dot + 1));
  if (word == nullptr) return Failure(NoSuchWord(name, text.substr(dot + 1)));
  return TemplateWord{.template_name = name, .name = word->name, .list = word->list};
}

Result<std::map<std::string, NetworkSpec>> ParseTemplates(const std::vector<std::string>& lines) {
  std::map<std::string, NetworkSpec> templates;
  std::set<std::pair<std::string, std::string_view>> seen;
  for (const std::string& line : lines) {
    const size_t equals = line.find('=');
    if (equals == std::string::npos) {
      return Failure(Error::Invalid("\"" + line + "\" has no value")
                         .WithRemedy("as in host.network.mode=allow"));
    }
    const std::string where = line.substr(0, equals);
    const TemplateWord word = TRY(ParseTemplateWord(where));
    if (!seen.emplace(word.template_name, word.name).second && !word.list)
      return Failure(Error::Invalid(where + " is said twice"));
    NetworkSpec& spec = templates[word.template_name];
    spec.said = true;
    if (auto put = FindWord(word.name)->put(spec, line.substr(equals + 1)); !put)
      return Failure(std::move(put).error().WithContext(where));
  }
  // As a create: rules without a mode are allowed.
  for (auto& [name, spec] : templates) {
    if (!seen.contains({name, "network.mode"}) && spec.policy.names_some())
      spec.policy.mode = network::Mode::kAllow;
  }
  return templates;
}

}  // namespace cay::config
