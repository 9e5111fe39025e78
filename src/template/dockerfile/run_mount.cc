#include "template/dockerfile/run_mount.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "archive/safe_path.h"
#include "base/text.h"
#include "template/dockerfile/patterns/glob.h"
#include "template/dockerfile/words.h"

namespace cay::templates::dockerfile {
namespace {

using Type = RunMount::Type;
using Sharing = RunMount::Sharing;

std::string Quoted(std::string_view text) { return "\"" + archive::Printable(text) + "\""; }

// Fields between commas; one in quotes may have commas, and "" for a quote (RFC 4180).
Result<std::vector<std::string>> SplitFields(std::string_view text) {
  std::vector<std::string> fields;
  while (true) {
    std::string field;
    if (text.starts_with('"')) {
      text.remove_prefix(1);
      while (!text.empty() && (text.front() != '"' || text.starts_with("\"\""))) {
        if (text.front() == '"') text.remove_prefix(1);
        field += text.front();
        text.remove_prefix(1);
      }
      if (text.empty()) return Failure(Error::Invalid("a quote (\") is without the matching one"));
      text.remove_prefix(1);
      if (!text.empty() && text.front() != ',') {
        return Failure(Error::Invalid("a \",\" has to follow a quoted value"));
      }
    } else {
      field = text.substr(0, text.find(','));
      text.remove_prefix(field.size());
      if (field.contains('"')) {
        return Failure(Error::Invalid("a quote (\") stands in a value that is not quoted"));
      }
    }
    fields.push_back(std::move(field));
    if (text.empty()) return fields;
    text.remove_prefix(1);
  }
}

template <class T, size_t kSize>
Result<T> OneOf(std::string_view key, std::string_view value,
                const std::array<std::pair<std::string_view, T>, kSize>& names) {
  const std::string lower = Lower(value);
  std::vector<std::string_view> known;
  std::string all;
  for (const auto& [name, meaning] : names) {
    if (name == lower) return meaning;
    known.push_back(name);
    all += (all.empty() ? "" : ", ") + std::string(name);
  }
  const std::string meant = DidYouMean(lower, known);
  return Failure(
      Error::Invalid(std::string(key) + " is one of " + all + ", not " + Quoted(value) + meant));
}

Result<uint32_t> Number(std::string_view key, std::string_view value, int base) {
  uint32_t number = 0;
  const char* end = value.data() + value.size();
  const auto [stopped, code] = std::from_chars(value.data(), end, number, base);
  if (code != std::errc() || stopped != end) {
    return Failure(Error::Invalid(std::string(key) + " is " +
                                  (base == 8 ? "an octal" : "a decimal") + " number, not " +
                                  Quoted(value)));
  }
  return number;
}

// Reads the fields of one --mount into a RunMount.
class MountReader {
 public:
  explicit MountReader(RunMount& mount) : mount_(mount) {}

  // A field without "=".
  Result<void> Word(std::string_view key, std::string_view field) {
    if (key == "readonly" || key == "ro") return SetReadOnly(true);
    if (key == "readwrite" || key == "rw") return SetReadOnly(false);
    if (key == "required") return Required(true);
    return Failure(Error::Invalid(Quoted(field) + " has to be KEY=VALUE"));
  }

  Result<void> Value(std::string_view key, const std::string& value) {
    if (key == "type") return Set(mount_.type, OneOf(key, value, kTypes));
    if (key == "from") return Set(mount_.from, Result<std::string>(value));
    if (key == "source" || key == "src") return Set(mount_.source, Result<std::string>(value));
    if (key == "target" || key == "dst" || key == "destination") {
      return Set(mount_.target, Result<std::string>(value));
    }
    if (key == "id") return Set(mount_.id, Result<std::string>(value));
    if (key == "readonly" || key == "ro") return SetReadOnly(TRY(Bool(key, value)));
    if (key == "readwrite" || key == "rw") return SetReadOnly(!TRY(Bool(key, value)));
    if (key == "required") return Required(TRY(Bool(key, value)));
    if (key == "mode") return Set(mount_.mode, Number(key, value, 8));
    if (key == "uid") return Set(mount_.uid, Number(key, value, 10));
    if (key == "gid") return Set(mount_.gid, Number(key, value, 10));
    if (key == "sharing") return Set(sharing_, OneOf(key, value, kSharings));
    if (key == "size") return Size(value);
    if (key == "env") return Environment(value);
    constexpr std::array<std::string_view, 13> kKeys = {
        "type", "from",    "source", "target", "readonly", "readwrite", "required",
        "id",   "sharing", "mode",   "uid",    "gid",      "size"};
    return Failure(Error::Invalid("there is no key " + Quoted(key) + DidYouMean(key, kKeys)));
  }

  Result<void> Finish() {
    if (sharing_ && mount_.type != Type::kCache) return Only("sharing", "caches");
    mount_.sharing = sharing_.value_or(Sharing::kShared);
    const bool is_writable = mount_.type == Type::kCache || mount_.type == Type::kTmpfs;
    mount_.read_only = read_only_.value_or(!is_writable);
    if (mount_.type == Type::kBind || mount_.type == Type::kTmpfs) {
      if (mount_.mode) return Only("mode", "caches, secrets and ssh");
      if (mount_.uid) return Only("uid", "caches, secrets and ssh");
      if (mount_.gid) return Only("gid", "caches, secrets and ssh");
    }
    if (mount_.type == Type::kSecret) return FinishSecret();
    if (mount_.type == Type::kSsh) return {};
    if (mount_.target.empty()) {
      return Failure(Error::Invalid(std::string(RunMountTypeName(mount_.type)) +
                                    " needs a target: target=/PATH"));
    }
    if (CleanPath(mount_.target) == "/") {
      return Failure(Error::Invalid("nothing can be mounted over \"/\""));
    }
    if (mount_.type == Type::kCache && mount_.id.empty()) mount_.id = CleanPath(mount_.target);
    return {};
  }

 private:
  static constexpr std::array<std::pair<std::string_view, Type>, 5> kTypes = {
      {{"bind", Type::kBind},
       {"cache", Type::kCache},
       {"tmpfs", Type::kTmpfs},
       {"secret", Type::kSecret},
       {"ssh", Type::kSsh}}};
  static constexpr std::array<std::pair<std::string_view, Sharing>, 3> kSharings = {
      {{"shared", Sharing::kShared}, {"private", Sharing::kPrivate}, {"locked", Sharing::kLocked}}};

  template <class T, class Found>
  static Result<void> Set(T& member, Result<Found> found) {
    if (!found) return Failure(std::move(found).error());
    member = *std::move(found);
    return {};
  }

  static Result<void> Only(std::string_view key, std::string_view types) {
    return Failure(Error::Invalid(std::string(key) + " is for " + std::string(types) + " only"));
  }
  // Of what is refused when it is read.
  static Result<void> OnlyBehindType(std::string_view key, std::string_view types) {
    return Failure(Error::Invalid(std::string(key) + " is for " + std::string(types) +
                                  " only, and type= has to stand before it"));
  }

  static Result<bool> Bool(std::string_view key, std::string_view value) {
    auto parsed = ParseGoBool(value);
    if (!parsed) return Failure(std::move(parsed).error().WithContext(key));
    return *parsed;
  }

  Result<void> SetReadOnly(bool value) {
    read_only_ = value;
    return {};
  }

  // The type has to be said before.
  Result<void> Required(bool value) {
    if (mount_.type != Type::kSecret && mount_.type != Type::kSsh) {
      return OnlyBehindType("required", "secrets and ssh");
    }
    mount_.required = value;
    return {};
  }

  Result<void> Size(const std::string& value) {
    if (mount_.type != Type::kTmpfs) return OnlyBehindType("size", "tmpfs");
    return Set(mount_.size, ParseBytes(value));
  }

  Result<void> Environment(const std::string& value) {
    if (mount_.type != Type::kSecret) return OnlyBehindType("env", "secrets");
    if (value.empty() || value.contains('=')) {
      return Failure(Error::Invalid("env is the name of a variable, not " + Quoted(value)));
    }
    mount_.environment = value;
    return {};
  }

  Result<void> FinishSecret() {
    if (!mount_.from.empty()) return Only("from", "bind and caches");
    if (!mount_.source.empty() && !mount_.id.empty()) {
      return Failure(Error::Invalid("a secret has an id or a source (its other name), not both"));
    }
    if (mount_.id.empty()) mount_.id = std::exchange(mount_.source, {});
    const auto last = [](const std::string& path) {
      return CleanPath(path).substr(CleanPath(path).rfind('/') + 1);
    };
    if (mount_.id.empty() && mount_.target.empty()) {
      return Failure(Error::Invalid("a secret needs an id: id=NAME"));
    }
    if (mount_.id.empty()) mount_.id = last(mount_.target);
    if (mount_.target.empty() && mount_.environment.empty()) {
      mount_.target = "/run/secrets/" + last(mount_.id);
    }
    return {};
  }

  RunMount& mount_;
  std::optional<bool> read_only_{};
  std::optional<Sharing> sharing_{};
};

struct Field {
  std::string key;
  std::optional<std::string_view> value;
};

Field SplitField(std::string_view field) {
  const size_t equals = field.find('=');
  if (equals == std::string_view::npos) return {.key = Lower(field), .value = std::nullopt};
  return {.key = Lower(field.substr(0, equals)), .value = field.substr(equals + 1)};
}

}  // namespace

Result<RunMount> ReadMount(std::string text,
                           const std::function<Result<std::string>(std::string_view)>& expand) {
  RunMount mount;
  MountReader reader(mount);
  for (const std::string& field : TRY(SplitFields(text))) {
    const Field split = SplitField(field);
    if (!split.value) {
      TRY(reader.Word(split.key, field));
      continue;
    }
    const std::string value = TRY(expand(*split.value));
    TRY(reader.Value(split.key, value));
  }
  TRY(reader.Finish());
  mount.text = std::move(text);
  mount.is_read = true;
  return mount;
}

Result<RunMount> ParseMount(std::string text) {
  RunMount mount;
  for (const std::string& field : TRY(SplitFields(text))) {
    const Field split = SplitField(field);
    if (split.key != "from" || !split.value) continue;
    if (split.value->contains('$')) {
      return Failure(Error::Invalid(
          "variables are not replaced in from=: give the image a stage of its own, \"FROM " +
          archive::Printable(*split.value) + " AS NAME\""));
    }
    mount.from = *split.value;
  }
  if (text.find_first_of("$'\"\\`") == std::string::npos) {
    return ReadMount(std::move(text),
                     [](std::string_view value) { return Result<std::string>(value); });
  }
  mount.text = std::move(text);
  return mount;
}

}  // namespace cay::templates::dockerfile
