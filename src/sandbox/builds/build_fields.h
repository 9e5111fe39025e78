// Fields of builds, each once (base/field.h). Made of these lists: the API's reader and writers,
// and its schemas.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/field.h"
#include "build/stages/build.h"
#include "sandbox/builds/build_types.h"
#include "sandbox/fields.h"

namespace cay::sandbox::fields {

struct BuildSpec {
  static constexpr std::string_view kSchema = "BuildSpec";
  static void Of(auto& spec, auto& visit) {
    visit(About{.name = "names",
                .text = "of the template; each takes the place of what has it. Without a key of "
                        "scope admin they are short, and of templates of the caller's own"},
          field::Texts{.max_length = 256, .max = sandbox::BuildSpec::kMaxNames}, spec.names);
    visit(About{.name = "dockerfile", .text = "a path in the context; left out: Dockerfile"},
          field::Text{.max_bytes = 4096, .example = "docker/Dockerfile"}, spec.dockerfile);
    visit(About{.name = "file_name", .text = "of it, in messages; left out: its path"},
          field::Text{.max_bytes = 4096}, spec.file_name);
    visit(About{.name = "target", .text = "the stage that is built; left out: the last"},
          field::Text{.max_bytes = 256}, spec.target);
    visit(About{.name = "args", .text = "what ARG has"},
          field::Strings{.values = field::kWithoutNul}, spec.args);
    visit(About{.name = "labels", .text = "beside those of the Dockerfile"},
          field::Strings{.values = field::kWithoutNul}, spec.labels);
    visit(About{.name = "secrets",
                .text = "for RUN --mount=type=secret, by their ids: at most 512 KiB each. They are "
                        "never kept, and are in no layer"},
          field::Strings{.max = sandbox::BuildSpec::kMaxSecrets, .bytes = true}, spec.secrets);
    visit(About{.name = "platform", .text = "left out: the server's"},
          field::Text{.max_bytes = 128, .example = "linux/amd64"}, spec.platform);
    visit(About{.name = "no_cache", .text = "do every step again"}, field::Flag{}, spec.no_cache);
    visit(About{.name = "pull",
                .text = "look again in their registries what the images of FROM are now, which is "
                        "for administrators"},
          field::Flag{}, spec.pull);
    visit(About{.name = "network", .text = "of its steps; left out: none"},
          field::Own{.schema = "NetworkAsked"}, spec.network);
  }
};

// A BuiltTemplate.
struct BuiltTemplate {
  static constexpr std::string_view kSchema = "BuiltTemplate";
  static void Of(const sandbox::BuiltTemplate& made, auto& visit) {
    visit(About{"name"}, field::Text{}, made.name);
    visit(About{"size"}, field::Number{}, made.size);
  }
};

// A FailedStep.
struct FailedStep {
  static constexpr std::string_view kSchema = "FailedStep";
  static void Of(const sandbox::FailedStep& failed, auto& visit) {
    visit(About{.name = "instruction", .text = "as far as it is short"}, field::Text{},
          failed.step);
    visit(About{"stage"}, field::Text{}, failed.stage);
    visit(About{.name = "line", .text = "of the Dockerfile; 0: of an image's ONBUILD"},
          field::Number{}, failed.line);
    visit(About{"exit_code"}, field::Number{}, failed.exit_code);
    visit(About{.name = "signal", .text = "that ended it; 0: none"}, field::Number{},
          failed.signal);
    visit(About{"timed_out"}, field::Flag{}, failed.timed_out);
    visit(About{"oom_killed"}, field::Flag{}, failed.oom_killed);
    visit(About{.name = "disk_full", .text = "of its sandbox"}, field::Flag{}, failed.disk_full);
    visit(About{.name = "output", .text = "the end of what it wrote, of both streams"},
          field::Text{}, failed.output_end);
  }
};

// A BuildView.
struct Build {
  static constexpr std::string_view kSchema = "Build";
  static void Of(const BuildView& build, auto& visit) {
    visit(About{"id"}, field::Text{}, build.id);
    visit(
        About{.name = "names", .text = "of the template; none: it is named by what it is made of"},
        field::Texts{}, build.names);
    visit(About{"dockerfile"}, field::Text{}, build.dockerfile);
    visit(About{"target"}, field::Text{}, build.target);
    visit(About{"platform"}, field::Text{}, build.platform);
    visit(About{"owner"}, field::Text{}, build.owner);
    visit(About{.name = "state",
                .text = "interrupted: the server ended meanwhile; the same again goes on with the "
                        "steps that were finished"},
          field::Word{.words = kStates}, BuildStateName(build.state));
    visit(About{.name = "events", .text = "the number of the newest"}, field::Number{},
          build.events);
    visit(About{.name = "steps", .text = "that make layers, of one that has ended"},
          field::Number{}, build.steps);
    visit(About{.name = "cached", .text = "of these"}, field::Number{}, build.cached);
    visit(About{.name = "context", .text = "bytes of its files"}, field::Number{}, build.context);
    visit(About{"asked_at"}, field::Time{}, build.asked_unix_ms);
    visit(About{"started_at"}, field::Time{}, build.started_unix_ms);
    visit(About{"ended_at"}, field::Time{}, build.ended_unix_ms);
    visit(About{.name = "templates", .text = "that it made"}, field::Objects<BuiltTemplate>{},
          build.made);
    visit(About{.name = "failure",
                .text = "of one that failed: the RUN that did not succeed",
                .sometimes = true},
          field::Object<FailedStep>{}, build.failure);
    visit(About{.name = "error_code",
                .text = "of one that failed otherwise, as of a problem document"},
          field::Text{}, build.error ? ErrorCodeName(build.error->code()) : std::string_view());
    visit(About{.name = "error", .text = "in words"}, field::Text{}, ErrorOf(build));
  }

 private:
  static std::string ErrorOf(const BuildView& build) {
    if (build.failure) return DescribeFailure(*build.failure, build.dockerfile);
    return build.error ? build.error->message() : std::string();
  }
  static constexpr std::array<std::string_view, kBuildStates> kStates = {
      "waiting", "building", "done", "failed", "cancelled", "interrupted"};
};

struct BuildList {
  static constexpr std::string_view kSchema = "BuildList";
  static void Of(const std::vector<BuildView>& all, auto& visit) {
    visit(About{"builds"}, field::Objects<Build>{}, all);
  }
};

}  // namespace cay::sandbox::fields
