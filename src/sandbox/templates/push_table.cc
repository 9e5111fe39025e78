#include "sandbox/templates/push_table.h"

#include "base/os/log.h"
#include "protocol/message_codec.h"

namespace cay::sandbox::push_table {
namespace {

constexpr size_t kMaxText = 8 * 1024;

struct Document {
  PushView push;
  std::string error_code{};
  bool is_callers = false;
  std::string error{};

  static void Fields(auto& self, auto& codec) {
    auto& push = self.push;
    codec.Field(1, push.name, kMaxText);
    codec.Field(2, push.image, kMaxText);
    codec.Field(3, push.owner, kMaxText);
    codec.Field(4, push.state, PushState::kInterrupted);
    codec.Field(5, push.ended_unix_ms);
    codec.Field(6, push.digest, kMaxText);
    codec.Field(7, self.error_code, kMaxText);
    codec.Field(8, self.is_callers);
    codec.Field(9, self.error, kMaxText);
    codec.Field(10, push.sent);
  }
};

Result<PushView> PushOf(const store::Statement& statement) {
  auto document = TRY(protocol::Decode<Document>(statement.Text(2), protocol::Unknown::kSkipped));
  PushView push = std::move(document.push);
  push.id = statement.Text(0);
  push.asked_unix_ms = statement.Int(1);
  if (!document.error_code.empty()) {
    push.error.emplace(ErrorCodeFromName(document.error_code),
                       document.is_callers ? Fault::kCaller : Fault::kMachine,
                       std::move(document.error));
  }
  return push;
}

}  // namespace

Result<void> Put(store::Database& db, const PushView& push) {
  Document document{.push = push};
  if (push.error) {
    document.error_code = ErrorCodeName(push.error->code());
    document.is_callers = push.error->fault() == Fault::kCaller;
    document.error = push.error->message().substr(0, kMaxText);
  }
  store::Statement put = TRY(db.Prepare(
      "INSERT OR REPLACE INTO template_push(id, asked_ms, active, document) VALUES(?1, ?2, ?3, "
      "?4)"));
  put.Bind(1, std::string_view(push.id));
  put.Bind(2, push.asked_unix_ms);
  put.Bind(3, int64_t{!HasEnded(push.state)});
  put.BindBlob(4, protocol::Encode(document));
  if (auto put_in = put.Step(); !put_in) return Failure(std::move(put_in).error());
  return {};
}

Result<std::vector<PushView>> All(store::Database& db) {
  store::Statement list = TRY(
      db.Prepare("SELECT id, asked_ms, document FROM template_push ORDER BY asked_ms DESC, id"));
  std::vector<PushView> pushes;
  while (TRY(list.Step())) {
    auto push = PushOf(list);
    if (push) {
      pushes.push_back(*std::move(push));
    } else {
      LogWarning("push " + list.Text(0) + " of a template: " + push.error().message());
    }
  }
  return pushes;
}

Result<void> Trim(store::Database& db) {
  store::Statement trim = TRY(db.Prepare(
      "DELETE FROM template_push WHERE active = 0 AND id NOT IN (SELECT id FROM template_push "
      "WHERE active = 0 ORDER BY asked_ms DESC, id LIMIT ?1)"));
  return trim.Run(static_cast<int64_t>(kKept));
}

}  // namespace cay::sandbox::push_table
