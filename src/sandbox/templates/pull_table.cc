#include "sandbox/templates/pull_table.h"

#include "base/os/log.h"
#include "protocol/message_codec.h"

namespace cay::sandbox::pull_table {
namespace {

constexpr size_t kMaxText = 8 * 1024;

struct Document {
  PullView pull;
  std::string error_code{};
  bool is_callers = false;
  std::string error{};

  static void Fields(auto& self, auto& codec) {
    auto& pull = self.pull;
    codec.Field(1, pull.image, kMaxText);
    codec.Field(2, pull.name, kMaxText);
    codec.Field(3, pull.platform, kMaxText);
    codec.Field(4, pull.owner, kMaxText);
    codec.Field(5, pull.state, PullState::kInterrupted);
    codec.Field(6, pull.ended_unix_ms);
    codec.Field(7, pull.digest, kMaxText);
    codec.Field(8, self.error_code, kMaxText);
    codec.Field(9, self.is_callers);
    codec.Field(10, self.error, kMaxText);
    codec.Field(11, pull.fetched);
    codec.Field(12, pull.size);
  }
};

Document DocumentOf(const PullView& pull) {
  Document document{.pull = pull};
  if (pull.error) {
    document.error_code = ErrorCodeName(pull.error->code());
    document.is_callers = pull.error->fault() == Fault::kCaller;
    document.error = pull.error->message().substr(0, kMaxText);
  }
  return document;
}

Result<PullView> PullOf(const store::Statement& statement) {
  auto document = TRY(protocol::Decode<Document>(statement.Text(2), protocol::Unknown::kSkipped));
  PullView pull = std::move(document.pull);
  pull.id = statement.Text(0);
  pull.asked_unix_ms = statement.Int(1);
  if (!document.error_code.empty()) {
    pull.error.emplace(ErrorCodeFromName(document.error_code),
                       document.is_callers ? Fault::kCaller : Fault::kMachine,
                       std::move(document.error));
  }
  return pull;
}

}  // namespace

Result<void> Put(store::Database& db, const PullView& pull) {
  store::Statement put = TRY(db.Prepare(
      "INSERT OR REPLACE INTO template_pull(id, asked_ms, active, document) VALUES(?1, ?2, ?3, "
      "?4)"));
  put.Bind(1, std::string_view(pull.id));
  put.Bind(2, pull.asked_unix_ms);
  put.Bind(3, int64_t{!HasEnded(pull.state)});
  put.BindBlob(4, protocol::Encode(DocumentOf(pull)));
  TRY(put.Step());
  return {};
}

Result<std::vector<PullView>> All(store::Database& db) {
  store::Statement list = TRY(
      db.Prepare("SELECT id, asked_ms, document FROM template_pull ORDER BY asked_ms DESC, id"));
  std::vector<PullView> pulls;
  while (TRY(list.Step())) {
    auto pull = PullOf(list);
    if (pull) {
      pulls.push_back(*std::move(pull));
    } else {
      LogWarning("pull " + list.Text(0) + " of a template: " + pull.error().message());
    }
  }
  return pulls;
}

Result<void> Trim(store::Database& db) {
  store::Statement trim = TRY(db.Prepare(
      "DELETE FROM template_pull WHERE active = 0 AND id NOT IN (SELECT id FROM template_pull "
      "WHERE active = 0 ORDER BY asked_ms DESC, id LIMIT ?1)"));
  return trim.Run(static_cast<int64_t>(kKept));
}

}  // namespace cay::sandbox::pull_table
