#include "api/rest/sandboxes/network_json.h"

#include <algorithm>
#include <string>
#include <utility>

#include "json/field_reader.h"
#include "sandbox/fields.h"

namespace cay::api::rest {
namespace {

using network::Mode;
using sandbox::NetworkSpec;

constexpr size_t kMaxWord = 4096;

class LimitsReader : public FieldReader {
 public:
  using FieldReader::FieldReader;
  template <class Kind, class T>
  void operator()(const About& about, const Kind& kind, T& member) {
    Read([&](JsonFields& fields) -> Result<void> {
      if (fields.Find(about.name) != nullptr) said_ |= 1U << next_;
      ++next_;
      return {};
    });
    ReadOne(about, kind, member);
  }
  uint32_t said() const { return said_; }

 private:
  template <class Kind, class T>
  void ReadOne(const About& about, const Kind& kind, T& member) {
    FieldReader::operator()(about, kind, member);
  }
  void ReadOne(const About& about, const field::Duration& /*kind*/, uint32_t& seconds) {
    Read([&](JsonFields& fields) { return ReadSeconds(fields, about.name, seconds); });
  }
  static Result<void> ReadSeconds(JsonFields& fields, std::string_view name, uint32_t& seconds) {
    const auto time = TRY(fields.Duration(name));
    if (!time) return {};
    if (time->count() % 1000 == 0 && time->count() / 1000 <= UINT32_MAX) {
      seconds = static_cast<uint32_t>(time->count() / 1000);
      return {};
    }
    return Failure(Error::Impossible(fields.PathOf(name) + " is not whole seconds"));
  }

  uint32_t next_ = 0;
  uint32_t said_ = 0;
};

// Which of them were said.
Result<uint32_t> ReadLimits(const JsonValue& value, std::string where,
                            network::NetworkLimits& limits) {
  auto fields = TRY(JsonFields::Of(value, std::move(where)));
  LimitsReader reader(fields);
  sandbox::fields::NetworkLimits::Of(limits, reader);
  TRY(reader.Finish());
  return reader.said();
}

class NetworkReader : public FieldReader {
 public:
  using FieldReader::FieldReader;
  using FieldReader::operator();
  void operator()(const About& about, const field::Word&, Mode& mode) {
    Read([&](JsonFields& fields) -> Result<void> {
      const auto word = TRY(fields.String(about.name, kMaxWord));
      if (!word) return {};
      auto named = network::ParseMode(*word);
      if (!named) return Failure(fields.Wrong(about.name, named.error()));
      mode = *named;
      said_ = true;
      return {};
    });
  }
  void operator()(const About& about, const field::Word&, network::DnsMode& mode) {
    Read([&](JsonFields& fields) -> Result<void> {
      const auto word = TRY(fields.String(about.name, kMaxWord));
      if (!word) return {};
      auto named = network::ParseDnsMode(*word);
      if (!named) return Failure(fields.Wrong(about.name, named.error()));
      mode = *named;
      return {};
    });
  }
  void operator()(const About& about, field::Object<sandbox::fields::NetworkLimits>,
                  network::NetworkLimits& limits) {
    Read([&](JsonFields& fields) -> Result<void> {
      const JsonValue* const value = fields.Find(about.name);
      if (value != nullptr)
        said_limits_ = TRY(ReadLimits(*value, "network." + std::string(about.name), limits));
      return {};
    });
  }
  bool said_mode() const { return said_; }
  uint32_t said_limits() const { return said_limits_; }

 private:
  bool said_ = false;
  uint32_t said_limits_ = 0;
};

// "none", "open", or names of presets.
Result<NetworkSpec> OfText(std::string_view text) {
  NetworkSpec spec{.said = true};
  if (const auto mode = network::ParseMode(text); mode && *mode != Mode::kAllow) {
    spec.policy.mode = *mode;
    return spec;
  }
  spec.policy.mode = Mode::kAllow;
  for (std::string_view rest = text; !rest.empty();) {
    const size_t end = std::min(rest.find(','), rest.size());
    spec.policy.presets.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (!spec.policy.presets.empty()) return spec;
  return Failure(Error::Invalid("\"network\" is empty")
                     .WithRemedy("write \"none\", \"open\", or names of presets, as in "
                                 "\"pypi,npm\"; or an object with mode, allow, deny, presets and "
                                 "limits"));
}

}  // namespace

Result<std::optional<NetworkSpec>> ReadNetwork(JsonFields& fields, std::string_view name) {
  const JsonValue* const value = fields.Find(name);
  if (value == nullptr) return std::nullopt;
  if (value->AsString() != nullptr) {
    const auto text = TRY(fields.String(name, kMaxWord));
    return OfText(text.value_or(std::string()));
  }
  auto members = TRY(JsonFields::Of(*value, std::string(name)));
  NetworkSpec spec{.said = true};
  NetworkReader reader(members);
  sandbox::fields::Network::Of(spec, reader);
  TRY(reader.Finish());
  spec.said_limits = reader.said_limits();
  if (!reader.said_mode() && spec.policy.names_some()) spec.policy.mode = Mode::kAllow;
  return spec;
}

}  // namespace cay::api::rest
