// Fields of secrets, each once (base/field.h). Made of these lists: the API's readers and writers,
// and its schemas. A value is in what is asked for, and in no answer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/field.h"
#include "sandbox/fields.h"
#include "sandbox/secrets/secret_book.h"

namespace cay::sandbox::fields {

// A network::Secret and its variable, as they are asked for.
struct AskedSecret {
  network::Secret secret{};
  std::string variable{};
};
struct SecretSpec {
  static constexpr std::string_view kSchema = "SecretSpec";
  static void Of(auto& spec, auto& visit) {
    using network::Secret;
    visit(About{.name = "value", .text = "sent, and shown never", .needed = true},
          field::Text{.max_bytes = Secret::kMaxValue,
                      .pattern = "^[!-~]([ -~]*[!-~])?$",
                      .min_length = 1,
                      .max_length = Secret::kMaxValue},
          spec.secret.value);
    visit(About{.name = "hosts",
                .text = "to which it is sent: names, with a port where it is not 443",
                .needed = true},
          field::Texts{.pattern = "^[A-Za-z0-9._-]+(:[0-9]{1,5})?$",
                       .max_length = Secret::kMaxHost,
                       .min = 1,
                       .max = Secret::kMaxHosts},
          spec.secret.hosts);
    visit(About{.name = "header", .text = "the only one that carries it; left out: any"},
          field::Text{.max_bytes = Secret::kMaxHeader,
                      .pattern = "^[!#$%&'*+.^_`|~0-9A-Za-z-]*$",
                      .max_length = Secret::kMaxHeader},
          spec.secret.header);
    visit(
        About{.name = "format",
              .text = "what that header is then, with {} for the value; left out: as it was sent"},
        field::Text{.max_bytes = Secret::kMaxFormat,
                    .pattern = "^[ -~]*$",
                    .max_length = Secret::kMaxFormat},
        spec.secret.format);
    visit(
        About{.name = "env",
              .text = "the variable that has the placeholder; left out: its name in capitals"},
        field::Text{.max_bytes = 128, .pattern = "^([A-Za-z_][A-Za-z0-9_]*)?$", .max_length = 128},
        spec.variable);
  }
};

// A KeptSecret; never its value.
struct Secret {
  static constexpr std::string_view kSchema = "Secret";
  static constexpr std::string_view kText = "a secret that an owner keeps, without its value";
  static void Of(const KeptSecret& kept, auto& visit) {
    visit(About{"name"}, field::Text{}, kept.secret.name);
    visit(About{.name = "owner", .text = "whose sandboxes may name it"}, field::Text{}, kept.owner);
    visit(About{"hosts"}, field::Texts{}, kept.secret.hosts);
    visit(About{.name = "header", .text = "empty: any"}, field::Text{}, kept.secret.header);
    visit(About{.name = "format", .text = "empty: as it was sent"}, field::Text{},
          kept.secret.format);
    visit(About{.name = "env", .text = "the variable that has the placeholder"}, field::Text{},
          kept.variable);
    visit(About{"updated_at"}, field::Time{.always = true}, kept.updated_unix_ms);
  }
};

struct SecretList {
  static constexpr std::string_view kSchema = "SecretList";
  static void Of(const std::vector<KeptSecret>& all, auto& visit) {
    visit(About{"secrets"}, field::Objects<Secret>{}, all);
  }
};

}  // namespace cay::sandbox::fields
