// Fields of pushes, each once (base/field.h). Made of these lists: the API's reader and writers,
// and its schemas. What proves who asks is in what is asked for, and in no answer.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "base/field.h"
#include "sandbox/fields.h"
#include "sandbox/templates/push_types.h"
#include "template/registry/rules/credentials.h"

namespace cay::sandbox::fields {

struct PushSpec {
  static constexpr std::string_view kSchema = "PushSpec";
  static void Of(auto& spec, auto& visit) {
    constexpr size_t kMost = templates::registry::Credentials::kMaxBytes;
    visit(About{.name = "image",
                .text = "where to: a reference with a tag (left out of it: latest) and no digest",
                .needed = true},
          field::Text{
              .max_bytes = 512, .min_length = 1, .example = "registry.example:5000/team/app:1.3"},
          spec.image);
    visit(About{.name = "compression", .text = "of the layers: gzip, zstd or none; left out: gzip"},
          field::Text{.max_bytes = 16, .pattern = "^(gzip|zstd|none)?$", .example = "zstd"},
          spec.compression);
    visit(About{.name = "username",
                .text = "who asks the registry, in this push alone. Never kept, and shown never"},
          field::Text{.max_bytes = kMost}, spec.username);
    visit(About{.name = "password", .text = "goes with username"}, field::Text{.max_bytes = kMost},
          spec.password);
    visit(About{.name = "identity_token", .text = "OAuth 2's refresh token, instead of a password"},
          field::Text{.max_bytes = kMost}, spec.identity_token);
  }
};

struct PushedLayer {
  static constexpr std::string_view kSchema = "PushedLayer";
  static void Of(const sandbox::PushedLayer& layer, auto& visit) {
    visit(About{"digest"}, field::Text{}, layer.digest);
    visit(About{.name = "done", .text = "bytes that were sent, or that the registry has"},
          field::Number{}, layer.done);
    visit(About{"size"}, field::Number{}, layer.size);
    visit(About{.name = "was_there", .text = "the registry had it: nothing of it was sent"},
          field::Flag{}, layer.was_there);
  }
};

// A PushView.
struct Push {
  static constexpr std::string_view kSchema = "Push";
  static void Of(const PushView& push, auto& visit) {
    visit(About{"id"}, field::Text{}, push.id);
    visit(About{"template"}, field::Text{}, push.name);
    visit(About{"image"}, field::Text{}, push.image);
    visit(About{"owner"}, field::Text{}, push.owner);
    visit(
        About{.name = "state",
              .text = "interrupted: the server ended meanwhile; the same again does not send what "
                      "the registry has"},
        field::Word{.words = kStates}, PushStateName(push.state));
    visit(About{.name = "packed", .text = "bytes of content, before anything is sent"},
          field::Number{}, push.packed);
    visit(About{.name = "layers", .text = "those whose turn has come"},
          field::Objects<PushedLayer>{}, push.layers);
    visit(About{.name = "sent", .text = "bytes of layers that the registry had not"},
          field::Number{}, push.sent);
    visit(About{.name = "digest", .text = "of its manifest, once it is done"}, field::Text{},
          push.digest);
    visit(About{"asked_at"}, field::Time{}, push.asked_unix_ms);
    visit(About{"ended_at"}, field::Time{}, push.ended_unix_ms);
    visit(About{.name = "error_code", .text = "of one that failed, as of a problem document"},
          field::Text{}, push.error ? ErrorCodeName(push.error->code()) : std::string_view());
    visit(About{.name = "error", .text = "in words"}, field::Text{},
          push.error ? std::string_view(push.error->message()) : std::string_view());
  }

 private:
  static constexpr std::array<std::string_view, kPushStates> kStates = {
      "waiting", "pushing", "done", "failed", "cancelled", "interrupted"};
};

struct PushList {
  static constexpr std::string_view kSchema = "PushList";
  static void Of(const std::vector<PushView>& all, auto& visit) {
    visit(About{"pushes"}, field::Objects<Push>{}, all);
  }
};

}  // namespace cay::sandbox::fields
