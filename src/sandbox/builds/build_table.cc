#include "sandbox/builds/build_table.h"

#include "base/os/log.h"
#include "protocol/message_codec.h"

namespace cay::sandbox::build_table {
namespace {

constexpr size_t kMaxText = 64 * 1024;

struct KeptMade {
  BuiltTemplate made{};
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.made.name, kMaxText);
    codec.Field(2, self.made.size);
  }
};

struct KeptFailure {
  FailedStep failed{};
  uint32_t exit_code = 0;
  uint32_t signal = 0;
  static void Fields(auto& self, auto& codec) {
    auto& failed = self.failed;
    codec.Field(1, failed.step, kMaxText);
    codec.Field(2, failed.stage, kMaxText);
    codec.Field(3, failed.line);
    codec.Field(4, self.exit_code);
    codec.Field(5, self.signal);
    codec.Field(6, failed.timed_out);
    codec.Field(7, failed.oom_killed);
    codec.Field(8, failed.disk_full);
    codec.Field(9, failed.output_end, kMaxText);
  }
};

struct Document {
  BuildView build{};
  std::vector<KeptMade> made{};
  std::vector<KeptFailure> failure{};  // one, or none
  std::string error_code{};
  bool is_callers = false;
  std::string error{};

  static void Fields(auto& self, auto& codec) {
    auto& build = self.build;
    codec.Field(1, build.names, BuildSpec::kMaxNames, kMaxText);
    codec.Field(2, build.dockerfile, kMaxText);
    codec.Field(3, build.target, kMaxText);
    codec.Field(4, build.platform, kMaxText);
    codec.Field(5, build.owner, kMaxText);
    codec.Field(6, build.state, BuildState::kInterrupted);
    codec.Field(7, build.steps);
    codec.Field(8, build.cached);
    codec.Field(9, build.context);
    codec.Field(10, build.started_unix_ms);
    codec.Field(11, build.ended_unix_ms);
    codec.Field(12, self.made, BuildSpec::kMaxNames);
    codec.Field(13, self.failure, size_t{1});
    codec.Field(14, self.error_code, kMaxText);
    codec.Field(15, self.is_callers);
    codec.Field(16, self.error, kMaxText);
  }
};

Document DocumentOf(const BuildView& build) {
  Document document{.build = build};
  for (const BuiltTemplate& made : build.made) document.made.push_back({made});
  if (build.failure) {
    document.failure.push_back({.failed = *build.failure,
                                .exit_code = static_cast<uint32_t>(build.failure->exit_code),
                                .signal = static_cast<uint32_t>(build.failure->signal)});
  }
  if (build.error) {
    document.error_code = ErrorCodeName(build.error->code());
    document.is_callers = build.error->fault() == Fault::kCaller;
    document.error = build.error->message().substr(0, kMaxText);
  }
  return document;
}

Result<BuildView> BuildOf(const store::Statement& statement) {
  auto document = TRY(protocol::Decode<Document>(statement.Text(2), protocol::Unknown::kSkipped));
  BuildView build = std::move(document.build);
  build.id = statement.Text(0);
  build.asked_unix_ms = statement.Int(1);
  for (KeptMade& made : document.made) build.made.push_back(std::move(made.made));
  if (!document.failure.empty()) {
    KeptFailure& kept = document.failure.front();
    kept.failed.exit_code = static_cast<int>(kept.exit_code);
    kept.failed.signal = static_cast<int>(kept.signal);
    build.failure = std::move(kept.failed);
  }
  if (!document.error_code.empty()) {
    build.error.emplace(ErrorCodeFromName(document.error_code),
                        document.is_callers ? Fault::kCaller : Fault::kMachine,
                        std::move(document.error));
  }
  return build;
}

}  // namespace

Result<void> Put(store::Database& db, const BuildView& build) {
  store::Statement put = TRY(db.Prepare(
      "INSERT OR REPLACE INTO template_build(id, asked_ms, active, document) VALUES(?1, ?2, ?3, "
      "?4)"));
  put.Bind(1, std::string_view(build.id));
  put.Bind(2, build.asked_unix_ms);
  put.Bind(3, int64_t{!HasEnded(build.state)});
  put.BindBlob(4, protocol::Encode(DocumentOf(build)));
  TRY(put.Step());
  return {};
}

Result<std::vector<BuildView>> All(store::Database& db) {
  store::Statement list = TRY(
      db.Prepare("SELECT id, asked_ms, document FROM template_build ORDER BY asked_ms DESC, id"));
  std::vector<BuildView> builds;
  while (TRY(list.Step())) {
    auto build = BuildOf(list);
    if (build) {
      builds.push_back(*std::move(build));
    } else {
      LogWarning("build " + list.Text(0) + " of a template: " + build.error().message());
    }
  }
  return builds;
}

Result<void> Trim(store::Database& db) {
  store::Statement trim = TRY(db.Prepare(
      "DELETE FROM template_build WHERE active = 0 AND id NOT IN (SELECT id FROM template_build "
      "WHERE active = 0 ORDER BY asked_ms DESC, id LIMIT ?1)"));
  return trim.Run(static_cast<int64_t>(kKept));
}

}  // namespace cay::sandbox::build_table
