#include "template/registry/authorizer.h"

#include <algorithm>

#include "base/clock.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "json/json_value.h"

namespace cay::templates::registry {
namespace {

constexpr std::string_view kClientId = "cay";

// application/x-www-form-urlencoded, which is good in a query, too.
void AddField(std::string& form, std::string_view name, std::string_view value) {
  constexpr std::string_view kPlain = "-._~";
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  if (!form.empty()) form += '&';
  form += name;
  form += '=';
  for (const char c : value) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || kPlain.contains(c);
    const auto byte = static_cast<unsigned char>(c);
    if (is_plain) {
      form += c;
    } else {
      form += {'%', kDigits[byte >> 4U], kDigits[byte & 0xfU]};
    }
  }
}

const JsonValue* FindMember(const JsonValue& object, std::string_view name) {
  const auto* members = object.AsObject();
  if (members == nullptr) return nullptr;
  const auto found = std::ranges::find(*members, name, &JsonMember::name);
  return found == members->end() ? nullptr : &found->value;
}

// RFC 6750, 2.1: a token68.
bool IsToken(const std::string& text) {
  constexpr std::string_view kOthers = "-._~+/=";
  return !text.empty() && text.size() <= Authorizer::kMaxTokenBytes &&
         std::ranges::all_of(text, [&](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  kOthers.contains(c);
         });
}

struct Token {
  std::string text;
  Millis life;
};

Result<Token> ReadToken(const std::string& body, const std::string& who) {
  const auto bad = [&](std::string_view why) {
    return Failure(Error(ErrorCode::kProtocol, Fault::kMachine,
                         who + " gave no token that can be used: " + std::string(why)));
  };
  // The parser's own words could have a part of the token.
  const auto document = ParseJson(body);
  if (!document) return bad("its answer is no JSON");
  const JsonValue* member = FindMember(*document, "token");
  if (member == nullptr || member->AsString() == nullptr || member->AsString()->empty())
    member = FindMember(*document, "access_token");
  if (member == nullptr || member->AsString() == nullptr) return bad("its answer has none");
  Token token{.text = *member->AsString(), .life = Authorizer::kShortestLife};
  if (!IsToken(token.text)) return bad("it is longer than 32 KiB, or no text of RFC 6750");
  const JsonValue* life = FindMember(*document, "expires_in");
  const auto* seconds = life == nullptr ? nullptr : std::get_if<int64_t>(&life->value);
  if (seconds != nullptr) {
    const int64_t longest = Authorizer::kLongestLife.count() / 1000;
    token.life = std::max(token.life, Millis(std::clamp<int64_t>(*seconds, 0, longest) * 1000));
  }
  return token;
}

}  // namespace

Authorizer::~Authorizer() {
  for (auto& [key, held] : held_) Wipe(held.field);
}

std::optional<Credentials> Authorizer::CredentialsOf(const Asker& asker) const {
  // A mirror is somebody else: what a caller gives is for the registry it names.
  if (!asker.endpoint.is_mirror && asker.call.credentials) return asker.call.credentials;
  return store_.Find(asker.endpoint.domain);
}

Result<std::string> Authorizer::KeyOf(const Asker& asker) const {
  std::string key = asker.origin + ' ' + asker.scope + ' ';
  const auto credentials = CredentialsOf(asker);
  if (!credentials) return key;
  std::string all =
      credentials->username + '\n' + credentials->password + '\n' + credentials->identity_token;
  const auto digest = Sha256Hex(all);
  Wipe(all);
  return key + TRY(digest);
}

Result<std::string> Authorizer::FieldFor(const Asker& asker) {
  const std::string key = TRY(KeyOf(asker));
  const std::lock_guard lock(mutex_);
  const auto found = held_.find(key);
  if (found == held_.end()) return std::string();
  if (found->second.until_ms > SteadyMs()) return found->second.field;
  Wipe(found->second.field);
  held_.erase(found);
  return std::string();
}

void Authorizer::Hold(std::string key, Held held) {
  const std::lock_guard lock(mutex_);
  if (held_.size() >= kMaxTokens && !held_.contains(key)) {
    const auto oldest = std::ranges::min_element(
        held_, {}, [](const auto& entry) { return entry.second.until_ms; });
    Wipe(oldest->second.field);
    held_.erase(oldest);
  }
  Held& place = held_[std::move(key)];
  Wipe(place.field);
  place = std::move(held);
}

Error Authorizer::Refused(const Asker& asker, std::string_view what) const {
  const std::string name = asker.endpoint.Name();
  const auto credentials = CredentialsOf(asker);
  const std::string helper = credentials ? std::string() : store_.HelperOf(asker.endpoint.domain);
  std::string message = "the registry " + name + " " + std::string(what);
  message += credentials ? " with the credentials that it was shown" : " without credentials";
  if (!helper.empty()) {
    message +=
        "; those that config.json names are kept by the program " + helper + ", which is never run";
  }
  return Error(ErrorCode::kPermissionDenied, Fault::kCaller, std::move(message))
      .WithRemedy(credentials ? "look whether the image's name is right, and who may have it"
                              : "give a user name and a password, or have them in \"auths\" of "
                                "config.json, if the image's name is right");
}

Result<http::Location> Authorizer::RealmOf(const Asker& asker, const Challenge& challenge) const {
  const std::string who = "the registry " + asker.endpoint.Name();
  auto realm = http::Location::Parse(challenge.Parameter("realm"));
  if (!realm) {
    return Failure(Error(ErrorCode::kProtocol, Fault::kMachine,
                         who + " sends for a token to what is no address of a server"));
  }
  if (realm->url.scheme != "https" && !rules_.MayBeInsecure(realm->url.host, realm->url.port)) {
    return Failure(Error(ErrorCode::kPermissionDenied, Fault::kMachine,
                         who + " sends for a token to " + realm->Origin() +
                             ", where everybody on the way could read it")
                       .WithRemedy("an administrator can name it as insecure"));
  }
  return *std::move(realm);
}

Result<Authorizer::Held> Authorizer::FetchToken(const Asker& asker, const Challenge& challenge,
                                                const std::optional<Credentials>& credentials) {
  http::Location where = TRY(RealmOf(asker, challenge));
  const std::string service = challenge.Parameter("service");
  const std::string asked = challenge.Parameter("scope");
  const std::string scope = asked.empty() ? asker.scope : asked;
  const bool has_refresh_token = credentials && !credentials->identity_token.empty();
  http::ClientRequest request{.stop_fd = asker.call.stop_fd};
  std::string form;
  if (!service.empty()) AddField(form, "service", service);
  if (has_refresh_token) {
    AddField(form, "scope", scope);
    AddField(form, "client_id", kClientId);
    AddField(form, "grant_type", "refresh_token");
    AddField(form, "refresh_token", credentials->identity_token);
    request.method = "POST";
    request.headers.Set("Content-Type", "application/x-www-form-urlencoded");
    request.body = form;
  } else {
    for (const std::string_view one : Split(scope, ' ')) {
      if (!one.empty()) AddField(form, "scope", one);
    }
    if (credentials) {
      AddField(form, "account", credentials->username);
      request.headers.Set("Authorization", credentials->BasicField());
    }
    where.target += (where.target.contains('?') ? '&' : '?') + form;
  }
  auto answer = connections_.Send(where, request);
  Wipe(form);
  Wipe(request.body);
  request.headers.WipeAll("Authorization");
  if (!answer) {
    return Failure(std::move(answer).error().WithContext("getting a token for the registry " +
                                                         asker.endpoint.Name()));
  }
  const int status = (*answer)->status();
  const std::string who =
      where.Origin() + ", which gives tokens for the registry " + asker.endpoint.Name() + ",";
  if (status == 400 || status == 401 || status == 403)
    return Failure(Refused(asker, "gives no token for it"));
  if (status != 200) {
    const bool may_pass = status == 429 || status >= 500;
    return Failure(Error(may_pass ? ErrorCode::kUnavailable : ErrorCode::kProtocol, Fault::kMachine,
                         who + " answered " + std::to_string(status)));
  }
  auto body = (*answer)->ReadAll(kMaxAnswerBytes);
  if (!body) return Failure(std::move(body).error().WithContext(who));
  auto token = ReadToken(*body, who);
  Wipe(*body);
  if (!token) return Failure(std::move(token).error());
  // So that it does not expire on its way.
  const Millis margin = token->life / 10;
  Held held{.field = "Bearer " + token->text,
            .until_ms = SteadyMs() + (token->life - margin).count()};
  Wipe(token->text);
  return held;
}

Result<void> Authorizer::Answer(const Asker& asker, const http::Headers& refusal) {
  auto challenges = ChallengesOf(refusal);
  if (!challenges) return Failure(std::move(challenges).error().WithContext(asker.endpoint.Name()));
  const auto credentials = CredentialsOf(asker);
  if (credentials) TRY(credentials->Check());
  if (const Challenge* bearer = FindChallenge(*challenges, "bearer")) {
    Hold(TRY(KeyOf(asker)), TRY(FetchToken(asker, *bearer, credentials)));
    return {};
  }
  if (FindChallenge(*challenges, "basic") != nullptr) {
    if (!credentials || (credentials->password.empty() && credentials->username.empty()))
      return Failure(Refused(asker, "gives nothing"));
    Hold(TRY(KeyOf(asker)),
         {.field = credentials->BasicField(), .until_ms = SteadyMs() + kLongestLife.count()});
    return {};
  }
  return Failure(Error(ErrorCode::kNotSupported, Fault::kMachine,
                       "the registry " + asker.endpoint.Name() +
                           " asks for credentials in another way than Bearer or Basic"));
}

}  // namespace cay::templates::registry
