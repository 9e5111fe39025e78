// Fields of pulls, each once (base/field.h). Made of these lists: the API's reader and writers, and
// its schemas.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "base/field.h"
#include "sandbox/fields.h"
#include "sandbox/templates/pull_types.h"

namespace cay::sandbox::fields {

struct PullSpec {
  static constexpr std::string_view kSchema = "PullSpec";
  static void Of(auto& spec, auto& visit) {
    visit(About{.name = "image", .text = "a reference, as it is typed for docker", .needed = true},
          field::Text{.max_bytes = 512, .min_length = 1, .example = "python:3.12-slim"},
          spec.image);
    visit(About{.name = "name", .text = "of the template; left out: the image's own"},
          field::Text{.max_bytes = 256}, spec.name);
    visit(About{.name = "platform", .text = "left out: the server's"},
          field::Text{.max_bytes = 128, .example = "linux/amd64"}, spec.platform);
    visit(About{.name = "replace", .text = "take the place of a template that has \"name\""},
          field::Flag{}, spec.replace);
  }
};

struct PulledLayer {
  static constexpr std::string_view kSchema = "PulledLayer";
  static void Of(const sandbox::PulledLayer& layer, auto& visit) {
    visit(About{"digest"}, field::Text{}, layer.digest);
    visit(About{.name = "done", .text = "bytes that were fetched"}, field::Number{}, layer.done);
    visit(About{"size"}, field::Number{}, layer.size);
  }
};

// A PullView.
struct Pull {
  static constexpr std::string_view kSchema = "Pull";
  static void Of(const PullView& pull, auto& visit) {
    visit(About{"id"}, field::Text{}, pull.id);
    visit(About{"image"}, field::Text{}, pull.image);
    visit(About{.name = "template", .text = "that it becomes"}, field::Text{}, pull.name);
    visit(About{"platform"}, field::Text{}, pull.platform);
    visit(About{.name = "state",
                .text = "interrupted: the server ended meanwhile; the same again goes on"},
          field::Word{.words = kStates}, PullStateName(pull.state));
    visit(About{.name = "layers", .text = "those that were not here"},
          field::Objects<PulledLayer>{}, pull.layers);
    visit(About{.name = "fetched", .text = "bytes of them together"}, field::Number{},
          pull.fetched);
    visit(About{"size"}, field::Number{}, pull.size);
    visit(About{.name = "unpacked", .text = "bytes of content"}, field::Number{}, pull.unpacked);
    visit(About{.name = "digest", .text = "of its manifest, once it is done"}, field::Text{},
          pull.digest);
    visit(About{"asked_at"}, field::Time{}, pull.asked_unix_ms);
    visit(About{"ended_at"}, field::Time{}, pull.ended_unix_ms);
    visit(About{.name = "error_code", .text = "of one that failed, as of a problem document"},
          field::Text{}, pull.error ? ErrorCodeName(pull.error->code()) : std::string_view());
    visit(About{.name = "error", .text = "in words"}, field::Text{},
          pull.error ? std::string_view(pull.error->message()) : std::string_view());
  }

 private:
  static constexpr std::array<std::string_view, kPullStates> kStates = {
      "waiting", "pulling", "done", "failed", "cancelled", "interrupted"};
};

struct PullList {
  static constexpr std::string_view kSchema = "PullList";
  static void Of(const std::vector<PullView>& all, auto& visit) {
    visit(About{"pulls"}, field::Objects<Pull>{}, all);
  }
};

}  // namespace cay::sandbox::fields
