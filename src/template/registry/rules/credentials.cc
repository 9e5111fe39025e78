#include "template/registry/rules/credentials.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/encoding.h"
#include "base/os/file.h"
#include "base/text.h"
#include "json/json_fields.h"
#include "template/oci/image_reference.h"

namespace cay::templates::registry {
namespace {

constexpr size_t kMaxEntries = 1024;

Error BadFile(std::string_view why) {
  return Error::Invalid("the registries' credentials (config.json) cannot be read: " +
                        std::string(why));
}

bool HasControl(std::string_view text) {
  return std::ranges::any_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

// Docker's registry as `auths` names it: the address of its predecessor.
std::string KeyOf(std::string_view registry) {
  if (registry == oci::kDefaultDomain) return "https://index." + std::string(registry) + "/v1/";
  return std::string(registry);
}

// The server of a key: "https://registry.example/v2/" is "registry.example".
std::string_view HostOfKey(std::string_view key) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (key.starts_with(scheme)) key.remove_prefix(scheme.size());
  }
  return key.substr(0, key.find('/'));
}

template <class Map>
auto FindEntry(const Map& map, std::string_view registry) {
  const std::string key = KeyOf(registry);
  const auto exact = map.find(key);
  if (exact != map.end()) return exact;
  const std::string_view host = HostOfKey(key);
  const auto is_meant = [&](const auto& entry) {
    return HostOfKey(entry.first) == registry || HostOfKey(entry.first) == host;
  };
  return std::ranges::find_if(map, is_meant);
}

// The parser's words quote nothing of the text but numbers of bytes.
Result<std::string> TextOf(JsonFields& fields, std::string_view name) {
  auto text = fields.String(name, Credentials::kMaxBytes);
  if (!text) return Failure(BadFile("\"" + std::string(name) + "\" of an entry is no such text"));
  return std::move(*text).value_or("");
}

Result<void> DecodeAuth(const std::string& auth, Credentials& credentials) {
  auto decoded = DecodeBase64(auth);
  const size_t colon = decoded ? decoded->find(':') : std::string::npos;
  if (colon == std::string::npos) {
    if (decoded) Wipe(*decoded);
    return Failure(BadFile("an \"auth\" is not the base64 of USER:PASSWORD"));
  }
  credentials.username = decoded->substr(0, colon);
  credentials.password = decoded->substr(colon + 1);
  // Docker ends passwords at NUL bytes that some programs wrote after them.
  credentials.password.resize(credentials.password.find_last_not_of('\0') + 1);
  Wipe(*decoded);
  return {};
}

Result<Credentials> DecodeEntry(const JsonMember& member) {
  JsonFields fields = TRY(JsonFields::Of(member.value));
  Credentials credentials;
  credentials.username = TRY(TextOf(fields, "username"));
  credentials.password = TRY(TextOf(fields, "password"));
  credentials.identity_token = TRY(TextOf(fields, "identitytoken"));
  std::string auth = TRY(TextOf(fields, "auth"));
  const auto decoded = auth.empty() ? Result<void>() : DecodeAuth(auth, credentials);
  Wipe(auth);
  TRY(decoded);
  return credentials;
}

void WipeStrings(JsonValue& value) {
  if (auto* text = std::get_if<std::string>(&value.value)) {
    Wipe(*text);
  } else if (auto* object = std::get_if<JsonValue::Object>(&value.value)) {
    for (JsonMember& member : *object) WipeStrings(member.value);
  } else if (auto* array = std::get_if<JsonValue::Array>(&value.value)) {
    for (JsonValue& one : *array) WipeStrings(one);
  }
}

}  // namespace

Credentials::Credentials(Credentials&& other) noexcept
    : username(std::move(other.username)),
      password(std::move(other.password)),
      identity_token(std::move(other.identity_token)) {
  // A short string is copied by a move, and left as it was.
  Wipe(other.password);
  Wipe(other.identity_token);
}

Credentials& Credentials::operator=(Credentials&& other) noexcept {
  if (this == &other) return *this;
  std::swap(username, other.username);
  std::swap(password, other.password);
  std::swap(identity_token, other.identity_token);
  return *this;
}

Credentials::~Credentials() {
  Wipe(password);
  Wipe(identity_token);
}

Result<void> Credentials::Check() const {
  if (username.empty() && password.empty() && identity_token.empty())
    return Failure(Error::Invalid("the credentials of a registry are empty"));
  for (const std::string* text : {&username, &password, &identity_token}) {
    if (text->size() > kMaxBytes)
      return Failure(Error::Invalid("the credentials of a registry have more than 16 KiB"));
    if (HasControl(*text))
      return Failure(Error::Invalid("the credentials of a registry have a control character"));
  }
  if (username.contains(':'))
    return Failure(Error::Invalid("the name of a registry's user has a ':'"));
  return {};
}

std::string Credentials::BasicField() const {
  std::string plain = username + ":" + password;
  std::string field = "Basic " + EncodeBase64(plain);
  Wipe(plain);
  return field;
}

Result<CredentialStore> CredentialStore::Load(const std::string& path) {
  auto text = ReadFile(path, kMaxFile);
  if (!text) {
    if (text.error().sys_errno() == ENOENT) return CredentialStore();
    return Failure(std::move(text).error().WithContext("the registries' credentials"));
  }
  auto store = Parse(*text);
  Wipe(*text);
  return store;
}

Result<CredentialStore> CredentialStore::Parse(std::string_view json) {
  auto document = ParseJson(json);
  if (!document) return Failure(BadFile(document.error().message()));
  struct Wiper {
    JsonValue& value;
    ~Wiper() { WipeStrings(value); }
  } const wiper{*document};
  if (document->AsObject() == nullptr) return Failure(BadFile("it is no object"));
  CredentialStore store;
  for (const JsonMember& member : *document->AsObject()) {
    const bool is_auths = member.name == "auths";
    const bool is_helpers = member.name == "credHelpers";
    if (member.name == "credsStore" && member.value.AsString() != nullptr)
      store.store_ = *member.value.AsString();
    if ((!is_auths && !is_helpers) || member.value.is_null()) continue;
    const auto* object = member.value.AsObject();
    if (object == nullptr) return Failure(BadFile("\"" + member.name + "\" is no object"));
    if (object->size() > kMaxEntries)
      return Failure(BadFile("\"" + member.name + "\" has more than 1024 entries"));
    for (const JsonMember& entry : *object) {
      if (is_helpers) {
        if (entry.value.AsString() != nullptr) store.helpers_[entry.name] = *entry.value.AsString();
        continue;
      }
      auto credentials = DecodeEntry(entry);
      if (!credentials) return Failure(std::move(credentials).error());
      // An entry without anything says that a program has it.
      if (credentials->username.empty() && credentials->password.empty() &&
          credentials->identity_token.empty())
        continue;
      if (const auto good = credentials->Check(); !good)
        return Failure(BadFile(good.error().message()));
      store.entries_.insert_or_assign(entry.name, *std::move(credentials));
    }
  }
  return store;
}

std::optional<Credentials> CredentialStore::Find(std::string_view registry) const {
  const auto found = FindEntry(entries_, registry);
  if (found == entries_.end()) return std::nullopt;
  return found->second;
}

std::string CredentialStore::HelperOf(std::string_view registry) const {
  const auto found = FindEntry(helpers_, registry);
  const std::string& name = found == helpers_.end() ? store_ : found->second;
  // It is shown to people: a name of a program has nothing else.
  const bool is_plain = !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
  return is_plain ? "docker-credential-" + name : std::string();
}

}  // namespace cay::templates::registry
